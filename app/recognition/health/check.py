"""Health check of a gallery: people enrolled twice, wrong-person faces, low-quality faces.

The check works page by page. Each identity that exists all the time is checked once, in spite of concurrent writes. The
identity with the lower id reports a pair.
"""

from collections.abc import Collection as AnyOf
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gallery.gallery import Gallery
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.values import Collection, EnrolledIdentity
from app.observability.stages import stage
from app.recognition.decisions.calibration.templates import TemplateComparisons
from app.recognition.decisions.matching import template, template_of
from app.recognition.decisions.policy import Policy, PolicyOf
from app.recognition.health import suggested_fixes
from app.recognition.health.findings import (
    Findings,
    IdentityRef,
    Lookalike,
    LowQualityFace,
    SimilarPair,
    WrongPersonFace,
)
from app.recognition.identity_consistency import IdentityConsistency, assess_consistency
from app.types import Floats

_FACES_ON_A_PAGE = 2_000
_NEAREST = 4  # people that are looked at for each identity at least, itself among them

# Share of people without a second identity who may be paired wrongly (docs/gallery.md).
_MAX_FPIR = 0.002


@dataclass(frozen=True, slots=True)
class _Examined:
    """An identity, and which of its faces have enough quality (`is_good`).

    `consistency` is that of the good faces; None without any. `core` (d,) is the template of the faces that look like
    one person; None if they are not the majority.
    """

    of: EnrolledIdentity
    is_good: NDArray[np.bool_]
    consistency: IdentityConsistency | None
    core: Floats | None

    def size(self) -> int:
        """Return the number of faces in the core."""
        return 0 if self.consistency is None else int(self.consistency.fits.sum())

    def foreign(self) -> list[int]:
        """Return the positions of faces that do not fit, or of all good ones if there is no majority."""
        found = self.consistency
        if found is None or found.fits.all():
            return []
        places = np.flatnonzero(self.is_good)
        return [int(each) for each in (places[~found.fits] if found.is_majority else places)]

    def ref(self, beside: str | None = None) -> IdentityRef:
        """Return the identity with its best face, if possible neither a wrong-person face nor `beside`."""
        return _someone(self.of, {beside, *(self.of.face_ids[place] for place in self.foreign())})


class HealthService:
    """See `check`."""

    def __init__(self, gallery: Gallery, pages: IdentityPages, policy_of: PolicyOf) -> None:
        self._gallery = gallery
        self._pages = pages
        self._policy_of = policy_of

    def check(self, collection: str, *, after: int = 0, limit: int = 50, max_fpir: float | None = None) -> Findings:
        """Look at the identities with keys above `after`, at most `limit` of them: one search for all.

        `max_fpir` is the share of people without a second identity that may be paired wrongly; None: the collection's
        own rate or threshold, or else 0.002. Raises CollectionUnknown, ModelMismatch if its network is not served,
        and CalibrationMissing if `max_fpir` is given and the network has no calibration.
        """
        target = self._gallery.require(collection)
        policy = self._policy_of(target)
        check = _Check(target, policy, max_fpir)
        check.threshold()  # raises before the work
        page = self._pages.page(target, after=after, limit=limit, faces=_FACES_ON_A_PAGE)
        with stage("examine"):
            people = [_examined(policy.scoring.identity(each), target, policy) for each in page.items]
        probes = [check.probes(each) for each in people]
        wanted = [each for part in probes for each in part]
        near = self._gallery.nearest_identities(target, np.stack(wanted), _NEAREST) if wanted else []
        with stage("examine"):
            found = Findings(len(people), sum(len(each.of.keys) for each in people), after=page.after)
            check.compare(people, probes, [policy.scoring.identity(each) for each in near], found)
        return found


def _examined(of: EnrolledIdentity, collection: Collection, policy: Policy) -> _Examined:
    is_good = of.qualities >= max(collection.settings.enroll_quality, policy.probe_quality)
    if not is_good.any():
        return _Examined(of, is_good, None, None)
    vectors, qualities = of.vectors[is_good], of.qualities[is_good]
    found = assess_consistency(vectors, qualities, policy)
    core = template_of(vectors[found.fits], qualities[found.fits]) if found.is_majority else None
    return _Examined(of, is_good, found, core)


