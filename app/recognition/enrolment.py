"""Enrolment: photos of one person into the gallery."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter

from app.errors import LowQuality, NoFace, NothingEnrolled, PhotoRefused, RejectedPhoto, SeveralFaces
from app.faces import Box
from app.identities.values import Collection, NewFace, Person, Retry
from app.quality import Quality
from app.recognition.analysis import Analysis, Face
from app.recognition.gallery import Gallery
from app.recognition.policy import PolicyOf


class FaceChoice(StrEnum):
    """Which face of a photo with several is enrolled: none (`only`), or the most prominent (`largest`)."""

    ONLY = "only"
    LARGEST = "largest"


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """A face that is in the gallery now; `photo` counts from 0 in the order of the request."""

    face_id: str
    photo: int
    box: Box
    detection_score: float
    quality: Quality | None = None
    """None in an answer of before there was one, which a retry gets again."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of each photo."""

    identity_id: str
    faces: list[EnrolledFace]
    rejected: list[RejectedPhoto]


_ENROLMENT = TypeAdapter(Enrolment)


class EnrolmentService:
    """See `enrol`."""

    def __init__(self, analysis: Analysis, gallery: Gallery, policy_of: PolicyOf) -> None:
        self._analysis = analysis
        self._gallery = gallery
        self._policy_of = policy_of

    def enrol(
        self,
        photos: Sequence[bytes],
        *,
        collection: str,
        identity_id: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        choice: FaceChoice = FaceChoice.ONLY,
        idempotency_key: str | None = None,
    ) -> Enrolment:
        """Enrol one person with one or more photos, each of which is accepted or refused for itself.

        The same request with the same `idempotency_key` gets the first one's answer and changes nothing. Raises
        NothingEnrolled when no photo was accepted, CollectionUnknown, ModelMismatch, IdempotencyConflict.
        """
        target = self._gallery.require(collection)
        hashes = [hashlib.sha256(photo).hexdigest() for photo in photos]
        retry = None
        if idempotency_key is not None:
            retry = Retry(idempotency_key, _fingerprint(hashes, identity_id, name, metadata, choice))
            earlier = self._gallery.earlier_answer(target, retry)
            if earlier is not None:
                return _ENROLMENT.validate_python(earlier.earlier_answer)

        accepted, rejected = self._accepted(target, photos, choice)
        enrolment = Enrolment(identity_id or str(uuid4()), [each.described() for each in accepted], rejected)
        if not accepted:
            raise NothingEnrolled("no photo was accepted", rejected)
        if retry is not None:
            answer = _ENROLMENT.dump_python(enrolment, mode="json")
            retry = Retry(retry.idempotency_key, retry.request_sha256, answer)
        person = Person(enrolment.identity_id, name, metadata)
        written = self._gallery.add(target, person, [each.stored(hashes[each.photo]) for each in accepted], retry)
        return _ENROLMENT.validate_python(written.earlier_answer) if written.earlier_answer else enrolment

    def _accepted(
        self, collection: Collection, photos: Sequence[bytes], choice: FaceChoice
    ) -> tuple[list["_Accepted"], list[RejectedPhoto]]:
        policy = self._policy_of(collection)
        accepted: list[_Accepted] = []
        rejected: list[RejectedPhoto] = []
        for photo, data in enumerate(photos):
            try:
                faces = self._analysis.analyse(data, is_flip_averaged=collection.practice.is_flip_averaged)
                face = _chosen(faces, choice)
                quality = policy.quality(face)
                _require(quality, collection.practice.enrol_quality)
            except PhotoRefused as error:
                rejected.append(RejectedPhoto(photo, error.code, str(error)))
            else:
                accepted.append(_Accepted(str(uuid4()), photo, face, quality))
        return accepted, rejected


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A face on its way into the gallery."""

    face_id: str
    photo: int
    face: Face
    quality: Quality

    def described(self) -> EnrolledFace:
        detection = self.face.detection
        return EnrolledFace(self.face_id, self.photo, detection.box, detection.score, self.quality)

    def stored(self, image_sha256: str) -> NewFace:
        face = self.face
        return NewFace(self.face_id, face.vector, face.norm, self.quality.score, face.detection, image_sha256)


def _chosen(faces: Sequence[Face], choice: FaceChoice) -> Face:
    if not faces:
        raise NoFace("no face was found in the photo")
    if len(faces) > 1 and choice is FaceChoice.ONLY:
        raise SeveralFaces(f"the photo shows {len(faces)} faces; crop it or send face=largest")
    return faces[0]


def _require(quality: Quality, least: float) -> None:
    if quality.score < least:
        reasons = f" ({', '.join(quality.reasons)})" if quality.reasons else ""
        raise LowQuality(
            f"the face's quality is {quality.score:.2f}{reasons}; the collection takes {least:.2f} or more"
        )


def _fingerprint(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
