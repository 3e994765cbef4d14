"""Scored pairs of photos: all genuine ones, and the impostor ones with the highest similarities. Pure."""

from dataclasses import dataclass

import numpy as np

from app.evaluation.blocks import BINS, FaceSet, SimilarityBlock, bin_edges, bin_indices, blocks
from app.evaluation.values import Advance, Bools, Doubles, EmbeddedPhotos, Ints

_MARGIN = 1e-6  # NumPy compares in single precision


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """Pairs of photos: `similarities` (n,) descend; `first` and `second` (n,) are indices of photos.

    A pair without two faces has the similarity -inf.
    """

    similarities: Doubles
    first: Ints
    second: Ints

    def above(self, similarity: float) -> "ScoredPairs":
        """Return the pairs with at least this similarity."""
        count = int(np.searchsorted(-self.similarities, -similarity, "right"))
        return ScoredPairs(self.similarities[:count], self.first[:count], self.second[:count])


def genuine_pairs(embedded: EmbeddedPhotos) -> ScoredPairs:
    """Return all pairs of photos of one person."""
    vectors, people = embedded.vectors.astype(np.float32), embedded.people
    order = np.argsort(people, kind="stable")
    parts = []
    for own in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
        first, second = np.triu_indices(len(own), 1)
        parts.append(((vectors[own] @ vectors[own].T)[first, second], own[first], own[second]))
    similarities, first, second = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _descending(np.where(np.isnan(similarities), -np.inf, similarities), first, second)


def impostor_pairs(
    embedded: EmbeddedPhotos, *, share: float, lowest: float, advance: Advance = lambda _: None
) -> ScoredPairs:
    """Return the impostor pairs that reach `lowest`, and at least the `share` of all with the highest similarities.

    Compares all pairs twice: once to find how far the share goes, and once to collect. `advance` counts both.
    """
    indices = np.flatnonzero(embedded.has_face)
    vectors = embedded.vectors[indices].astype(np.float32)
    faces = FaceSet(vectors, embedded.people[indices], embedded.quality[indices])
    floor = min(lowest, _reached(faces, share, advance)) - _MARGIN
    parts = []
    for block in blocks(faces):
        rows, columns = np.nonzero(_is_impostor(block, faces.people) & (block.cosines >= floor))
        parts.append((block.cosines[rows, columns], indices[block.rows[rows]], indices[block.columns[columns]]))
        advance(int(block.is_new.sum()))
    similarities, first, second = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _descending(similarities, first, second)


def _reached(faces: FaceSet, share: float, advance: Advance) -> float:
    """Return a similarity that at least the share of impostor pairs reaches."""
    counts = np.zeros(BINS)
    for block in blocks(faces):
        counts += np.bincount(bin_indices(block.cosines[_is_impostor(block, faces.people)]), minlength=BINS)
        advance(int(block.is_new.sum()))
    above = counts[::-1].cumsum()[::-1]
    return float(bin_edges()[max(int(np.count_nonzero(above >= share * above[0])) - 1, 0)])


def _is_impostor(block: SimilarityBlock, people: Ints) -> Bools:
    is_impostor: Bools = (people[block.rows][:, None] != people[block.columns]) & block.is_new
    return is_impostor


def _descending(similarities: Doubles, first: Ints, second: Ints) -> ScoredPairs:
    order = np.argsort(-similarities, kind="stable")
    return ScoredPairs(similarities[order].astype(np.float64), first[order], second[order])