@dataclass(frozen=True, slots=True)
class _Check:
    """The comparison of one page with everybody near."""

    collection: Collection
    policy: Policy
    max_fpir: float | None

    def comparisons(self, faces: int = 1, probes: int = 1) -> TemplateComparisons:
        """Return the comparisons of a template of `probes` faces with all identities, as if each had `faces`."""
        return TemplateComparisons(self.collection.identities, faces, probes)

    def threshold(self, faces: int = 1, probes: int = 1) -> float:
        """Return the similarity at which templates of `faces` and `probes` faces are a finding; lowest for one face."""
        comparisons = self.comparisons(faces, probes)
        return self.policy.for_identification(comparisons, max_fpir=self.max_fpir, default=_MAX_FPIR).threshold

    def probes(self, of: _Examined) -> list[Floats]:
        """Return the probes of one identity: its core, if any, then each wrong-person face."""
        cores = [] if of.core is None else [of.core]
        return [*cores, *(of.of.vectors[place] for place in of.foreign())]

    def compare(
        self, people: list[_Examined], probes: list[list[Floats]], near: list[EnrolledIdentity], found: Findings
    ) -> None:
        """Add to `found` what is wrong with people, given their probes and everybody near any of them."""
        templates = np.stack([template(each) for each in near]) if near else None
        examined = {each.of.identity_id: each for each in people}
        others = [examined.get(each.identity_id) or _examined(each, self.collection, self.policy) for each in near]
        for each, searched in zip(people, probes, strict=True):
            if templates is not None and searched:
                found.pairs.extend(self._pairs(each, others))
                rest = searched if each.core is None else searched[1:]
                if rest:
                    found.foreign.extend(self._foreign(each, np.clip(np.stack(rest) @ templates.T, -1, 1), near))
            found.poor.extend(self._poor(each))

    def _pairs(self, of: _Examined, others: list[_Examined]) -> list[SimilarPair]:
        later = [each for each in others if each.core is not None and each.of.identity_id > of.of.identity_id]
        if of.core is None or not later:
            return []
        similarities = np.clip(np.stack([each.core for each in later if each.core is not None]) @ of.core, -1, 1)
        return [
            self._pair(of, later[place], float(similarities[place]))
            for place in np.flatnonzero(similarities >= self.threshold())
            if similarities[place] >= self.threshold(later[place].size(), of.size())
        ]

    def _pair(self, one: _Examined, other: _Examined, similarity: float) -> SimilarPair:
        first, second = (each.ref() for each in sorted((one, other), key=lambda each: len(each.of.keys)))
        return SimilarPair(
            first,
            second,
            similarity,
            self.policy.fpir(similarity, self.comparisons(other.size(), one.size())),
            suggested_fixes.merge(self.collection.name, first.identity_id, second.identity_id),
        )

    def _foreign(self, of: _Examined, similarities: Floats, near: list[EnrolledIdentity]) -> list[WrongPersonFace]:
        places = of.foreign()
        if not places or of.consistency is None:
            return []
        alike = [self._lookalike(of.of, row, near) for row in similarities]
        # Without a majority, the faces that resemble other people are wrong. If all or none do, the case is undecided.
        is_told = of.consistency.is_majority or 0 < sum(each is not None for each in alike) < len(alike)
        good = np.flatnonzero(of.is_good).tolist()
        found = []
        for place, lookalike in zip(places, alike, strict=True):
            if not is_told or lookalike is not None or of.consistency.is_majority:
                found.append(self._foreign_face(of, place, good.index(place), lookalike, is_told=is_told))
        return found

    def _foreign_face(
        self, of: _Examined, place: int, among_good: int, lookalike: Lookalike | None, *, is_told: bool
    ) -> WrongPersonFace:
        assert of.consistency is not None  # noqa: S101 - implied by a wrong-person face
        similarity, others = float(of.consistency.similarities[among_good]), int(of.consistency.others[among_good])
        face_id, name = of.of.face_ids[place], self.collection.name
        return WrongPersonFace(
            face_id,
            of.ref(beside=face_id),
            float(of.of.qualities[place]),
            similarity,
            self.policy.fmr(similarity, others),
            others,
            not is_told,
            lookalike,
            suggested_fixes.move(name, face_id, lookalike.person.identity_id)
            if lookalike is not None
            else suggested_fixes.delete(name, face_id),
        )

    def _lookalike(self, of: EnrolledIdentity, similarities: Floats, near: list[EnrolledIdentity]) -> Lookalike | None:
        """Return the other identity that a face resembles most, or None."""
        best = next((place for place in np.argsort(-similarities) if near[place].identity_id != of.identity_id), None)
        if best is None or similarities[best] < self.threshold(len(near[best].keys)):
            return None
        similarity, comparisons = float(similarities[best]), self.comparisons(len(near[best].keys))
        return Lookalike(_someone(near[best]), similarity, self.policy.fpir(similarity, comparisons))

    def _poor(self, of: _Examined) -> list[LowQualityFace]:
        least, name = self.collection.settings.enroll_quality, self.collection.name
        is_poor = of.of.qualities < least
        return [
            LowQualityFace(
                of.of.face_ids[place],
                of.ref(beside=of.of.face_ids[place]),
                float(of.of.qualities[place]),
                least,
                suggested_fixes.photograph(name, of.of.identity_id)
                if is_poor.all()
                else suggested_fixes.delete(name, of.of.face_ids[place]),
            )
            for place in np.flatnonzero(is_poor)
        ]


def _someone(enrolled: EnrolledIdentity, beside: AnyOf[str | None] = ()) -> IdentityRef:
    """Return an identity with its best face, if possible none of `beside`."""
    best = max(
        zip(enrolled.face_ids, enrolled.qualities.tolist(), strict=True),
        key=lambda face: (face[0] not in beside, face[1]),
        default=(None, 0.0),
    )
    return IdentityRef(enrolled.identity_id, enrolled.name, len(enrolled.keys), best[0])
