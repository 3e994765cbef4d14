"""The interface of all indexes, tested by one contract suite (tests/gallery/index/test_contract.py)."""

from pathlib import Path
from typing import Protocol

from app.gallery.index.storage.snapshot_origin import LoadResult, SnapshotOrigin
from app.types import Floats, Keys


class VectorIndex(Protocol):
    """A set of (key, unit vector), searched by cosine similarity.

    Searches may run in parallel with each other and with one writer; writers wait for each other. Vectors are stored as
    float16. Every returned similarity is computed from these vectors, never from shorter codes, so it does not depend
    on the kind of index.
    """

    @property
    def kind(self) -> str:
        """The current kind of search, such as "exact" or "compressed"."""

    @property
    def dimension(self) -> int:
        """Length of every vector."""

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        """Add vectors (n, d) under distinct keys (n,); an existing key gets the new vector and owner.

        `owners` (n,): whose faces they are, as numbers from 0; -1 (as without `owners`) if that is not known. An index
        may use them to compare people before faces.
        """

    def remove(self, keys: Keys) -> None:
        """Remove keys (n,); missing keys are ignored."""

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        """Return the similarities and keys of the nearest, best first: (n, m) each, m = min(k, count).

        With `among`, only these keys are compared, exactly; m = min(k, number of them in the index).
        """

    def search_people(self, vectors: Floats, k: int) -> list[Keys] | None:
        """Return for each of the vectors (n, d) a key of each of its k nearest people, best first.

        Fewer are returned if fewer are found. Return None if the index compares faces only, or is small.
        """

    def count(self) -> int:
        """Return the number of vectors."""

    def keys(self) -> Keys:
        """Return all keys (n,), ascending."""

    def vectors(self, keys: Keys) -> Floats:
        """Return the stored vectors (n, d) of keys (n,); the row of a missing key is NaN."""

    def owners(self, keys: Keys) -> Keys | None:
        """Return the owners (n,) of keys (n,), -1 if unknown; None if the index does not store owners."""

    def close(self) -> None:
        """Release threads; running and later searches still succeed."""


class LocalIndex(VectorIndex, Protocol):
    """An index in this process's memory, with snapshots in its own folder."""

    def save(self, folder: Path, origin: SnapshotOrigin, revision: int) -> None:
        """Write the changes since the last save; a crash leaves the old or the new snapshot.

        `revision`: the index contains all changes up to it; later changes may be included and are applied again after
        `load`.
        Raises OSError if the folder cannot be written.
        """

    def load(self, folder: Path, origin: SnapshotOrigin) -> LoadResult:
        """Replace the content by that of a snapshot, without its lost ranges.

        Raises IndexUnusable (changing nothing) if the folder has no snapshot of this kind, dimension and origin.
        """
