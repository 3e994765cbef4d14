"""Values about an index: its lag behind the database, and the result of an erasure."""

from dataclasses import dataclass

from app.gallery.index_projection import Projection
from app.gallery.store.values import Collection, RemovalResult


@dataclass(frozen=True, slots=True)
class IndexState:
    """The state of a collection's index against the database; `behind` counts revisions."""

    collection: str
    kind: str
    indexed: int
    faces: int
    revision: int
    behind: int
    seconds_behind: float


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The result of an erasure: the deleted rows, the kind of index and the number of deleted snapshot files.

    `files` is None if some files could not be deleted yet; the next snapshot or start deletes them.
    """

    removed: RemovalResult
    index_kind: str
    files: int | None


def index_state(collection: Collection, projection: Projection) -> IndexState:
    """Return the state of a collection's index against the database."""
    applied, index = projection.revision(), projection.index
    return IndexState(
        collection=collection.name,
        kind=index.kind,
        indexed=index.count(),
        faces=collection.faces,
        revision=applied,
        behind=max(collection.revision - applied, 0),
        seconds_behind=projection.seconds_behind(collection.revision),
    )
