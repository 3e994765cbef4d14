"""Milvus: the distributed engine, for galleries beyond one machine (needs the extra `milvus`)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.gallery.index.milvus_engine import KEY, VECTOR, EngineCollection, Structure
from app.types import Floats, IndexKind, Keys

if TYPE_CHECKING:
    from pymilvus import MilvusClient

NOBODY = -1
"""Key that pads an answer, with similarity -inf, if a graph finds fewer results than requested."""

# Limits that milvus-lite, Milvus 2.3 and Milvus 3 share.
_MESSAGE_BYTES = 8 << 20  # the engine takes 64 MiB
_PAGE = 16_384  # rows of a limited query, answers of one probe
_ANSWERS = 1 << 18  # of all probes of one search together
_KEYS_AT_ONCE = 50_000  # keys are text in a filter: about 1 MB
_LAST_KEY = 2**63 - 1

# During heavy writes, Milvus 2.3.5 answers about one search in a thousand with nearly empty rows.
_TRIES = 4

Answer = tuple[Floats, Keys]
"""Similarities and keys (n, m), best first."""


class MilvusIndex:
    """See `VectorIndex`; keys are any but -1 (and -2**63). The engine keeps the data, so nothing is saved or loaded.

    Similarities are inner products in float32, also those that a graph found. `add` and `remove` can be repeated: after
    a crash, a writer repeats its batch. Many processes may share a collection of the engine: each read sees
    all that any of them had written. Every method raises IndexUnavailable if the engine does not answer, and
    IndexUnusable if it has lost the collection.
    """

    kind = IndexKind.MILVUS

    def __init__(
        self,
        client: "MilvusClient",
        name: str,
        dimension: int,
        *,
        structure: Structure = "FLAT",
    ) -> None:
        """Open the engine's collection `name` (letters, digits and _), or create it with `structure`.

        Raises IndexUnusable if it holds vectors of another length.
        """
        self._dimension = dimension
        self._rows_at_once = max(1, _MESSAGE_BYTES // (4 * dimension + 16))
        self._engine = EngineCollection(client, name, dimension, structure=structure)

    @property
    def dimension(self) -> int:
        """See `VectorIndex`."""
        return self._dimension

    def search_people(self, vectors: Floats, k: int) -> list[Keys] | None:
        """See `VectorIndex`: faces only."""
        del vectors, k
        return None

    def owners(self, keys: Keys) -> Keys | None:
        """See `VectorIndex`: none are stored."""
        del keys
        return None

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        """See `VectorIndex`; `owners` are not stored."""
        del owners
        halves = np.asarray(vectors, np.float16)
        for part in _parts(len(keys), self._rows_at_once):
            rows = zip(keys[part].tolist(), np.ascontiguousarray(halves[part], np.float32), strict=True)
            self._engine.upsert([{KEY: key, VECTOR: row} for key, row in rows])

    def remove(self, keys: Keys) -> None:
        """See `VectorIndex`."""
        for part in _parts(len(keys), _KEYS_AT_ONCE):
            self._engine.delete(keys[part].tolist())

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> Answer:
        """See `VectorIndex`; k is limited to 16,384, and short rows of a graph are padded (see NOBODY)."""
        k = min(k, _PAGE)
        if k < 1 or not len(vectors) or (among is not None and not len(among)):
            return np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64)
        vectors = np.ascontiguousarray(vectors, np.float32)
        if among is None:
            return self._found(vectors, k)
        among = np.unique(among)
        if self._engine.has_graph:  # which loses its way where most of what it meets is filtered out
            return _best([self._compared(vectors, among[part]) for part in _parts(len(among), self._rows_at_once)], k)
        parts = _parts(len(among), _KEYS_AT_ONCE)
        return _best([self._found(vectors, k, _one_of(among[part])) for part in parts], k)

    def count(self) -> int:
        """See `VectorIndex`."""
        return self._engine.count()

    def keys(self) -> Keys:
        """See `VectorIndex`."""
        negative = [np.sort(page) for page in self._pages(is_negative=True)][::-1]
        positive = [np.sort(page) for page in self._pages(is_negative=False)]
        return np.concatenate([np.empty(0, np.int64), *negative, *positive])

    def vectors(self, keys: Keys) -> Floats:
        """See `VectorIndex`."""
        result = np.full((len(keys), self._dimension), np.nan, np.float32)
        for part in _parts(len(keys), self._rows_at_once):
            stored = {row[KEY]: row[VECTOR] for row in self._engine.query(_one_of(keys[part]), [KEY, VECTOR])}
            for place, key in enumerate(keys[part].tolist(), part.start):
                if key in stored:
                    result[place] = stored[key]
        return result

    def drop(self) -> None:
        """Remove the engine's collection with its content; the index is unusable afterwards."""
        self._engine.drop()

    def close(self) -> None:
        """Do nothing: the opener owns the connection, and the engine owns the data."""

    def _pages(self, *, is_negative: bool) -> Iterator[Keys]:
        """Yield all keys of 0 and more, or all below, in pages that go away from 0.

        No engine promises an order to a limited query (milvus-lite keeps none). So it is asked for ranges: one that
        brings less than a page is whole. They grow where keys are sparse and shrink where a page was full.
        """
        first, width = 0, _PAGE
        while first <= _LAST_KEY:
            last = min(first + width - 1, _LAST_KEY)
            low, high = (max(-1 - last, -_LAST_KEY), -1 - first) if is_negative else (first, last)
            rows = self._engine.query(f"{KEY} >= {low} and {KEY} <= {high}", [KEY], limit=_PAGE)
            if len(rows) == _PAGE < width:
                width = max(width // 16, _PAGE)
                continue
            if not rows and not self._engine.count(f"{KEY} < {low}" if is_negative else f"{KEY} > {high}"):
                return
            yield np.array([row[KEY] for row in rows], np.int64)
            first = last + 1
            width *= 16 if not rows else 2 if 4 * len(rows) < _PAGE else 1

    def _found(self, vectors: Floats, k: int, condition: str = "") -> Answer:
        """Search with the engine, and again if a row is too short: see _TRIES."""
        answers: list[Answer] = []
        for _ in range(_TRIES):
            similarities, keys = self._asked(vectors, k, condition)
            answers.append((similarities, keys))
            shortest = int((keys != NOBODY).sum(axis=1).min())
            if shortest >= k or shortest >= self._engine.count(condition):
                break
        return max(answers, key=lambda answer: int((answer[1] != NOBODY).sum()))

    def _asked(self, vectors: Floats, k: int, condition: str) -> Answer:
        """Search in batches, so that neither request nor answer is too long."""
        at_once = max(1, min(_ANSWERS // k, self._rows_at_once))
        rows = [
            row for part in _parts(len(vectors), at_once) for row in self._engine.search(vectors[part], k, condition)
        ]
        similarities = np.full((len(rows), max(map(len, rows))), -np.inf, np.float32)
        keys = np.full(similarities.shape, NOBODY, np.int64)
        for place, row in enumerate(rows):
            similarities[place, : len(row)], keys[place, : len(row)] = row.distances, row.ids
        return similarities, keys

    def _compared(self, vectors: Floats, among: Keys) -> Answer:
        """Fetch the vectors of some keys and compare them here."""
        stored = self.vectors(among)
        is_there = ~np.isnan(stored[:, 0])
        similarities = np.asarray(vectors @ stored[is_there].T, np.float32)
        return similarities, np.broadcast_to(among[is_there], similarities.shape)


def _best(answers: Sequence[Answer], k: int) -> Answer:
    """Merge answers (n, m1), (n, m2), … for the same probes to the best k of all: (n, min(k, m1 + m2 + …))."""
    similarities = np.concatenate([each for each, _ in answers], axis=1)
    keys = np.concatenate([each for _, each in answers], axis=1)
    order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarities, order, axis=1), np.take_along_axis(keys, order, axis=1)


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(first, min(first + size, count)) for first in range(0, count, size))


def _one_of(keys: Keys) -> str:
    return f"{KEY} in {keys.tolist()}"
