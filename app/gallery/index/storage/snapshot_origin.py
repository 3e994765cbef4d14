"""The origin of a snapshot, and the result of loading one."""

from dataclasses import dataclass

from app.database.cipher import Sealer


@dataclass(frozen=True, slots=True)
class SnapshotOrigin:
    """The origin of a snapshot: the embedding model and the collection's uid, and the sealer of its files."""

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
    """The result of loading a snapshot: its revision, and the ranges to read from the database again."""

    revision: int
    lost: tuple[KeyRange, ...]
