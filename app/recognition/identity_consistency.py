"""Consistency of an identity: which of its faces look like the others. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.matching import template_of
from app.recognition.decisions.policy import Policy
from app.types import Floats

# A face does not fit when it looks no more like the others than so many strangers do. By measurement on half of LFW
# (docs/gallery.md).
MOST_FMR = 0.01


@dataclass(frozen=True, slots=True)
class IdentityConsistency:
    """`fits` (n,) marks the faces that look like one person.

    `similarities` (n,) compare a fitting face with the template of the others, and the reverse; `others` (n,) is the
    number of faces in that template. NaN and 0 if all faces fit. `is_majority` is False if at most half of them fit.
    Then the wrong-person faces are unknown.
    """

    fits: NDArray[np.bool_]
    similarities: Floats
    others: NDArray[np.intp]
    is_majority: bool


def least_similarity(policy: Policy, faces: int) -> float:
    """Return how similar a face of the same person is at least to a template of so many faces."""
    if policy.calibration is None:
        return policy.fallback
    return policy.for_verification(faces, max_fmr=MOST_FMR).threshold


def assess_consistency(vectors: Floats, qualities: Floats, policy: Policy, *, enrolled: int = 0) -> IdentityConsistency:
    """Compare the faces of one person with each other: unit vectors (n, d) and qualities (n,), n >= 1.

    The first `enrolled` faces form the core, or else the medoid does. Faces that are similar enough to the template of
    the core join it, until none is left.
    """
    fits = np.zeros(len(vectors), np.bool_)
    if enrolled:
        fits[:enrolled] = True
    else:
        fits[_most_typical(vectors, qualities)] = True
    while True:
        size = int(fits.sum())
        near = vectors @ template_of(vectors[fits], qualities[fits]) >= least_similarity(policy, size)
        if not (near & ~fits).any():
            break
        fits |= near
    return IdentityConsistency(fits, *_across(vectors, qualities, fits), bool(enrolled or 2 * size > len(vectors)))


def _most_typical(vectors: Floats, qualities: Floats) -> int:
    """Return the medoid (highest summed similarity); ties go to the higher quality."""
    weights = qualities + np.float32(1e-3)
    sums = vectors @ (weights @ vectors) - weights
    return int(np.lexsort((-qualities, -np.round(sums, 5)))[0])


def _across(vectors: Floats, qualities: Floats, fits: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.intp]]:
    """Return the similarity of each face to the template of the other side, and of how many faces that is."""
    inside = int(fits.sum())
    if inside == len(fits):
        return np.full(len(fits), np.nan, np.float32), np.zeros(len(fits), np.intp)
    to_core = vectors @ template_of(vectors[fits], qualities[fits])
    to_rest = vectors @ template_of(vectors[~fits], qualities[~fits])
    return np.where(fits, to_rest, to_core).astype(np.float32), np.where(fits, len(fits) - inside, inside)
