"""Verification (1:1): is the person in the probe photo the one in the reference photo, or the enrolled one?"""

from dataclasses import dataclass

from app.errors import NoFace
from app.recognition.analysis import Analysis, Face
from app.recognition.gallery import Gallery
from app.recognition.policy import Outcome, Policy, PolicyOf, Rule


@dataclass(frozen=True, slots=True)
class Verification:
    """`similarity` (cosine, -1..1) against `threshold`; the reference is a face of a photo or an enrolled face.

    `fmr` is the share of pairs of different people at least as similar, None where the network is not calibrated.
    """

    verdict: Outcome
    similarity: float
    threshold: float
    fmr: float | None
    probe_face: Face
    reference_face: Face | None
    reference_face_id: str | None


class VerificationService:
    """See `verify_photo` and `verify_identity`. In a photo with several faces the most prominent one counts."""

    def __init__(self, analysis: Analysis, gallery: Gallery, policy_of: PolicyOf) -> None:
        self._analysis = analysis
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
    ) -> Verification:
        """Compare two photos by the collection's policy; raises a PhotoRefused (also NoFace) or CalibrationMissing."""
        policy = self._policy_of(collection)
        rule = policy.for_verification(max_fmr=max_fmr, threshold=threshold)
        probe_face = self._main_face(probe, "probe")
        reference_face = self._main_face(reference, "reference")
        similarity = float(probe_face.vector @ reference_face.vector)
        return _decided(policy, rule, similarity, probe_face, reference_face, None)

    def verify_identity(
        self,
        probe: bytes,
        identity_id: str,
        *,
        collection: str,
        max_fmr: float | None = None,
        threshold: float | None = None,
    ) -> Verification:
        """Compare a photo with all faces of an enrolled identity: the best one counts.

        Raises IdentityUnknown, CollectionUnknown, ModelMismatch, CalibrationMissing, or a PhotoRefused (also NoFace).
        """
        target = self._gallery.require(collection)
        policy = self._policy_of(collection)
        rule = policy.for_verification(max_fmr=max_fmr, threshold=threshold)
        owners, vectors = self._gallery.templates(target, identity_id)
        probe_face = self._main_face(probe, "probe")
        similarities = vectors @ probe_face.vector
        best = int(similarities.argmax())
        return _decided(policy, rule, float(similarities[best]), probe_face, None, owners[best].face_id)

    def _main_face(self, photo: bytes, role: str) -> Face:
        faces = self._analysis.analyse(photo)
        if not faces:
            raise NoFace(f"no face was found in the {role} photo")
        return faces[0]


def _decided(
    policy: Policy, rule: Rule, similarity: float, probe: Face, reference: Face | None, face_id: str | None
) -> Verification:
    verdict, fmr = rule.outcome(similarity), policy.fmr(similarity)
    return Verification(verdict, similarity, rule.threshold, fmr, probe, reference, face_id)
