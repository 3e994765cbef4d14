"""Redraw tables 2 to 8 of the first version of the ArcFace paper with small networks, next to the authors' figures.

    python benchmarks/paper_tables.py --images lfw/images --out runs/paper --table 6 7 --seeds 2 --epochs 8

The tables compare the stem (2), the output (3), the residual unit (4), the weight decay (5), the margin of ArcFace (6),
the loss (7) and the backbone (8). A hash of the names splits the people into two halves, as in `benchmarks/student.py`,
which may have the same `--out`. The rows are trained on one half and tested on the other. All rows of a table share
their photos, schedule and seeds. `--set` changes a key of all rows.

Each figure is the mean over the seeds with a 95 % interval. With two seeds or more, it covers both other seeds and
other test people; with one seed, only the people. Differences from the first row compare the same seeds and people. If
a difference has 0 in its interval, the table does not show which row is better.

Results are kept in `--out`, one per row and seed, so the same command continues after an interruption. `--draw` prints
the tables from the kept results and trains nothing. `--seeds 0` only measures the networks of the tables.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from paper_results import RowResults, draw
from paper_rows import TABLES, Keys, PaperTable
from paper_runs import PaperRuns, read_test_set, specs_of, training_photos
from student import prepare

from app.cli.output import Console
from app.cli.train_options import parse_assignment
from app.cli.train_run import STOPPED, stoppable
from app.errors import TrainingError
from app.training.data.folder import read_folder


def base_keys(options: argparse.Namespace, photos: Path) -> Keys:
    """Return the values that all rows share, by dotted name."""
    return {
        "data.path": str(photos),
        "data.aligned": True,
        "backbone.name": options.backbone,
        "backbone.width": options.width,
        "backbone.dimension": options.dimension,
        "schedule.epochs": options.epochs,
        "schedule.batch_size": options.batch_size,
        "schedule.learning_rate": options.learning_rate,
        "schedule.warm_up": min(1.0, options.epochs / 4),
        "machine.device": options.device,
        "keeping.log_every": 10,
        "keeping.save_every": 200,
        **dict(parse_assignment(text) for text in options.set),
    }


def open_runs(options: argparse.Namespace) -> PaperRuns:
    """Align the photos unless they are, and return the runs in the folder `--out`."""
    learned, tested = prepare(options.images, options.out)
    share = "all" if options.photos is None else options.photos
    folder = options.out / f"paper-photos-{share}-{options.per_person}"
    photos = training_photos(learned, options.photos, options.per_person, folder)
    test = read_test_set(read_folder(tested, None), options.test_per_person)
    return PaperRuns(
        options.out / "paper", base_keys(options, photos), read_folder(photos, None), test, scale=options.scale
    )


def train_table(
    runs: PaperRuns, table: PaperTable, seeds: Sequence[int], console: Console, is_stopping: Callable[[], bool]
) -> dict[str, str]:
    """Train all rows of a table, seed by seed; return the reasons of the rows that cannot be trained, by name."""
    failures: dict[str, str] = {}
    plan = [(seed, row) for seed in seeds for row in table.rows]
    for number, (seed, row) in enumerate(plan, 1):
        if is_stopping():
            break
        if row.name in failures or runs.result(table, row, seed) is not None:
            continue
        console.print(f"table {table.number}: {row.name}, seed {seed} ({number} of {len(plan)})")
        try:
            runs.train(table, row, seed, console=console, is_stopping=is_stopping)
        except TrainingError as error:
            failures[row.name] = f"not trained: {error}"
            console.print(failures[row.name])
    return failures


def table_text(
    runs: PaperRuns, table: PaperTable, seeds: Sequence[int], failures: dict[str, str], *, is_measured: bool
) -> str:
    """Return a table in Markdown from the kept results; with `is_measured`, measure the networks if they differ."""
    specs = specs_of(runs, table.rows)
    first = specs[table.rows[0].name]
    has_costs = any(spec != first for spec in specs.values())
    results = {}
    for row in table.rows:
        found = {seed: runs.result(table, row, seed) for seed in seeds}
        kept = {seed: result for seed, result in found.items() if result is not None}
        cost, failure = None, failures.get(row.name)
        if has_costs and failure is None:
            try:
                cost = runs.cost(specs[row.name], first, is_measured=is_measured)
            except TrainingError as error:
                failure = f"not measured: {error}"
        results[row.name] = RowResults(kept, specs[row.name], cost, failure)
    return draw(table, results)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--out", type=Path, required=True, help="folder for crops, runs and tables")
    parser.add_argument("--table", type=int, nargs="+", choices=sorted(TABLES), default=sorted(TABLES))
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--photos", type=int, help="training photos; all by default")
    parser.add_argument("--per-person", type=int, default=20, help="training photos of a person")
    parser.add_argument("--test-per-person", type=int, default=4, help="test photos of a person")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--backbone", default="iresnet18", help="in place of the paper's ResNet-50, but not in table 8")
    parser.add_argument("--width", type=float, default=0.125, help="share of the channels, in all networks")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--scale", type=float, help="scale of the losses in place of 64; few photos need a lower one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", action="append", default=[], help="another key of all rows, as in `arcid train`")
    parser.add_argument("--draw", action="store_true", help="print the tables from the kept results")
    return parser


def main() -> None:
    """Train and print."""
    options = arguments().parse_args()
    console, runs = Console(stderr=True), open_runs(options)
    seeds = range(1, options.seeds + 1)
    with stoppable() as is_stopping:
        for number in options.table:
            table = TABLES[number]
            failures = {} if options.draw else train_table(runs, table, seeds, console, is_stopping)
            if is_stopping():
                console.print("stopped; the same command continues, and --draw prints the kept results")
                raise SystemExit(STOPPED)
            text = table_text(runs, table, seeds, failures, is_measured=not options.draw)
            (options.out / f"table-{number}.md").write_text(text, "utf-8")
            print(text, flush=True)


if __name__ == "__main__":
    main()
