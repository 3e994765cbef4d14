"""Consistency of an identity: which of its faces look like the others. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.matching import similarities_to_others, template_of
from app.recognition.decisions.policy import Policy
from app.types import Floats


@dataclass(frozen=True, slots=True)
class ConsistencyRule:
    """The false match rate at which a face fits the template of a person's other faces; it is a threshold.

    `fmr_of_one` applies if there is only one other face, `fmr` if there are two or more.
    """

    fmr_of_one: float
    fmr: float


ENROLLED_FACES = ConsistencyRule(1e-3, 1e-4)
"""Of 100 photos of look-alikes (the most similar of 300 strangers), 97 do not fit two others (docs/gallery.md)."""
PROBE_FACES = ConsistencyRule(1e-2, 1e-4)
"""Two photos of a probe may differ more: nobody is enrolled with them, and one photo alone would be accepted."""

_Least = Callable[[int], float]  # the least similarity to a template of so many faces

_FIRST = 3  # faces that join one by one, the most similar first: a look-alike must not join before the person's own


@dataclass(frozen=True, slots=True)
class IdentityConsistency:
    """`fits` (n,) marks the faces that look like one person.

    `similarities` (n,) compare each fitting face with the template of the faces that do not fit, and each of those with
    the template of the fitting ones. `others` (n,) is the number of faces in that template. If all faces fit, they are
    NaN and 0. If at most half of the faces fit, `is_majority` is False: it is unknown which faces are the wrong ones.
    """

    fits: NDArray[np.bool_]
    similarities: Floats
    others: NDArray[np.intp]
    is_majority: bool


def least_similarity(policy: Policy, faces: int, rule: ConsistencyRule = ENROLLED_FACES) -> float:
    """Return how similar a face of the same person is at least to a template of so many faces."""
    if policy.calibration is None:
        return policy.fallback
    return policy.for_verification(faces, max_fmr=rule.fmr_of_one if faces == 1 else rule.fmr).threshold


def assess_consistency(
    vectors: Floats, qualities: Floats, policy: Policy, *, enrolled: int = 0, rule: ConsistencyRule = ENROLLED_FACES
) -> IdentityConsistency:
    """Compare the faces of one person with each other: unit vectors (n, d) and qualities (n,), n >= 1.

    The first `enrolled` faces form the core, or else the medoid does. Faces that are similar enough to the template of
    the core join it, until none is left. Then each of them must be similar enough to the template of all others; the
    least similar face leaves first.
    """
    fits = np.zeros(len(vectors), np.bool_)
    if enrolled:
        fits[:enrolled] = True
    else:
        fits[_most_typical(vectors, qualities)] = True
    least = partial(least_similarity, policy, rule=rule)
    while (joining := _joining(vectors, qualities, fits, least)).any():
        fits |= joining
    while (leaving := _leaving(vectors, qualities, fits, least, enrolled)) is not None:
        fits[leaving] = False
    is_majority = bool(enrolled or 2 * fits.sum() > len(vectors))
    return IdentityConsistency(fits, *_across(vectors, qualities, fits), is_majority)


def _joining(vectors: Floats, qualities: Floats, fits: NDArray[np.bool_], least: _Least) -> NDArray[np.bool_]:
    """Return which faces outside the core are similar enough to it; only the most similar one for a small core."""
    size = int(fits.sum())
    similarities = np.where(fits, -np.inf, vectors @ template_of(vectors[fits], qualities[fits]))
    near: NDArray[np.bool_] = similarities >= least(size)
    if size < _FIRST:
        near &= np.arange(len(near)) == similarities.argmax()
    return near


def _leaving(vectors: Floats, qualities: Floats, fits: NDArray[np.bool_], least: _Least, enrolled: int) -> int | None:
    """Return the face that joined the core and is least similar to its other faces, or None if all are enough."""
    places = np.flatnonzero(fits)
    if len(places) <= max(enrolled, 1):
        return None
    similarities = similarities_to_others(vectors[places], qualities[places])[enrolled:]
    place = int(similarities.argmin())
    return None if similarities[place] >= least(len(places) - 1) else int(places[enrolled + place])


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
