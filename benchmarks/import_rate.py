"""Compare the speed of an import with the bare pipeline: same photos and threads, alternately, in one run.

    python benchmarks/import_rate.py --images ../shared/lfw/images --photos 600

The bare pipeline analyses photos in memory (decode, detect, align, embed), without reading, screening or storing them.
The import reads a folder person/photo.jpg, screens the photos, and writes to a new SQLite database and its index.
Prints the ratio of each round and their median; absolute rates depend on the machine. If other processes use the same
cores, the ratio of processor time (bare over imported) is more reliable.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli.importing import open_import
from app.cli.serve import prepare_database, use_one_arena
from app.config import Settings, read_settings
from app.container import Container
from app.errors import PhotoRefused
from app.recognition.analysis import Analysis
from app.recognition.face_choice import FaceChoice
from app.transfer.photo_sources import open_source
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs


class Silent:
    """A Progress without output."""

    checkpoint: dict[str, object] = {}  # noqa: RUF012 - it never changes

    def advance(self, done: int, *, total: int | None = None, checkpoint: object = None) -> None:
        """See Progress."""

    def refuse(self, item: str, code: str, detail: str) -> None:
        """See Progress."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Photos per second, by the clock and by this process's processor time."""

    clock: float
    processor: float


@contextmanager
def timed(photos: int) -> Iterator[Callable[[], Pace]]:
    """Yield a function that returns the pace at the end."""
    started, began = time.perf_counter(), time.process_time()
    yield lambda: Pace(photos / (time.perf_counter() - started), photos / (time.process_time() - began))


def bare(analysis: Analysis, photos: Sequence[bytes], threads: int, *, is_flip_averaged: bool) -> Pace:
    """Analyse all photos."""

    def analyse(photo: bytes) -> None:
        try:
            analysis.analyse(photo, is_flip_averaged=is_flip_averaged)
        except PhotoRefused:
            return

    with timed(len(photos)) as pace, ThreadPoolExecutor(threads) as pool:
        list(pool.map(analyse, photos))
        return pace()


def imported(settings: Settings, folder: Path, photos: int) -> Pace:
    """Import the photos; the time to open the networks does not count."""
    with (
        tempfile.TemporaryDirectory(prefix="arcid-import-") as name,
        open_source(folder) as source,
    ):
        own = settings.model_copy(update={"data_dir": Path(name), "database_url": None})
        prepare_database(own)
        with Container(own) as container:
            work = open_import(container, "default", FaceChoice.LARGEST)
            with timed(photos) as pace:
                result = work.run(source, Silent())
                taken = pace()
    if result["photos"] != photos:
        raise SystemExit(f"not all {photos} photos were imported: {result}")
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    use_one_arena()
    settings = read_settings()
    threads = settings.inference.concurrency or os.cpu_count() or 1
    analysis = ModelLoader(settings, open_packs(settings)).default_analysis()
    paths = sorted(options.images.glob("*/*"))[: options.photos]
    with tempfile.TemporaryDirectory(prefix="arcid-photos-") as name:
        for path in paths:
            (Path(name) / path.parent.name).mkdir(exist_ok=True)
            (Path(name) / path.parent.name / path.name).write_bytes(path.read_bytes())
        photos = [path.read_bytes() for path in paths]
        is_flip_averaged = settings.inference.flip
        bare(analysis, photos[:50], threads, is_flip_averaged=is_flip_averaged)
        clock, processor = [], []
        for _ in range(options.rounds):
            before = bare(analysis, photos, threads, is_flip_averaged=is_flip_averaged)
            taken = imported(settings, Path(name), len(photos))
            after = bare(analysis, photos, threads, is_flip_averaged=is_flip_averaged)
            clock.append(taken.clock / statistics.mean((before.clock, after.clock)))
            processor.append(taken.processor / statistics.mean((before.processor, after.processor)))
            print(f"by the clock {clock[-1]:.3f}, by processor time {processor[-1]:.3f}", flush=True)
    print(
        f"{threads} threads, {len(photos)} photos, medians: "
        f"by the clock {statistics.median(clock):.3f}, by processor time {statistics.median(processor):.3f}"
    )


if __name__ == "__main__":
    main()
