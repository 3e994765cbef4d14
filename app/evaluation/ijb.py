"""The template protocol of IJB-B and IJB-C: faces are averaged by medium, media to a template. Pure.

Maze et al., "IARPA Janus Benchmark - C: Face Dataset and Protocol" (ICB 2018); the averaging is that of InsightFace's
evaluation.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import Estimate
from app.evaluation.curves import Comparisons, RocCurve
from app.evaluation.ijb_lists import Ids, TemplateSet
from app.evaluation.report import Report, rates
from app.evaluation.values import Bools, Doubles, Ints, normalise
from app.evaluation.verification import figures_of
from app.types import Floats

_BLOCK = 100_000  # pairs that are compared at once


@dataclass(frozen=True, slots=True)
class TemplateResult:
    """Similarities of the pairs (p,), NaN where a template has no face, and the curve over all thresholds."""

    similarities: Doubles
    curve: RocCurve


def pool(vectors: Floats, templates: Ids, media: Ids) -> tuple[Ids, Doubles]:
    """Return the ids (t,), ascending, and unit vectors (t, d) of the templates of face vectors (n, d).

    A medium is the mean of its faces, a template the mean direction of its media. Faces with NaN, which could not be
    embedded, are left out; a template without any is NaN.
    """
    ids = np.unique(templates)
    is_usable = np.isfinite(vectors).all(axis=1)
    usable, owners = vectors[is_usable], np.stack([templates[is_usable], media[is_usable]], axis=1)
    table = np.full((len(ids), vectors.shape[1]), np.nan)
    if len(usable):
        groups, means = _means(usable, owners)
        owned, directions = _means(means, groups[:, :1])
        table[np.searchsorted(ids, owned[:, 0])] = directions
    return ids, normalise(table)


def compare_templates(vectors: Floats, faces: TemplateSet) -> TemplateResult:
    """Compare the pairs of a set by the vectors (n, d) of its faces.

    A genuine pair without two templates counts as rejected at every threshold, an impostor pair is excluded.
    """
    ids, pooled = pool(vectors, faces.templates, faces.media)
    first, second = np.searchsorted(ids, faces.pairs).T
    similarities = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarities[block] = np.einsum("pd,pd->p", pooled[first[block]], pooled[second[block]])
    return TemplateResult(similarities, _curve(similarities, faces.is_same))


def report_of(result: TemplateResult, faces: TemplateSet) -> Report:
    """Return the figures and counts of a report. Intervals by person are missing, because people have no names."""
    is_compared = np.isfinite(result.similarities)
    estimates = {name: Estimate(value, None) for name, value in figures_of(result.curve).items()}
    figures = rates(estimates, result.curve, impostors=int((~faces.is_same & is_compared).sum()))
    return {
        **figures,
        "tar_at_far": dict(reversed(figures["tar_at_far"].items())),  # the lowest FAR first, as papers print it
        "pairs": {
            "genuine": int(faces.is_same.sum()),
            "impostor": int((~faces.is_same).sum()),
            "not_compared": int((~is_compared).sum()),
        },
        "templates": len(np.unique(faces.templates)),
        "media": len(np.unique(np.stack([faces.templates, faces.media], axis=1), axis=0)),
    }


def _means(vectors: Floats | Doubles, groups: Ids) -> tuple[Ids, Doubles]:
    """Return the distinct rows of `groups` (n, k), sorted, and the mean of the vectors (n, d) of each."""
    keys, numbers, counts = np.unique(groups, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(numbers.ravel(), kind="stable")
    starts: Ints = np.cumsum(counts) - counts
    sums = np.add.reduceat(vectors[order], starts, axis=0, dtype=np.float64)
    return keys, sums / counts[:, None]


def _curve(similarities: Doubles, is_same: Bools) -> RocCurve:
    is_compared = np.isfinite(similarities)
    genuine = np.where(is_compared, similarities, -np.inf)[is_same]
    impostor = similarities[~is_same & is_compared]
    return Comparisons(genuine, impostor).curve(np.ones(len(genuine)), np.ones(len(impostor)))
