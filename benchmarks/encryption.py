"""Measure the cost of encryption at rest: reading people, enrolling and a cold start, with and without it, in one run.

python -m benchmarks.encryption [--faces 100000] [--dimension 512]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from app.config import PROJECT
from app.database.cipher import Master, new_secret
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.gallery.index.growing import GrowingIndex
from app.gallery.index_projection import LocalProjection
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, NewFace, Person
from app.types import Detection
from app.vision.quality import Quality

_BATCH = 5


def timed(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call in milliseconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def faces(vectors: np.ndarray, first: int) -> list[NewFace]:
    """Return faces to enroll."""
    detection = Detection((0, 0, 99, 99), 0.9, np.zeros((5, 2), np.float32))
    return [
        NewFace(f"face-{first + at:012}", each, 9.0, Quality(0.8), detection, "0" * 64)
        for at, each in enumerate(vectors)
    ]


class World:
    """A database of people with five faces each, and the snapshot of an index."""

    def __init__(self, folder: Path, vectors: np.ndarray, master: Master | None) -> None:
        self.database = Database(sqlite_url(folder / "arcid.db"), PROJECT / "migrations", master)
        self.database.schema.upgrade()
        self.database.require_current()
        self.folder = folder
        self.store = IdentityStore(self.database.engine, self.database.vault)
        self.people = self.store.create_collection("people", model="net", dimension=vectors.shape[1])
        self.written = 0
        for first in range(0, len(vectors), 1000):
            self.enroll(vectors[first : first + 1000], people=200)

    def enroll(self, vectors: np.ndarray, people: int = 1) -> None:
        """Enroll vectors, equally many per person, several people per transaction."""
        share = len(vectors) // people
        for at in range(people):
            new = faces(vectors[at * share : (at + 1) * share], self.written)
            self.store.enroll(self.people, Person(f"p{self.written}"), new)
            self.written += len(new)

    def projection(self, of: Collection) -> LocalProjection:
        """Return a projection like the one at a start."""
        sealer = self.database.vault if self.database.vault.is_on else None
        log = ChangeLog(self.database.engine)
        return LocalProjection(
            of,
            self.store,
            log,
            new_index=GrowingIndex,
            folder=self.folder / "index",
            sealer=sealer,
        )

    def start(self) -> None:
        """Start cold and stop."""
        projection = self.projection(self.store.collection("people"))
        projection.open()
        projection.close()

    def snapshot(self) -> None:
        """Build the index from the database and write its snapshot."""
        projection = self.projection(self.store.collection("people"))
        projection.open()
        while getattr(projection.index, "is_building", False):
            time.sleep(0.1)
        projection.save()
        projection.close()


def main() -> None:
    """Print a table: milliseconds unencrypted, encrypted, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(options.faces, options.dimension)).astype(np.float32)
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    medians: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as sealed:
        worlds = [World(Path(plain), vectors, None), World(Path(sealed), vectors, Master(new_secret()))]
        for world in worlds:
            medians.setdefault("start from the database", []).append(timed(world.snapshot, 1))
        keys = [int(key) for key in rng.integers(1, options.faces, 32)]
        for world in worlds:
            medians.setdefault("owners_with_faces of 32 people", []).append(
                timed(partial(world.store.owners_with_faces, keys), 100)
            )
            medians.setdefault("start from the snapshot", []).append(timed(world.start, 3))
            medians.setdefault("enrollment of 5 faces", []).append(timed(partial(world.enroll, vectors[:_BATCH]), 100))
    print(f"{options.faces} faces of {options.dimension} numbers; medians in ms")
    for what, (one, other) in medians.items():
        print(f"{what:32} plain {one:10.2f}   encrypted {other:10.2f}   ratio {other / one:5.2f}")


if __name__ == "__main__":
    main()
