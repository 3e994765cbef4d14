"""The origin of a snapshot, and the result of loading one."""

from dataclasses import dataclass

from app.database.cipher import Sealer


@dataclass(frozen=True, slots=True)
class SnapshotOrigin:
    """Origin of a snapshot's vectors: the embedding model and the collection's id; and the sealer of its files."""

    model: str
    collection: str
    sealer: Sealer | None = None


@dataclass(frozen=True, slots=True)
class KeyRange:
    """All keys from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Loaded snapshot: its revision, and the ranges to read again from the database."""

    revision: int
    lost: tuple[KeyRange, ...]
