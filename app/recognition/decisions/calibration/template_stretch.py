"""Fit of a calibration's stretch: how much further templates spread than single faces. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.calibration.error_rates import DEFAULT_STRETCH, Calibration
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale
from app.types import Floats

_PEOPLE: Final = 2000  # at most, drawn at random
_DEFAULT_WORTH: Final = 30  # people; the fit to fewer people lies nearer to the default than to what they show
_LEVELS: Final = (1e-2, 1e-3)
_MOST: Final = 0.2
_PAIR: Final = TemplateComparisons(1, 2, 2)


def fit_template_stretch(calibration: Calibration, vectors: Floats, person: NDArray[np.intp]) -> float:
    """Return the stretch of templates, from people (n,) with two or more vectors (n, d) of a `Scoring`.

    Two random faces of each person make a template. Their similarities to each other's are compared with those of the
    single faces, at the same rates.
    """
    faces = _two_faces(vectors, person)
    people = faces.shape[1]
    is_pair = np.triu(np.ones((people, people), np.bool_), 1)
    if is_pair.sum() < 1 / min(_LEVELS):
        return DEFAULT_STRETCH
    means, lengths = faces.mean(axis=0), np.linalg.norm(faces, axis=2).mean(axis=0)
    templates = means * (lengths / np.linalg.norm(means, axis=1))[:, None]
    singles = np.concatenate([(one @ other.T)[is_pair] for one in faces for other in faces])
    levels = [1 - level for level in _LEVELS]
    single, both = np.quantile(singles, levels), np.quantile((templates @ templates.T)[is_pair], levels)
    scale = TemplateScale.of(calibration, _PAIR)
    measured = float(np.mean((both - scale.centre_of_templates) / (single - scale.centre))) - 1
    share = people / (people + _DEFAULT_WORTH)
    return float(np.clip(share * measured + (1 - share) * DEFAULT_STRETCH, 0, _MOST))


def _two_faces(vectors: Floats, person: NDArray[np.intp]) -> Floats:
    """Return two random faces (2, people, d) of people who have two or more."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(person))
    order = order[np.argsort(person[order], kind="stable")]
    first = np.flatnonzero(np.diff(person[order], prepend=-1))
    counts = np.diff(first, append=len(order))
    starts = rng.permutation(first[counts >= 2])[:_PEOPLE]
    return np.stack([vectors[order[starts]], vectors[order[starts + 1]]])
