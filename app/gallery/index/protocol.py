"""Interface of all indexes. One contract suite (tests/gallery/index/test_contract.py) tests them."""

from pathlib import Path
from typing import Protocol

from app.gallery.index.storage.snapshot_origin import LoadResult, SnapshotOrigin
from app.types import Floats, Keys


class VectorIndex(Protocol):
    """A set of (key, unit vector), searched by cosine similarity.

    Searches may run concurrently, also with one writer; writers wait for each other. Vectors are kept as float16,
    and every similarity that comes out is computed from those, never from shorter codes: it does not depend on the
    kind of index.
    """

    @property
    def kind(self) -> str:
        """How it searches at the moment: "exact", "compressed"."""

    @property
    def dimension(self) -> int:
        """Length of every vector."""

    def add(self, keys: Keys, vectors: Floats) -> None:
        """Add vectors (n, d) under distinct keys (n,); an existing key gets the new vector."""

    def remove(self, keys: Keys) -> None:
        """Remove keys (n,); one that is not there is passed over."""

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        """Return the similarities and keys of the nearest, best first: (n, m) each, m = min(k, count).

        With `among` only these keys are compared, all of them and exactly; m = min(k, number of existing ones).
        """

    def count(self) -> int:
        """Return how many vectors there are."""

    def keys(self) -> Keys:
        """Return all keys (n,), ascending."""

    def vectors(self, keys: Keys) -> Floats:
        """Return the stored vectors (n, d) of keys (n,); the row of a key that is not there is NaN."""

    def close(self) -> None:
        """Let go of threads; searches that are under way, and later ones, end well."""


class LocalIndex(VectorIndex, Protocol):
    """An index in this process's memory, with snapshots in a separate folder."""

    def save(self, folder: Path, origin: SnapshotOrigin, revision: int) -> None:
        """Write what changed since the last save; a crash leaves the old snapshot or the new one.

        `revision`: all changes up to it are in the index; later ones may be, and are applied again after `load`.
        Raises OSError if the folder cannot be written.
        """

    def load(self, folder: Path, origin: SnapshotOrigin) -> LoadResult:
        """Replace the content by that of a snapshot, without the ranges that are lost.

        Raises IndexUnusable, and changes nothing, if the folder holds no snapshot of this kind, dimension and origin.
        """
