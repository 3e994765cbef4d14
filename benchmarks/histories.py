"""Check seeded histories of replicas: concurrent writes, searches, crashes and delays, against a sequential model.

    python benchmarks/histories.py --seeds 10000
    python benchmarks/histories.py --seeds 1000 --first 20000 --database postgresql://.../postgres
    python benchmarks/histories.py --replay 4711
    python benchmarks/histories.py --mutants

A seed chooses two or three replicas, their clients' operations, and the next step at every transaction, statement and
lock. Each history must be linearisable, replicas must find what they have acknowledged, and in the end each index must
equal the database, also after a restart. `--replay` prints the history of a seed. `--mutants` breaks the code in many
ways and prints the seeds that it takes to notice. Exit status 1 if a history fails or a mutant is not noticed.
"""

import argparse
import sys
import time

from tests.gallery.histories.mutants import MUTANTS, seeds_to_notice
from tests.gallery.histories.runner import Histories, histories
from tests.gallery.histories.simulation import Failed

_MOST_SEEDS = 1000  # of a mutant


def check(made: Histories, first: int, seeds: int) -> int:
    """Run histories and return the number of failed ones."""
    failed, operations, steps, started = 0, 0, 0, time.process_time()
    for seed in range(first, first + seeds):
        try:
            done = made.run(seed)
        except Failed as error:
            print(error, flush=True)
            failed += 1
        else:
            operations, steps = operations + len(done.operations), steps + done.steps
    seconds = time.process_time() - started
    print(f"{seeds} seeds from {first}: {operations} operations, {steps} steps, {failed} failed, {seconds:.0f} CPU s")
    return failed


def mutants(made: Histories, word: str) -> int:
    """Print the seeds that it takes to notice each mutant, and return the number of unnoticed ones."""
    unnoticed = 0
    for mutant in [each for each in MUTANTS if word in each.name]:
        seeds = seeds_to_notice(made, mutant, _MOST_SEEDS)
        unnoticed += seeds is None
        print(f"{mutant.name:45} {'not noticed' if seeds is None else seeds}", flush=True)
    return unnoticed


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--replay", type=int)
    parser.add_argument("--mutants", nargs="?", const="", help="those with this word in their names")
    parser.add_argument("--database", help="a PostgreSQL server on which databases may be created")
    arguments = parser.parse_args()
    with histories(arguments.database) as made:
        if arguments.replay is not None:
            print(made.run(arguments.replay))
            return 0
        if arguments.mutants is not None:
            return int(bool(mutants(made, arguments.mutants)))
        return int(bool(check(made, arguments.first, arguments.seeds)))


if __name__ == "__main__":
    sys.exit(main())
