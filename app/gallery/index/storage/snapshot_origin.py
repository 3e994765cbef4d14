"""The origin of a snapshot, and the result of loading one."""

from dataclasses import dataclass

from app.database.cipher import Sealer


@dataclass(frozen=True, slots=True)
class SnapshotOrigin:
    """Whose vectors a snapshot holds: the embedding model and the id of the collection; and the sealer of its files."""

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
    """What a snapshot gave back: the revision it was saved at, and the ranges to be read from the database again."""

    revision: int
    lost: tuple[KeyRange, ...]
