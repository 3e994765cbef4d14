"""Moments of impostor similarities: of all pairs of people, of a sample of them, of probes against them. Pure."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.types import Floats, ImpostorMoments

_LEAST_PAIRS = 100
"""Fewer pairs say nothing of a deviation."""


def moments_of_all(vectors: Floats, person: NDArray[np.intp]) -> ImpostorMoments:
    """Return the moments of all pairs of different people, from unit vectors (n, d) and the people's numbers (n,).

    Each pair of people has the same weight, however many faces they have. No pair is computed: the sums of similarities
    and of their squares follow from the people's first and second moments.
    """
    people = int(person.max()) + 1
    weights = 1 / np.bincount(person, minlength=people)[person]
    exact = vectors.astype(np.float64)
    means = np.zeros((people, vectors.shape[1]))
    np.add.at(means, person, weights[:, None] * exact)
    second = (weights[:, None] * exact).T @ exact
    pairs = people * (people - 1)
    total = float((means.sum(axis=0) ** 2).sum() - (means**2).sum())
    squares = float((second**2).sum()) - sum(_squares_within(exact, person))
    mean = total / pairs
    return ImpostorMoments(mean, float(np.sqrt(max(squares / pairs - mean**2, 0.0))), people)


def _squares_within(vectors: NDArray[np.float64], person: NDArray[np.intp]) -> Iterable[float]:
    """Yield, for each person, the mean squared similarity of their faces, each with itself included."""
    order = np.argsort(person, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(person[order])) + 1):
        yield float(((vectors[rows] @ vectors[rows].T) ** 2).mean())


def moments_of_gallery(vectors: Floats, below: float) -> ImpostorMoments | None:
    """Return the moments of a gallery, from one face of each person (n, d); None if they are too few.

    Args:
        vectors: Unit vectors of different people.
        below: More similar pairs are left out: they look like one person who was enrolled twice.
    """
    rows, columns = np.triu_indices(len(vectors), 1)
    scores = np.asarray((vectors @ vectors.T)[rows, columns], np.float64)
    scores = scores[scores < below]
    if len(scores) < _LEAST_PAIRS:
        return None
    return ImpostorMoments(float(scores.mean()), float(scores.std()), len(vectors))
