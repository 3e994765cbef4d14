"""Cut the power of a service a thousand times, and restart it each time on what the disk would have left.

    python benchmarks/power_cuts.py --images ../shared/lfw/images --cuts 1000
    python benchmarks/power_cuts.py --images ../shared/lfw/images --cuts 100 --recordings 1 --database postgresql
    python benchmarks/power_cuts.py --scenes 20
    python benchmarks/power_cuts.py --images ../shared/lfw/images --recordings 1 --remove-each

Unlike a killed process, a power cut loses what was not synced: see tests/powercut. Each recording is a real service
that enrolls, deletes, imports, uploads, exports, migrates to another network, backs up and rotates keys. Exit status 1
if any acknowledged write is lost, anything erased is back, an index differs from its database, a file is unreadable, or
a probe gets another answer than before the cut.

- `--database postgresql` records PostgreSQL too: one cut takes both. `--server "-c fsync=off"` must be noticed.
- `--scenes N` cuts restores, calibrations and other single changes N times after each of their records.
- `--forget` leaves out one kind of sync, which must be noticed.
- `--remove-each` removes each call in `app/` that makes a change durable, which must be noticed.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import structlog

from tests.powercut.cuts import Cut, Recorded, cut
from tests.powercut.databases import Embedded, PostgreSQL, open_folder
from tests.powercut.forgetting import FORGETTABLE, forgets
from tests.powercut.recovery import restarting
from tests.powercut.removals import remove
from tests.powercut.scene import record_scenes
from tests.powercut.scenes import SCENES
from tests.powercut.sites import sites
from tests.powercut.workload import record, record_on_postgresql

_SHOWN = 20


def photos_of(folder: Path, count: int) -> list[bytes]:
    """Return photos of different people."""
    people = sorted(each for each in folder.iterdir() if each.is_dir())
    random.Random(0).shuffle(people)
    return [min(each.glob("*.jpg")).read_bytes() for each in people[:count]]


def recorded(options: argparse.Namespace, folder: Path, seed: int) -> Recorded:
    """Make a recording."""
    photos = photos_of(options.images, 20)
    if options.database == "postgresql":
        made = record_on_postgresql(folder, photos, seed=seed, steps=options.steps, options=options.server)
    else:
        made = record(folder, photos, seed=seed, steps=options.steps)
    return Recorded.of(made)


def cuts_of(options: argparse.Namespace, folder: Path) -> list[Cut]:
    """Make the recordings and all their cuts."""
    cuts = []
    with ExitStack() as exits:
        is_server = options.database == "postgresql"
        database = PostgreSQL(exits.enter_context(open_folder())) if is_server else Embedded()
        restarts = exits.enter_context(restarting(folder / "first", database))
        for number in range(options.recordings):
            seed = options.seed + number
            made = recorded(options, folder / f"recording{number}", seed)
            forget = forgets(FORGETTABLE[options.forget], made.records) if options.forget else None
            count = options.cuts // options.recordings
            found = list(cut(made, restarts, folder / "disk", count, seed=seed, forget=forget))
            bad = sum(bool(each.violations) for each in found)
            print(f"seed {seed}: {len(made.records)} records, {count} cuts, {bad} with violations", flush=True)
            cuts += found
    return cuts


def scene_cuts(folder: Path, each_record: int, word: str) -> list[Cut]:
    """Cut each scene with `word` in its name after each of its records."""
    cuts = []
    for name, scene in record_scenes(SCENES, folder).items():
        if word not in name:
            continue
        moments = range(1, len(scene.recorded.records) + 1)
        found = [scene.cut(folder / "cut", at, seed) for at in moments for seed in range(each_record)]
        bad = sum(bool(each.violations) for each in found)
        print(f"{name}: {len(moments)} records, {len(found)} cuts, {bad} with violations", flush=True)
        cuts += found
    return cuts


def unnoticed(options: argparse.Namespace, folder: Path) -> int:
    """Remove each durable call, print what noticed it, and return the number of unnoticed ones."""
    scenes, missed = record_scenes(SCENES, folder / "scenes"), 0
    made = recorded(options, folder / "recording", options.seed) if options.images else None
    with restarting(folder / "first") as restarts:
        for site in sites():
            removal = remove(site, scenes, folder / "cut", made, restarts)
            print(removal, flush=True)
            missed += removal.cuts is None
    print(f"{len(sites())} calls, {missed} not noticed")
    return missed


def report(cuts: list[Cut]) -> int:
    """Print all cuts in short, and return the number of those with violations."""
    bad = [each for each in cuts if each.violations]
    steps = Counter(each.step or "before the first step" for each in cuts)
    print(f"cuts during or after: {', '.join(f'{step} {count}' for step, count in steps.most_common())}")
    for each in bad[:_SHOWN]:
        print(f"seed {each.seed}, after record {each.records}, {each.step}: {each.violations[:3]}")
    print(f"{len(cuts)} cuts, {len(bad)} with violations, {time.process_time():.0f} CPU s")
    return len(bad)


def main() -> None:
    """Read the options, make the cuts, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="photos of people: person/photo.jpg")
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--recordings", type=int, default=5)
    parser.add_argument("--steps", type=int, default=32, help="writes of each recording")
    parser.add_argument("--seed", type=int, default=1, help="of the first recording; the others follow")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--server", default="", help="options of PostgreSQL")
    parser.add_argument("--scenes", type=int, metavar="N", help="cut scenes instead, N times after each record")
    parser.add_argument("--scene", default="", help="only scenes with this in their name")
    parser.add_argument("--forget", choices=FORGETTABLE, help="leave out one kind of sync")
    parser.add_argument("--remove-each", action="store_true", help="remove each durable call instead")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="arcid-power-cuts-", dir="/dev/shm") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        if options.remove_each:
            sys.exit(bool(unnoticed(options, folder)))
        if options.scenes:
            sys.exit(bool(report(scene_cuts(folder, options.scenes, options.scene))))
        if options.images is None:
            parser.error("--images is required")
        sys.exit(bool(report(cuts_of(options, folder))))


if __name__ == "__main__":
    main()
