"""Compare export and import of a collection with a plain copy of its rows.

python benchmarks/archive.py --faces 200000 --dimension 512

The faces are synthetic, five per person, in a new SQLite database. The plain copy reads all rows of the tables and
inserts them into another database with only the driver: a thousand at a time, one commit per two thousand, no checks.
Ratios to it mean more than faces per second, which depend on the machine. With --memory, a further and slower export
and import measure the peak memory of Python and NumPy (tracemalloc).
"""

import argparse
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from app.config import shipped
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.identities import IdentityStore
from app.gallery.store.snapshot import CollectionExporter, MovedFace, MovedPerson
from app.transfer.archive_export import Export
from app.transfer.archive_import import ArchiveImport

_PHOTOS = 5
_AT_ONCE = 2000
_TABLES = ("collections", "identities", "faces", "changes")


class Silent:
    """Progress without output."""

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """See `app.jobs.progress`."""
        return {}

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        """See `app.jobs.progress`."""

    def refuse(self, item: str, code: str, detail: str) -> None:
        """See `app.jobs.progress`."""
        raise AssertionError(item, code, detail)


def blocks(faces: int, dimension: int) -> Iterator[FaceBlock]:
    """Yield synthetic people with five faces each."""
    rng, now = np.random.default_rng(0), datetime.now(UTC)
    for first in range(0, faces, _AT_ONCE):
        rows = range(first, min(first + _AT_ONCE, faces))
        vectors = rng.standard_normal((len(rows), dimension), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        names = sorted({row // _PHOTOS for row in rows})
        people = [MovedPerson(f"p{each}", f"Person {each}", {"site": each % 7}, now, now) for each in names]
        yield FaceBlock(people, [_face(row, rng.random(15).tolist(), now) for row in rows], vectors)


def _face(row: int, numbers: list[float], now: datetime) -> MovedFace:
    places = [number * 1000 for number in numbers]
    landmarks = tuple((places[at], places[at + 5]) for at in range(5))
    box = (places[10], places[11], places[12], places[13])
    return MovedFace(
        f"{row:036d}", f"p{row // _PHOTOS}", numbers[0], 20 * numbers[1], box, landmarks, 0.9, f"{row:064x}", now
    )


def plain_copy(source: Path, target: Path) -> None:
    """Copy the rows unchanged with the driver."""
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        for table in _TABLES:
            rows = reading.execute(f"SELECT * FROM {table}")  # noqa: S608 - a constant
            marks = ", ".join("?" * len(rows.description))
            while block := rows.fetchmany(_AT_ONCE):
                with writing:
                    writing.executemany(f"INSERT INTO {table} VALUES ({marks})", block)  # noqa: S608 - as above


def importer(engine: Engine) -> ArchiveImport:
    """Return an import without known networks and without an index."""
    return ArchiveImport(
        IdentityStore(engine),
        BulkWriter(engine),
        networks_of=lambda _: frozenset(),
        catch_up=lambda _collection, _revision: None,
    )


def timed(what: str, faces: int, work: Callable[[], object], plain: float | None = None) -> float:
    """Run a function and print its rate."""
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    ratio = "" if plain is None else f", {plain / seconds:.2f} of the plain copy's rate"
    print(f"{what:<12}{seconds:8.2f} s {faces / seconds:12,.0f} faces/s{ratio}")
    return seconds


def main() -> None:
    """Read the options, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    migrations = shipped("migrations")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = folder / "a.zip"
        made: dict[str, Database] = {}
        for each in ("source", "plain", "imported", "measured"):
            made[each] = Database(sqlite_url(folder / each), migrations)
            made[each].schema.upgrade()
        source = made["source"].engine
        collection = IdentityStore(source).create_collection("c", model="synthetic", dimension=options.dimension)
        incoming = BulkWriter(source)
        for block in blocks(options.faces, options.dimension):
            incoming.add(collection, block, origin={})
        export = Export(CollectionExporter(source), lambda _: None)
        plain = timed("plain copy", options.faces, lambda: plain_copy(folder / "source", folder / "plain"))
        timed("export", options.faces, lambda: export.write("c", archive, Silent()), plain)
        timed("import", options.faces, lambda: importer(made["imported"].engine).run(archive, Silent()), plain)
        sizes = [path.stat().st_size / 1e6 for path in (archive, folder / "source")]
        print(f"archive: {sizes[0]:.0f} MB, database: {sizes[1]:.0f} MB")
        if options.memory:
            tracemalloc.start()
            export.write("c", archive, Silent())
            print(f"export: at most {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")
            tracemalloc.reset_peak()
            importer(made["measured"].engine).run(archive, Silent())
            print(f"import: at most {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")
        for database in made.values():
            database.close()


if __name__ == "__main__":
    main()
