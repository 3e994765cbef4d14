"""Verification (1:1): compare a probe with a reference photo or an enrolled identity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from app.errors import PhotoRefused
from app.gallery.gallery import Gallery
from app.gallery.store.review_values import NewCandidate, ReviewOrigin
from app.gallery.store.values import Collection
from app.recognition.analysis import AnalysisOf
from app.recognition.decisions.matching import candidate, template
from app.recognition.decisions.policy import Outcome, Policy, PolicyOf, Rule
from app.recognition.decisions.reference_population import ReferencePopulation, reference_population
from app.recognition.decisions.scoring import similarity_of
from app.recognition.decisions.similarity_view import SimilarityView
from app.recognition.decisions.stated_rates import UNKNOWN, StatedRate
from app.recognition.liveness.gate import AS_SET, UNCHECKED, LivenessCheck, LivenessGate, LivenessRequest
from app.recognition.probes import JudgedFace, Probe, ProbePhoto, main_face, read_probe
from app.recognition.retry_on_migration import retry_on_migration
from app.recognition.reviews.review_queue import RecognitionUse, ReviewQueue
from app.statistics.counts import Operation


@dataclass(frozen=True, slots=True)
class Verification:
    """`similarity` (cosine, -1..1) against `threshold`; the reference is a face of a photo or an enrolled identity.

    `similarity` and `reference_face_id` are None, and `fmr` is UNKNOWN, if the caller may not see them
    (`SimilarityView`). `fmr` is the share of other people at least as similar to this reference. `is_poor` means that a
    face is below the collection's minimum quality. For an identity, `reference_face_id` is the nearest face, and
    `reference_faces` the number of compared faces. `model` is the network, `population` the origin of
    the rates. `photos` are those of the probe, if it has several; `probe` is then the best face that was used, with the
    liveness of all. `review_id` is the review of the verdict, if people decide it.
    """

    verdict: Outcome
    similarity: float | None
    threshold: float
    fmr: StatedRate
    is_poor: bool
    probe: JudgedFace
    reference: JudgedFace | None = None
    reference_face_id: str | None = None
    reference_faces: int = 1
    model: str = ""
    population: ReferencePopulation | None = None
    photos: Sequence[ProbePhoto] = ()
    review_id: str | None = None


class VerificationService:
    """See `verify_photo` and `verify_identity`. In a photo with several faces the most prominent one counts."""

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        policy_of: PolicyOf,
        *,
        gate: LivenessGate | None = None,
        reviews: ReviewQueue | None = None,
    ) -> None:
        """`reviews` gets verdicts that people decide."""
        self._reviews = reviews or ReviewQueue()
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of
        self._gate = gate or LivenessGate()

    def verify_photo(
        self,
        photos: Sequence[bytes | PhotoRefused],
        reference: bytes,
        *,
        collection: str,
        max_fmr: float | None = None,
        threshold: float | None = None,
        is_exact: bool = True,
        liveness: LivenessRequest = AS_SET,
    ) -> Verification:
        """Compare a probe (`read_probe`) with a photo by the collection's policy, without its templates.

        If its network is not served, the default one is used. `is_exact` is for callers who may read templates; others
        get the similarity through `SimilarityView`. `liveness` is about the probe, and perhaps about the reference.
        Raises CollectionUnknown, CalibrationMissing if `max_fmr` is given and the network has no calibration, the
        errors of `LivenessGate.check`, and a PhotoRefused if a photo cannot be used (NoFace) or the gate refuses it
        (PresentationAttack).
        """
        target = self._gallery.collection(collection)
        check = self._gate.check(target, Operation.VERIFY, liveness)
        policy = self._policy_of(target)
        probe = self._probe(photos, target, policy, check)
        view = SimilarityView.of(lambda: policy.for_verification(1, probe.faces), is_exact=is_exact)
        rule = view.rule(policy.for_verification(1, probe.faces, max_fmr=max_fmr, threshold=threshold))
        other = self._reference(reference, target, policy, check if liveness.is_about_reference else UNCHECKED)
        shown = view.seen(similarity_of(probe.vector, policy.vector(other.face)))
        is_poor = probe.is_poor or policy.is_poor(other.quality)
        return Verification(
            check.limited(_verdict(shown, rule, probe, is_poor=is_poor), probe.liveness, other.liveness),
            shown,
            rule.threshold,
            UNKNOWN if shown is None else policy.fmr(shown, 1, probe.faces),
            is_poor,
            probe.best,
            other,
            model=self._analysis_of(target).model,
            photos=probe.photos,
            population=reference_population(policy, target),
        )

    @retry_on_migration
    def verify_identity(
        self,
        photos: Sequence[bytes | PhotoRefused],
        identity_id: str,
        *,
        collection: str,
        max_fmr: float | None = None,
        threshold: float | None = None,
        is_exact: bool = True,
        liveness: LivenessRequest = AS_SET,
    ) -> Verification:
        """Compare a probe with an enrolled identity: with the template of all its faces; otherwise as `verify_photo`.

        Raises IdentityUnknown, and ModelMismatch also if the collection's network is not served.
        """
        started_at, target = datetime.now(UTC), self._gallery.require(collection)
        check, of_photos = self._gate.check(target, Operation.VERIFY, liveness), self._policy_of(target)
        policy = of_photos.for_probes()
        enrolled = policy.scoring.identity(self._gallery.enrolled(target, identity_id))
        faces = len(enrolled.keys)
        probe = self._probe(photos, target, of_photos, check)
        view = SimilarityView.of(lambda: policy.for_verification(faces, probe.faces), is_exact=is_exact)
        rule = view.rule(policy.for_verification(faces, probe.faces, max_fmr=max_fmr, threshold=threshold))
        found = candidate(probe.vector, enrolled, similarity_of(template(enrolled), probe.vector))
        shown = view.seen(found.similarity)
        verification = Verification(
            check.limited(_verdict(shown, rule, probe, is_poor=probe.is_poor), probe.liveness),
            shown,
            rule.threshold,
            UNKNOWN if shown is None else policy.fmr(shown, found.faces, probe.faces),
            probe.is_poor,
            probe.best,
            reference_face_id=None if shown is None else found.face_id,
            reference_faces=found.faces,
            model=target.model,
            population=reference_population(policy, target),
            photos=probe.photos,
        )
        use = RecognitionUse.of_probe(ReviewOrigin.VERIFY, started_at, photos, probe)
        return self._reviewed(target, verification, identity_id, use)

    def _reviewed(
        self, target: Collection, verification: Verification, identity_id: str, use: RecognitionUse
    ) -> Verification:
        """Open a review of a verdict that people decide."""
        similarity = verification.similarity
        if similarity is None:
            return verification
        matched = NewCandidate(identity_id, similarity, verification.reference_face_id, verification.fmr.value)
        verdict, threshold = verification.verdict, verification.threshold
        review_id = self._reviews.open_verified(target, verification.probe, verdict, matched, threshold, use)
        return replace(verification, review_id=review_id)

    def _probe(
        self, photos: Sequence[bytes | PhotoRefused], target: Collection, policy: Policy, check: LivenessCheck
    ) -> Probe:
        analysis, is_flipped = self._analysis_of(target), target.settings.is_flip_averaged
        has_portraits = self._reviews.keeps_images(target)
        probe = read_probe(
            photos, analysis, policy, is_flip_averaged=is_flipped, check=check, has_portraits=has_portraits
        )
        check.require(probe.liveness)
        return probe

    def _reference(self, photo: bytes, target: Collection, policy: Policy, check: LivenessCheck) -> JudgedFace:
        analysis, is_flipped = self._analysis_of(target), target.settings.is_flip_averaged
        face = main_face(photo, "reference", analysis, policy, is_flip_averaged=is_flipped, check=check)
        check.require(face.liveness)
        return face


def _verdict(similarity: float | None, rule: Rule, probe: Probe, *, is_poor: bool) -> Outcome:
    return Outcome.NO_MATCH if similarity is None else probe.verdict(rule.outcome(similarity, is_doubtful=is_poor))
