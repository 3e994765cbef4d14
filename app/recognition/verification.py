"""Verification (1:1): compare a probe photo with a reference photo or an enrolled identity."""

from dataclasses import dataclass

from app.errors import NoFace
from app.gallery.gallery import Gallery
from app.gallery.store.values import Collection
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.decisions.matching import candidate, template
from app.recognition.decisions.policy import Outcome, Policy, PolicyOf, Rule
from app.recognition.decisions.reference_population import ReferencePopulation, reference_population
from app.recognition.decisions.scoring import similarity_of
from app.recognition.decisions.similarity_view import SimilarityView
from app.recognition.decisions.stated_rates import UNKNOWN, StatedRate
from app.recognition.retry_on_migration import retry_on_migration
from app.vision.quality import Quality


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """A face of a photo, and how usable it is."""

    face: Face
    quality: Quality


@dataclass(frozen=True, slots=True)
class Verification:
    """`similarity` (cosine, -1..1) against `threshold`; the reference is a face of a photo or an enrolled identity.

    `similarity` and `reference_face_id` are None, and `fmr` is UNKNOWN, if the caller may not see them
    (`SimilarityView`). `fmr` is the share of other people at least as similar to this reference. `is_poor` means that a
    face is below the collection's minimum quality. For an identity, `reference_face_id` is the nearest face, and
    `reference_faces` the number of compared faces. `model` is the network, `population` the origin of
    the rates.
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


class VerificationService:
    """See `verify_photo` and `verify_identity`. In a photo with several faces the most prominent one counts."""

    def __init__(self, analysis_of: AnalysisOf, gallery: Gallery, policy_of: PolicyOf) -> None:
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of

    def verify_photo(
        self,
        probe: bytes,
        reference: bytes,
        *,
        collection: str,
        max_fmr: float | None = None,
        threshold: float | None = None,
        is_exact: bool = True,
    ) -> Verification:
        """Compare two photos by the collection's policy, without its templates.

        If its network is not served, the default one is used. `is_exact` is for callers who may read templates; others
        get the similarity through `SimilarityView`. Raises CollectionUnknown, CalibrationMissing, or a
        PhotoRefused (also NoFace).
        """
        target = self._gallery.collection(collection)
        policy = self._policy_of(target)
        view = SimilarityView.of(policy.for_verification, is_exact=is_exact)
        rule = view.rule(policy.for_verification(max_fmr=max_fmr, threshold=threshold))
        seen = self._main_face(probe, "probe", target, policy)
        other = self._main_face(reference, "reference", target, policy)
        similarity = similarity_of(policy.vector(seen.face), policy.vector(other.face))
        is_poor = policy.is_poor(seen.quality, other.quality)
        shown = view.seen(similarity)
        verdict = _verdict(shown, rule, is_poor=is_poor)
        fmr = UNKNOWN if shown is None else policy.fmr(shown)
        model = self._analysis_of(target).model
        population = reference_population(policy, target)
        return Verification(
            verdict, shown, rule.threshold, fmr, is_poor, seen, other, model=model, population=population
        )

    @retry_on_migration
    def verify_identity(
        self,
        probe: bytes,
        identity_id: str,
        *,
        collection: str,
        max_fmr: float | None = None,
        threshold: float | None = None,
        is_exact: bool = True,
    ) -> Verification:
        """Compare a photo with an enrolled identity: with the template of all its faces; `is_exact` as above.

        Raises IdentityUnknown, CollectionUnknown, ModelMismatch, CalibrationMissing, or a PhotoRefused (also NoFace).
        """
        target = self._gallery.require(collection)
        policy = self._policy_of(target).for_probes()
        enrolled = policy.scoring.identity(self._gallery.enrolled(target, identity_id))
        faces = len(enrolled.keys)
        view = SimilarityView.of(lambda: policy.for_verification(faces), is_exact=is_exact)
        rule = view.rule(policy.for_verification(faces, max_fmr=max_fmr, threshold=threshold))
        seen = self._main_face(probe, "probe", target, policy)
        probe_vector = policy.vector(seen.face)
        found = candidate(probe_vector, enrolled, similarity_of(template(enrolled), probe_vector))
        is_poor = policy.is_poor(seen.quality)
        shown = view.seen(found.similarity)
        return Verification(
            _verdict(shown, rule, is_poor=is_poor),
            shown,
            rule.threshold,
            UNKNOWN if shown is None else policy.fmr(shown, found.faces),
            is_poor,
            seen,
            reference_face_id=None if shown is None else found.face_id,
            reference_faces=found.faces,
            model=target.model,
            population=reference_population(policy, target),
        )

    def _main_face(self, photo: bytes, role: str, collection: Collection, policy: Policy) -> JudgedFace:
        is_flipped = collection.settings.is_flip_averaged
        faces = self._analysis_of(collection).analyse(photo, is_flip_averaged=is_flipped, most=1)
        if not faces:
            raise NoFace(f"no face was found in the {role} photo")
        return JudgedFace(faces[0], policy.quality(faces[0]))


def _verdict(similarity: float | None, rule: Rule, *, is_poor: bool) -> Outcome:
    return Outcome.NO_MATCH if similarity is None else rule.outcome(similarity, is_doubtful=is_poor)
