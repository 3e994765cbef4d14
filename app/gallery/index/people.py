"""Short codes of people: the mean of each person's templates, and the templates far from it.

Only the short codes of these representatives are kept (docs/adr/0021-search-by-people.md).
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import faiss
import numpy as np

from app.gallery.index.storage.block import NOBODY, Halves, VectorBlock
from app.gallery.index.storage.codec import Codec
from app.gallery.index.storage.codes import BlockCodes
from app.gallery.index.storage.members import MemberMap
from app.gallery.index.storage.row_buffer import RowBuffer
from app.types import Floats, Keys

# A template at a lower cosine to its person's mean is a representative, too. Among five photos of a person, each is at
# 0.75 or more to their mean, and one of somebody else at 0.3.
_REPRESENTED_FROM = 0.55

# A person with more templates has no mean, because each change would read all of them: each template is a
# representative.
_MOST_OF_A_MEAN = 256

_LEAST_LENGTH = 1e-4  # of a sum of unit vectors; the direction of a shorter one is only rounding

_PEOPLE_AT_ONCE = 4096

_MOVED_AT_ONCE = 512

# The codes of a block name so many times its share of the candidates: the best ones are not spread evenly.
_SPARE = 2
_LEAST_OF_BLOCK = 16


class Representatives(NamedTuple):
    """Representatives of some people.

    `means` (m, d) are those of the people `owners` (m,). The templates `alone` (a,) represent themselves.
    `members` (n,) are all templates of the people.
    """

    owners: Keys
    means: Floats
    alone: Keys
    members: Keys


class PeopleCodes:
    """The representatives of `templates`; callers lock. Without a codec, nothing is encoded.

    A mean is stored under the number of its person. A template that represents itself is stored under its own key,
    inverted (`~key`).
    """

    def __init__(self, templates: RowBuffer, codec: Codec | None) -> None:
        self.codes = RowBuffer(
            0,
            dtype=np.float16,
            block_rows=templates.block_rows,
            new_codes=lambda: BlockCodes(codec) if codec is not None else None,
        )
        self._codec = codec
        self._templates = templates
        self._members = MemberMap()

    @classmethod
    def of(cls, templates: RowBuffer, codec: Codec | None, *, threads: int) -> "PeopleCodes":
        """Return the people of all existing templates. The codes are computed on `threads` new threads."""
        people = cls(templates, codec)
        blocks = list(templates.blocks.values())
        keys = np.concatenate([np.empty(0, np.int64), *(block.keys[: block.count] for block in blocks)])
        owners = np.concatenate([np.empty(0, np.int64), *(block.owners[: block.count] for block in blocks)])
        is_owned = owners != NOBODY
        people._members.fill(owners[is_owned], keys[is_owned])
        if codec is not None:
            people._encode_all(keys[~is_owned], threads)
        return people

    def put(self, keys: Keys, vectors: Halves, owners: Keys) -> None:
        """Add templates to `templates`, see `RowBuffer.put`."""
        is_old = self._templates.has(keys)
        former = self._leave(keys[is_old])
        self._templates.put(keys, vectors, owners)
        is_owned = owners != NOBODY
        self._members.set(owners[is_owned], keys[is_owned])
        self._refresh(np.concatenate([former, owners]), keys, keys[~is_owned])

    def remove(self, keys: Keys) -> None:
        """Remove templates from `templates`. They leave the means at once."""
        keys = self._templates.filter_present(keys)
        former = self._leave(keys)
        self._templates.remove(keys)
        self._refresh(former, keys, keys[:0])

    def has_sparse_block(self) -> bool:
        """Return whether a block of codes is less than half full."""
        return self._codec is not None and self.codes.thin_block() is not None

    def compact(self) -> None:
        """Move some codes out of a sparse block."""
        number = self.codes.thin_block()
        if number is None:
            return
        block = self.codes.blocks[number]
        keys = block.keys[max(block.count - _MOVED_AT_ONCE, 0) : block.count].copy()
        self.codes.remove(keys)
        found = self._representatives(keys[keys >= 0])
        self._put_codes(found.owners, found.means, ~keys[keys < 0])

    def near(self, probes: Floats, wanted: int, *, pool: Executor, threads: int) -> Keys | None:
        """Return the `wanted` representatives (n, wanted) that seem nearest to probes (n, d), in any order.

        Return None if the codes find fewer. The work is divided between this thread and `threads` - 1 of the pool.
        """
        if self._codec is None:
            return None
        prepared, blocks, total = self._codec.rotate(probes), list(self.codes.blocks.values()), len(self.codes)

        def scan(blocks: Sequence[VectorBlock]) -> tuple[Floats, Keys]:
            shares = [max(_LEAST_OF_BLOCK, _SPARE * -(-wanted * block.count // total)) for block in blocks]
            found = [
                block.nearest(prepared, min(share, block.count)) for block, share in zip(blocks, shares, strict=True)
            ]
            keys = [np.where(rows < 0, 0, block.keys[rows]) for block, (_, rows) in zip(blocks, found, strict=True)]
            scores = [np.where(rows < 0, -np.inf, each) for each, rows in found]
            return np.concatenate(scores, axis=1), np.concatenate(keys, axis=1)

        parts = [blocks[first::threads] for first in range(min(threads, len(blocks)))]
        work = [pool.submit(scan, each) for each in parts[1:]]
        found = [scan(parts[0]), *(each.result() for each in work)]
        scores = np.concatenate([each for each, _ in found], axis=1)
        keys = np.concatenate([each for _, each in found], axis=1)
        places = np.argpartition(-scores, wanted - 1, axis=1)[:, :wanted]
        if not np.isfinite(np.take_along_axis(scores, places, axis=1)).all():
            return None
        return np.take_along_axis(keys, places, axis=1)

    def templates_of(self, representatives: Keys) -> Keys:
        """Return the templates (n,) behind representatives (m,), ascending, each once."""
        members, _ = self._members.of(representatives[representatives >= 0])
        return np.unique(np.concatenate([members, ~representatives[representatives < 0]]))

    def best(self, probe: Floats, representatives: Keys, k: int) -> Keys:
        """Return the nearest template of each of the k people most similar to a probe (d,), best first.

        A person is as similar as the mean of the templates, or a template that represents itself.
        """
        members, whose = self._members.of(owners := representatives[representatives >= 0])
        alone = ~representatives[representatives < 0]
        vectors = self._templates.vectors(np.concatenate([members, alone]))
        similarities = vectors @ probe
        starts = np.flatnonzero(np.diff(whose, prepend=-1))
        lengths = _lengths(_sums(vectors[: len(members)], starts))
        sums = np.add.reduceat(similarities[: len(members)], starts) if len(starts) else np.empty(0, np.float32)
        nearest = np.lexsort((-similarities[: len(members)], whose))[starts]
        people = self._templates.owners(alone)
        people = np.concatenate([owners[whose[starts]], np.where(people == NOBODY, ~alone, people)])
        scores = np.concatenate([sums / np.maximum(lengths, _LEAST_LENGTH), similarities[len(members) :]])
        keys = np.concatenate([members[nearest], alone])
        order = np.lexsort((keys, -scores))
        _, first = np.unique(people[order], return_index=True)
        return keys[order[np.sort(first)[:k]]]

    def _leave(self, keys: Keys) -> Keys:
        """Remove existing templates from their people, and return the people (n,)."""
        owners = self._templates.owners(keys)
        is_owned = owners != NOBODY
        self._members.discard(owners[is_owned], keys[is_owned])
        return owners

    def _refresh(self, owners: Keys, changed: Keys, alone: Keys) -> None:
        """Encode again the people of `changed` templates, and the templates `alone`, which have no owner."""
        if self._codec is None:
            return
        people = np.unique(owners[owners != NOBODY])
        found = self._representatives(people)
        own = np.concatenate([found.alone, alone])
        touched = np.concatenate([people, ~changed, ~found.members])
        self.codes.remove(np.setdiff1d(touched, np.concatenate([found.owners, ~own])))
        is_new = np.isin(own, changed) | ~self.codes.has(~own)
        self._put_codes(found.owners, found.means, own[is_new])

    def _encode_all(self, alone: Keys, threads: int) -> None:
        people, rows = self._members.people(), self.codes.block_rows
        # FAISS has a number of threads for each thread that calls it.
        with ThreadPoolExecutor(threads, "arcid-people", faiss.omp_set_num_threads, (1,)) as pool:
            means = list(pool.map(self._block_of_means, _parts(people, rows)))
            alone = np.concatenate([alone, *(each for _, each in means)])
            others = list(pool.map(self._block_of_templates, _parts(alone, rows)))
        self.codes.adopt([block for block in (*(each for each, _ in means), *others) if block.count])

    def _block_of_means(self, people: Keys) -> tuple[VectorBlock, Keys]:
        """Return a block with the means of people (m,), and their templates (n,) that represent themselves."""
        block, alone = self.codes.new_block(), [people[:0]]
        for part in _parts(people, _PEOPLE_AT_ONCE):
            found = self._representatives(part)
            block.append(found.owners, found.means.astype(np.float16), np.full(len(found.owners), NOBODY))
            alone.append(found.alone)
        return block, np.concatenate(alone)

    def _block_of_templates(self, alone: Keys) -> VectorBlock:
        """Return a block with the codes of templates (n,) that represent themselves."""
        block = self.codes.new_block()
        for part in _parts(alone, _PEOPLE_AT_ONCE):
            block.append(~part, self._templates.vectors(part).astype(np.float16), np.full(len(part), NOBODY))
        return block

    def _put_codes(self, owners: Keys, means: Floats, alone: Keys) -> None:
        vectors = np.concatenate([means, self._templates.vectors(alone)]).astype(np.float16)
        self.codes.put(np.concatenate([owners, ~alone]), vectors)

    def _representatives(self, people: Keys) -> Representatives:
        """Return the representatives of distinct people (m,)."""
        members, whose = self._members.of(people)
        is_many = np.bincount(whose, minlength=len(people)) > _MOST_OF_A_MEAN
        keys, whose = members[~is_many[whose]], whose[~is_many[whose]]
        vectors = self._templates.vectors(keys)
        starts = np.flatnonzero(np.diff(whose, prepend=-1))
        if not len(starts):
            return Representatives(keys[:0], vectors[:0], members, members)
        means = _sums(vectors, starts)
        lengths = _lengths(means)
        means /= np.maximum(lengths, _LEAST_LENGTH)[:, None]
        is_short = lengths <= _LEAST_LENGTH
        means[is_short] = vectors[starts[is_short]]
        group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(keys)))
        cosines = np.einsum("nd,nd->n", vectors, means[group])
        is_alone = cosines < np.float32(_REPRESENTED_FROM) * _lengths(vectors)
        many = members[np.isin(members, keys, invert=True)] if is_many.any() else keys[:0]
        alone = np.concatenate([keys[is_alone], many])
        return Representatives(people[whose[starts]], means, alone, members)


def _parts(keys: Keys, size: int) -> list[Keys]:
    return [keys[first : first + size] for first in range(0, len(keys), size)]


def _sums(vectors: Floats, starts: Keys) -> Floats:
    """Return the sums (m, d) of the vectors (n, d) from each start (m,) to the next; `reduceat` takes longer."""
    counts = np.diff(starts, append=len(vectors))
    sums = vectors[starts]
    for rank in range(1, counts.max(initial=0)):
        longer = np.flatnonzero(counts > rank)
        sums[longer] += vectors[starts[longer] + rank]
    return sums


def _lengths(vectors: Floats) -> Floats:
    """Return the lengths (n,) of vectors (n, d); `numpy.linalg.norm` takes three times as long."""
    lengths: Floats = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return lengths
