"""Overlap of two sets of photos: people who are in both under any name, and photos that are in both."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Advance, EmbeddedPhotos, Ints, Photo
from app.types import Floats

_ROWS, _COLUMNS = 512, 8192  # photos that are compared at once
_LOWEST_FMR, _HIGHEST_FMR = 1e-7, 1e-3  # a calibration states no lower rate; a higher one would name too many

Place = tuple[int, int]
"""A photo pair: the index of a photo of the first set, and that of one of the second."""


@dataclass(frozen=True, slots=True)
class SharedPerson:
    """A person of the first set who is also in the second.

    Args:
        first: Name in the first set.
        second: Name in the second set.
        similarity: That of their most similar photo pair, at most 1; NaN if they share only identical files without a
            face.
        first_photo: Photo of that pair in the first set.
        second_photo: Photo of that pair in the second set.
        pairs: Number of photo pairs at or above the threshold.
        duplicates: Number of identical files.
    """

    first: str
    second: str
    similarity: float
    first_photo: str
    second_photo: str
    pairs: int
    duplicates: int

    @property
    def is_same_name(self) -> bool:
        """Return whether the person has one name in both sets."""
        return self.first == self.second


@dataclass(slots=True)
class _Match:
    """The most similar photo pair of two people (`place`, `similarity`), and the numbers of their pairs."""

    place: Place
    similarity: float = float("nan")
    pairs: int = 0
    duplicates: int = 0


def by_chance(comparisons: int) -> float:
    """Return the FMR at which one false match is expected among this number of comparisons, from 1e-7 to 1e-3."""
    return min(max(1 / max(comparisons, 1), _LOWEST_FMR), _HIGHEST_FMR)


def find_duplicates(first: Sequence[Photo], second: Sequence[Photo], advance: Advance = lambda _: None) -> list[Place]:
    """Return the photo pairs with identical bytes."""
    known: dict[bytes, list[int]] = {}
    for index, photo in enumerate(first):
        known.setdefault(hashlib.sha256(photo.read()).digest(), []).append(index)
        advance(1)
    places = []
    for index, photo in enumerate(second):
        places += [(other, index) for other in known.get(hashlib.sha256(photo.read()).digest(), ())]
        advance(1)
    return places


def find_shared(
    first: EmbeddedPhotos,
    second: EmbeddedPhotos,
    threshold: float,
    duplicates: Sequence[Place] = (),
    advance: Advance = lambda _: None,
) -> list[SharedPerson]:
    """Return the people who are in both sets: their photos reach the threshold, or are identical. Most similar first.

    Args:
        first: First set.
        second: Second set.
        threshold: Lowest similarity of two photos of one person.
        duplicates: Photo pairs with identical bytes.
        advance: Is called with the number of photo pairs compared since its last call.

    Photo pairs are compared in blocks, so memory does not grow with their number.
    """
    ours, theirs = first.people.tolist(), second.people.tolist()
    matches: dict[Place, _Match] = {}
    for row, column in duplicates:
        matches.setdefault((ours[row], theirs[column]), _Match((row, column))).duplicates += 1
    for rows, columns, similarities in _similar(first, second, threshold, advance):
        for row, column, similarity in zip(rows.tolist(), columns.tolist(), similarities.tolist(), strict=True):
            match = matches.setdefault((ours[row], theirs[column]), _Match((row, column)))
            match.pairs += 1
            if not match.similarity >= similarity:
                match.place, match.similarity = (row, column), similarity
    shared = _shared(first.photos, second.photos, matches)
    return sorted(shared, key=lambda each: -each.similarity if each.pairs else float("inf"))


def _similar(
    first: EmbeddedPhotos, second: EmbeddedPhotos, threshold: float, advance: Advance
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Yield the photo pairs at or above the threshold: indices in both sets (m,), similarities (m,)."""
    ours, theirs = np.flatnonzero(first.has_face), np.flatnonzero(second.has_face)
    left, right = (each.vectors.astype(np.float32)[places] for each, places in ((first, ours), (second, theirs)))
    for start in range(0, len(ours), _ROWS):
        for other in range(0, len(theirs), _COLUMNS):
            block = left[start : start + _ROWS] @ right[other : other + _COLUMNS].T
            rows, columns = np.nonzero(block >= threshold)
            yield ours[start + rows], theirs[other + columns], block[rows, columns]
            advance(block.size)


def _shared(first: Sequence[Photo], second: Sequence[Photo], matches: Mapping[Place, _Match]) -> Iterator[SharedPerson]:
    for match in matches.values():
        one, other = first[match.place[0]], second[match.place[1]]
        yield SharedPerson(
            one.person,
            other.person,
            min(match.similarity, 1.0),  # as the service does; NaN stays NaN
            one.name,
            other.name,
            match.pairs,
            match.duplicates,
        )
