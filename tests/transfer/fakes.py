"""Progress that remembers, and collections made up."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine

from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.identities import IdentityStore
from app.gallery.store.snapshot import CollectionExporter, MovedFace, MovedPerson
from app.gallery.store.values import Collection
from app.transfer.archive_export import Export
from app.transfer.archive_import import ArchiveImport
from app.types import Floats

MODEL, D = "net", 8
SHA256 = "ab" * 32


class Stopped(Exception):
    """The end was asked for."""


class Recorded:
    """Records progress, and optionally stops the work after some advances."""

    def __init__(self, checkpoint: Mapping[str, Any] | None = None, *, stop_after: int | None = None) -> None:
        self._checkpoint: Mapping[str, Any] = checkpoint or {}
        self._left = stop_after
        self.said: list[tuple[int, int | None]] = []
        self.refused: list[tuple[str, str, str]] = []

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        return self._checkpoint

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        self.said.append((done, total))
        if checkpoint is not None:
            self._checkpoint = checkpoint
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Stopped

    def refuse(self, item: str, code: str, detail: str) -> None:
        self.refused.append((item, code, detail))


def units(number: int, *, seed: int = 0, dimension: int = D) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(number, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def fill(engine: Engine, name: str = "people", *, people: int = 20, faces: int = 3, seed: int = 0) -> Collection:
    """Make a collection of made-up people, written in one block."""
    store = IdentityStore(engine)
    collection = store.create_collection(name, model=MODEL, dimension=D)
    persons = [
        MovedPerson(f"p{n}-{seed}", f"Zoë {n}" if n % 2 else None, {"n": n}, _at(n), _at(n)) for n in range(people)
    ]
    own = [
        MovedFace(
            f"f{seed}-{person}-{number}",
            f"p{person}-{seed}",
            None if number == 2 else 0.1 * number,
            12.5 + person / 7,
            (1.5, -2.25, 30.1, 40.0),
            ((1.0, 2.0), (3.5, 4.0), (5.0, 6.1), (7.0, 8.0), (9.0, 10.0)),
            0.75,
            f"{person:064x}",
            _at(number),
        )
        for person in range(people)
        for number in range(faces)
    ]
    BulkWriter(engine).add(collection, FaceBlock(persons, own, units(len(own), seed=seed)), origin={})
    return store.collection(name)


def exporter(engine: Engine) -> Export:
    return Export(CollectionExporter(engine), lambda _model: SHA256)


def importer(engine: Engine, catch_up=lambda _collection, _revision: None) -> ArchiveImport:
    networks = {MODEL: frozenset([SHA256])}
    return ArchiveImport(
        IdentityStore(engine),
        BulkWriter(engine),
        networks_of=lambda model: networks.get(model, frozenset()),
        catch_up=catch_up,
    )


def _at(minute: int) -> datetime:
    return datetime(2026, 1, 2, 3, minute % 60, 5, 678901, tzinfo=UTC)
