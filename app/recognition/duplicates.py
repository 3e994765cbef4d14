"""Do the faces of an enrollment belong to somebody else already?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import Duplicate
from app.gallery.store.values import Collection, EnrolledIdentity
from app.observability.stages import stage
from app.recognition.candidates import Searchable
from app.recognition.decisions.calibration.templates import TemplateComparisons
from app.recognition.decisions.matching import candidate, template, template_of
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.scoring import similarity_of
from app.recognition.decisions.similarity_view import EXACT, SimilarityView
from app.recognition.identity_consistency import assess_consistency
from app.types import Floats

_NAMED = 3  # look-alikes at most
_NEAREST = _NAMED + 4  # people that are compared: one more, who may be the person themself, and see `candidates`


@dataclass(frozen=True, slots=True)
class _Probe:
    """Faces of an enrollment that look like one person: their template (d,), vectors (n, d) and photos (n,)."""

    template: Floats
    vectors: Floats
    photos: Sequence[int]


def find_duplicates(
    gallery: Searchable,
    collection: Collection,
    policy: Policy,
    *,
    identity_id: str,
    vectors: Floats,
    qualities: Floats,
    photos: Sequence[int],
    view: SimilarityView = EXACT,
) -> list[Duplicate]:
    """Return whom the faces of an enrollment of `identity_id` look like, the most similar first: others, not themself.

    Vectors (n, d) of the policy's scoring and qualities (n,) of photos (n,), any n. Faces that look like one person are
    compared as their template, any other face by itself. At the collection's identification error rate for the
    enrollment as a whole. Similarities are as `view` rounds them.
    """
    if not len(vectors):
        return []
    probes = _probes(vectors, qualities, photos, policy)
    with stage("search"):
        near = gallery.nearest_identities(collection, np.stack([each.template for each in probes]), _NEAREST)
    count = collection.identities * len(probes)
    found: dict[str, Duplicate] = {}
    for person in map(policy.scoring.identity, near):
        similar = [_duplicate(probe, person, policy, count, view) for probe in probes]
        best = max((each for each in similar if each is not None), key=lambda each: each.similarity, default=None)
        if best is not None and person.identity_id != identity_id:
            found[person.identity_id] = best
    return sorted(found.values(), key=lambda each: -each.similarity)[:_NAMED]


def _probes(vectors: Floats, qualities: Floats, photos: Sequence[int], policy: Policy) -> list[_Probe]:
    fits = assess_consistency(vectors, qualities, policy).fits
    groups = [np.flatnonzero(fits), *np.flatnonzero(~fits)[:, None]]
    return [
        _Probe(template_of(vectors[group], qualities[group]), vectors[group], [photos[place] for place in group])
        for group in groups
    ]


def _duplicate(
    probe: _Probe, person: EnrolledIdentity, policy: Policy, count: int, view: SimilarityView
) -> Duplicate | None:
    """Return a person as a duplicate of a probe, with the most similar photo; None if they are not similar enough."""
    other = template(person)
    similarity = similarity_of(probe.template, other)
    comparisons = TemplateComparisons(count, len(person.keys), len(probe.vectors))
    if similarity < policy.for_identification(comparisons).threshold:
        return None
    photo = probe.photos[int((probe.vectors @ other).argmax())]
    found = candidate(probe.template, person, view.rounded(similarity))
    fpir = policy.fpir(found.similarity, comparisons)
    return Duplicate(photo, found.identity_id, found.face_id, found.faces, found.similarity, fpir.value, fpir.range)
