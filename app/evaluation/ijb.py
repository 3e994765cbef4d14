"""The template protocol of IJB-B and IJB-C: the mean of a medium's faces, and the mean direction of its media. Pure.

Maze et al., "IARPA Janus Benchmark - C: Face Dataset and Protocol" (ICB 2018); the averaging is that of InsightFace's
evaluation.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import REPLICATES, Estimate, Figures, estimates, pair_weights, supported_replicates
from app.evaluation.curves import Comparisons, RocCurve
from app.evaluation.ijb_lists import Ids, TemplateSet
from app.evaluation.protocols import people_of
from app.evaluation.report import Report, rates
from app.evaluation.values import Advance, Doubles, Ints, normalise, number_names
from app.evaluation.verification import figures_of
from app.types import Floats

_BLOCK = 100_000  # pairs that are compared at once


@dataclass(frozen=True, slots=True)
class TemplateResult:
    """Similarities of the pairs (p,), NaN if a template has no face; the curve over all thresholds, and its figures."""

    similarities: Doubles
    curve: RocCurve
    estimates: dict[str, Estimate]
    people: int


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


def compare_templates(
    vectors: Floats, faces: TemplateSet, *, replicates: int = REPLICATES, advance: Advance = lambda _: None
) -> TemplateResult:
    """Compare the pairs of a set by the vectors (n, d) of its faces.

    If one of the templates of a pair has no face, a genuine pair counts as rejected at every threshold, and an impostor
    pair is excluded. `advance` is called with the number of replicates; there are fewer for more pairs.
    """
    ids, pooled = pool(vectors, faces.templates, faces.media)
    first, second = np.searchsorted(ids, faces.pairs).T
    similarities = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarities[block] = np.einsum("pd,pd->p", pooled[first[block]], pooled[second[block]])
    is_compared = np.isfinite(similarities)
    genuine, impostor = faces.is_same, ~faces.is_same & is_compared
    comparisons = Comparisons(np.where(is_compared, similarities, -np.inf)[genuine], similarities[impostor])
    people = template_people(faces)
    one, other = people[first], people[second]

    def curve_of(multiplicities: Doubles) -> RocCurve:
        weights = [pair_weights(multiplicities, one[kind], other[kind]) for kind in (genuine, impostor)]
        return comparisons.curve(*weights)

    def figures(multiplicities: Doubles) -> Figures:
        return figures_of(curve_of(multiplicities))

    count, replicates = int(people.max()) + 1, supported_replicates(replicates, len(similarities))
    with_intervals = estimates(figures, people=count, replicates=replicates, advance=advance)
    return TemplateResult(similarities, curve_of(np.ones(count)), with_intervals, count)


def template_people(faces: TemplateSet) -> Ints:
    """Return the number of the person of each template (t,), in ascending order of the ids of templates.

    The lists do not name people. Templates that genuine pairs connect, directly or over others, are of one person.
    """
    rows = [(int(one), int(other), True) for one, other in faces.pairs[faces.is_same]]
    roots = people_of(rows)
    return number_names([roots.get(template, template) for template in np.unique(faces.templates).tolist()])


def report_of(result: TemplateResult, faces: TemplateSet) -> Report:
    """Return the figures, their intervals by person, and the counts of a report."""
    is_compared = np.isfinite(result.similarities)
    figures = rates(result.estimates, result.curve, impostors=int((~faces.is_same & is_compared).sum()))
    return {
        **figures,
        "tar_at_far": dict(reversed(figures["tar_at_far"].items())),  # the lowest FAR first, as papers print it
        "pairs": {
            "genuine": int(faces.is_same.sum()),
            "impostor": int((~faces.is_same).sum()),
            "not_compared": int((~is_compared).sum()),
        },
        "people": result.people,
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
