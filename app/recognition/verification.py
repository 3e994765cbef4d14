"""Verification (1:1): is the person in the probe photo the one in the reference photo, or the enrolled one?"""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import NoFace
from app.recognition.analysis import Analysis, Face
from app.recognition.gallery import Gallery


class Verdict(StrEnum):
    """The outcome of a verification."""

    MATCH = "match"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Verification:
    """`similarity` (cosine, -1..1) against `threshold`; the reference is a face of a photo or an enrolled face."""

    verdict: Verdict
    similarity: float
    threshold: float
    probe_face: Face
    reference_face: Face | None
    reference_face_id: str | None


class VerificationService:
    """See `verify_photo` and `verify_identity`. In a photo with several faces the most prominent one counts."""

    def __init__(self, analysis: Analysis, gallery: Gallery, *, threshold: float) -> None:
        self._analysis = analysis
        self._gallery = gallery
        self._threshold = threshold

    def verify_photo(self, probe: bytes, reference: bytes) -> Verification:
        """Compare two photos; raises a PhotoRefused, NoFace included, that names the photo."""
        probe_face = self._main_face(probe, "probe")
        reference_face = self._main_face(reference, "reference")
        similarity = float(probe_face.vector @ reference_face.vector)
        return self._decided(similarity, probe_face, reference_face, None)

    def verify_identity(self, probe: bytes, identity_id: str, *, collection: str) -> Verification:
        """Compare a photo with all faces of an enrolled identity: the best one counts.

        Raises IdentityUnknown, CollectionUnknown, ModelMismatch, or a PhotoRefused, NoFace included.
        """
        target = self._gallery.require(collection)
        owners, vectors = self._gallery.templates(target, identity_id)
        probe_face = self._main_face(probe, "probe")
        similarities = vectors @ probe_face.vector
        best = int(similarities.argmax())
        return self._decided(float(similarities[best]), probe_face, None, owners[best].face_id)

    def _main_face(self, photo: bytes, role: str) -> Face:
        faces = self._analysis.analyse(photo)
        if not faces:
            raise NoFace(f"no face was found in the {role} photo")
        return faces[0]

    def _decided(self, similarity: float, probe: Face, reference: Face | None, face_id: str | None) -> Verification:
        verdict = Verdict.MATCH if similarity >= self._threshold else Verdict.NO_MATCH
        return Verification(verdict, similarity, self._threshold, probe, reference, face_id)
