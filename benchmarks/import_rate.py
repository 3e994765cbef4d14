"""How fast is an import, against the bare pipeline? Both on the same photos and as many threads, in turn, in one run.

    python benchmarks/import_rate.py --images ../shared/lfw/images --photos 600

Bare means: photos that are in memory are analysed (decode, detect, align, embed), nothing is read, judged or stored.
The import reads a folder person/photo.jpg, judges, and writes to a new SQLite database and its index.
Prints the ratio of each round and their median; absolute rates are of this machine and this moment only.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.cli.serve import prepare_database, use_one_arena
from app.config import Settings, read_settings
from app.errors import PhotoRefused
from app.factory.importing import open_bulk
from app.factory.jobs import photo_import
from app.factory.services import open_analysis, open_runtime
from app.jobs.opening import open_source
from app.recognition.analysis import Analysis
from app.recognition.enrolment import FaceChoice


class Silent:
    """The Progress of work that nobody watches."""

    checkpoint: dict[str, object] = {}  # noqa: RUF012 - it never changes

    def advance(self, done: int, *, total: int | None = None, checkpoint: object = None) -> None:
        """See Progress."""

    def refuse(self, item: str, code: str, detail: str) -> None:
        """See Progress."""


def bare(analysis: Analysis, photos: Sequence[bytes], threads: int, *, is_flip_averaged: bool) -> float:
    """Return photos a second."""

    def analyse(photo: bytes) -> None:
        try:
            analysis.analyse(photo, is_flip_averaged=is_flip_averaged)
        except PhotoRefused:
            return

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(analyse, photos))
    return len(photos) / (time.perf_counter() - started)


def imported(settings: Settings, folder: Path) -> float:
    """Return photos a second, without the time to open the networks."""
    with (
        tempfile.TemporaryDirectory(prefix="arcid-import-") as name,
        open_source(folder) as source,
    ):
        own = settings.model_copy(update={"data_dir": Path(name), "database_url": None})
        prepare_database(own)
        with open_bulk(own, "default", FaceChoice.LARGEST) as bulk:
            started = time.perf_counter()
            result = photo_import(own, bulk, is_polite=False).run(source, Silent())
            seconds = time.perf_counter() - started
    print(f"  import: {result}", flush=True)
    return result["photos"] / seconds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    use_one_arena()
    settings = read_settings()
    threads = settings.inference.concurrency or os.cpu_count() or 1
    analysis = open_analysis(settings, open_runtime(settings))
    paths = sorted(options.images.glob("*/*"))[: options.photos]
    with tempfile.TemporaryDirectory(prefix="arcid-photos-") as name:
        for path in paths:
            (Path(name) / path.parent.name).mkdir(exist_ok=True)
            (Path(name) / path.parent.name / path.name).write_bytes(path.read_bytes())
        photos = [path.read_bytes() for path in paths]
        is_flip_averaged = settings.inference.flip
        bare(analysis, photos[:50], threads, is_flip_averaged=is_flip_averaged)
        ratios = []
        for _ in range(options.rounds):
            before = bare(analysis, photos, threads, is_flip_averaged=is_flip_averaged)
            rate = imported(settings, Path(name))
            after = bare(analysis, photos, threads, is_flip_averaged=is_flip_averaged)
            pipeline = statistics.mean((before, after))
            ratios.append(rate / pipeline)
            print(f"import {rate:.1f}/s, pipeline {before:.1f} and {after:.1f}/s: {ratios[-1]:.3f}", flush=True)
    print(f"{threads} threads, {len(photos)} photos: median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
