"""Cut the power of a service a thousand times, and restart it each time on what the disk would have left.

    python benchmarks/power_cuts.py --images ../shared/lfw/images --cuts 1000

Unlike a killed process, a power cut loses what was not synced: see tests/powercut. Each recording is a real service
that enrolls, deletes, imports, uploads, exports, migrates to another network, backs up and rotates keys. Exit status 1
if any acknowledged write is lost, anything erased is back, an index differs from its database, a file is unreadable, or
a probe gets another answer than before the cut. `--forget` leaves out one kind of sync, which must be noticed.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog

from tests.powercut.cuts import Cut, Recorded, cut
from tests.powercut.forgetting import FORGETTABLE, forgets
from tests.powercut.recovery import restarting
from tests.powercut.workload import record

_SHOWN = 20


def photos_of(folder: Path, count: int) -> list[bytes]:
    """Return photos of different people."""
    people = sorted(each for each in folder.iterdir() if each.is_dir())
    random.Random(0).shuffle(people)
    return [min(each.glob("*.jpg")).read_bytes() for each in people[:count]]


def cuts_of(options: argparse.Namespace, folder: Path) -> list[Cut]:
    """Make the recordings and all their cuts."""
    photos, cuts = photos_of(options.images, 20), []
    with restarting(folder / "first") as restarts:
        for number in range(options.recordings):
            seed = options.seed + number
            recorded = Recorded.of(record(folder / f"recording{number}", photos, seed=seed, steps=options.steps))
            forget = forgets(FORGETTABLE[options.forget], recorded.records) if options.forget else None
            count = options.cuts // options.recordings
            found = list(cut(recorded, restarts, folder / "disk", count, seed=seed, forget=forget))
            bad = sum(bool(each.violations) for each in found)
            print(f"seed {seed}: {len(recorded.records)} records, {count} cuts, {bad} with violations", flush=True)
            cuts += found
    return cuts


def main() -> None:
    """Read the options, make the cuts, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--recordings", type=int, default=5)
    parser.add_argument("--steps", type=int, default=32, help="writes of each recording")
    parser.add_argument("--seed", type=int, default=1, help="of the first recording; the others follow")
    parser.add_argument("--forget", choices=FORGETTABLE, help="leave out one kind of sync")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="arcid-power-cuts-", dir="/dev/shm") as name:
        cuts = cuts_of(options, Path(name))
    bad = [each for each in cuts if each.violations]
    steps = Counter(each.step or "the first start" for each in cuts)
    print(f"cuts during or after: {', '.join(f'{step} {count}' for step, count in steps.most_common())}")
    for each in bad[:_SHOWN]:
        print(f"seed {each.seed}, after record {each.records}, {each.step}: {each.violations[:3]}")
    print(f"{len(cuts)} cuts, {len(bad)} with violations, {time.process_time() - started:.0f} CPU s")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
