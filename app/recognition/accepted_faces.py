"""Accepted faces: photos that passed the quality check, on their way into the gallery."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.database.cipher import Sealed
from app.gallery.store.binding import crop_context
from app.gallery.store.crops import CropSealer
from app.gallery.store.values import Collection, NewFace, Person
from app.recognition.analysis import Face
from app.recognition.decisions.policy import Policy
from app.recognition.liveness.decisions import LivenessDecision
from app.recognition.screening import NewFaces
from app.types import Box, LivenessMode
from app.vision.quality import Quality


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """A face that is in the gallery now; `photo` counts from 0 in the order of the request."""

    face_id: str
    photo: int
    box: Box
    detection_score: float
    quality: Quality | None = None
    """None in a stored answer of an earlier version."""
    liveness: LivenessDecision | None = None
    """None if liveness was not checked, and in a stored answer: decisions are not stored."""


@dataclass(frozen=True, slots=True)
class AcceptedFace:
    """A face on its way into the gallery; `photo` is the number of its photo in a request.

    `is_crowd`: the photo shows more faces than are looked at. `liveness` is the decision of a check in `liveness_mode`.
    """

    face_id: str
    face: Face
    quality: Quality
    image_sha256: str
    photo: int = 0
    is_crowd: bool = False
    liveness: LivenessDecision | None = None
    liveness_mode: LivenessMode = LivenessMode.OFF

    def described(self) -> EnrolledFace:
        """Return what is answered."""
        detection = self.face.detection
        return EnrolledFace(self.face_id, self.photo, detection.box, detection.score, self.quality, self.liveness)

    def stored(self, sealed_crop: Sealed | None = None) -> NewFace:
        """Return what is stored, with the crop if it is to be kept."""
        face = self.face
        return NewFace(
            self.face_id,
            face.vector,
            face.norm,
            self.quality,
            face.detection,
            self.image_sha256,
            sealed_crop,
            self.liveness_mode,
        )


def stored_faces(
    accepted: Sequence[AcceptedFace], collection: Collection, person: Person, crops: CropSealer | None
) -> list[NewFace]:
    """Return what is stored of a person's faces, crops sealed for that person."""
    stored = []
    for each in accepted:
        context = crop_context(each.face_id, identity_id=person.identity_id, collection=collection.name)
        crop, portrait = each.face.crop, each.face.portrait
        stored.append(each.stored(None if crops is None or crop is None else crops.seal(crop, context, portrait)))
    return stored


def new_faces(accepted: Sequence[AcceptedFace], policy: Policy) -> NewFaces:
    """Return the faces as screening compares them."""
    return NewFaces(
        np.stack([policy.vector(each.face) for each in accepted]),
        np.array([each.quality.score for each in accepted], np.float32),
        [each.photo for each in accepted],
    )
