"""Enrollment: photos of one person into the gallery."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from pydantic import TypeAdapter

from app.errors import (
    Duplicate,
    DuplicateIdentity,
    EncryptionRequired,
    LowQuality,
    NothingEnrolled,
    PhotoRefused,
    RejectedPhoto,
)
from app.gallery.gallery import Gallery
from app.gallery.store.crops import CropSealer
from app.gallery.store.enrolled import LockedCollection
from app.gallery.store.identities import Check
from app.gallery.store.values import Collection, EnrollmentResult, IdempotencyRecord, Person, Reaction, Terms
from app.recognition.accepted_faces import AcceptedFace, EnrolledFace, new_faces, stored_faces
from app.recognition.analysis import AnalysisOf
from app.recognition.decisions.policy import PolicyOf
from app.recognition.decisions.similarity_view import EXACT, ROUNDED
from app.recognition.enrollment_records import idempotency_record, optional_parts
from app.recognition.face_choice import FaceChoice, chosen_face
from app.recognition.liveness.gate import AS_SET, LivenessGate, LivenessRequest
from app.recognition.retry_on_migration import retry_on_migration
from app.recognition.screening import Mismatch, Reactions, ScreeningResult, screen, screen_again
from app.statistics.counts import Operation
from app.vision.quality import Quality


@dataclass(frozen=True, slots=True)
class Enrollment:
    """Result of each photo, similar identities, and faces unlike the identity's others.

    `is_truncated`: a photo showed more faces than are looked at.
    """

    identity_id: str
    faces: list[EnrolledFace]
    rejected: list[RejectedPhoto]
    duplicates: list[Duplicate] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    is_truncated: bool = False


class AlsoWritten(Protocol):
    """A further change in the transaction of an enrollment."""

    def __call__(self, locked: LockedCollection, *, enrollment: Enrollment) -> None:
        """Make the change; an error prevents the enrollment."""


_ENROLLMENT = TypeAdapter(Enrollment)
_NOT_STORED = {"faces": {"__all__": {"liveness"}}}
_AS_USUAL = Reactions()
_NO_TERMS = Terms()


class EnrollmentService:
    """See `enroll`."""

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        policy_of: PolicyOf,
        *,
        crops: CropSealer | None = None,
        gate: LivenessGate | None = None,
    ) -> None:
        """`crops` seals the crops of collections that keep them; these take nobody without it."""
        self._gate = gate or LivenessGate()
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of
        self._crops = crops

    @retry_on_migration
    def enroll(  # noqa: PLR0913 - what an enrollment may say
        self,
        photos: Sequence[bytes | PhotoRefused],
        *,
        collection: str,
        identity_id: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        terms: Terms = _NO_TERMS,
        choice: FaceChoice = FaceChoice.MAIN,
        idempotency_key: str | None = None,
        reactions: Reactions = _AS_USUAL,
        is_exact: bool = True,
        liveness: LivenessRequest = AS_SET,
    ) -> Enrollment:
        """Enroll one person with one or more photos, each of which is accepted or refused for itself.

        A photo that could not be read is passed as its error. `reactions` to faces that resemble other people take
        precedence over the collection's. `is_exact` is for callers who may read templates; others get similarities
        through `SimilarityView`. The same request with the same `idempotency_key` gets the first answer and changes
        nothing. Raises NothingEnrolled if no photo was accepted, DuplicateIdentity, ConsentMissing, CollectionUnknown,
        ModelMismatch, IdempotencyConflict, the errors of `LivenessGate.check`, and EncryptionRequired if the
        collection keeps crops without encryption.
        """
        target = self._gallery.require(collection)
        self._sealing(target)  # before the work, like the next one
        self._gate.check(target, Operation.ENROLL, liveness)
        hashes = [_sha256(photo) for photo in photos]
        retry = None
        if idempotency_key is not None:
            options = optional_parts(reactions, terms, liveness, is_exact=is_exact)
            retry = idempotency_record(idempotency_key, (hashes, identity_id, name, metadata), choice, options)
            earlier = self._gallery.earlier_answer(target, retry)
            if earlier is not None:
                return _ENROLLMENT.validate_python(earlier.earlier_answer)

        accepted, rejected = self._accepted(target, photos, hashes, choice, liveness)
        person = Person(identity_id or str(uuid4()), name, metadata, terms)
        do = reactions.within(target.settings)
        return self.enroll_accepted(target, person, accepted, rejected, retry, do=do, is_exact=is_exact)

    def enroll_accepted(
        self,
        target: Collection,
        person: Person,
        accepted: list[AcceptedFace],
        rejected: list[RejectedPhoto],
        retry: IdempotencyRecord | None,
        *,
        do: Reactions,
        is_exact: bool,
        also: AlsoWritten | None = None,
    ) -> Enrollment:
        """Screen the accepted faces, then write those that pass; raises as `enroll`.

        `also` is called inside the write: what it changes is committed with the faces, and its errors prevent both.
        """
        screening = self.screen(target, person.identity_id, accepted, do, is_exact=is_exact)
        rejected = sorted([*rejected, *screening.rejected], key=lambda each: each.photo)
        accepted = [each for each in accepted if each.photo not in {each.photo for each in screening.rejected}]
        if not accepted:
            raise NothingEnrolled("no photo was accepted", rejected)
        if screening.duplicates and do.on_duplicate is Reaction.REJECT:
            return self._refused(target, screening.duplicates, retry)
        faces = [each.described() for each in accepted]
        is_truncated = any(each.is_crowd for each in accepted)
        enrollment = Enrollment(
            person.identity_id, faces, rejected, screening.duplicates, screening.mismatches, is_truncated
        )
        if retry is not None:
            retry = replace(retry, answer=_ENROLLMENT.dump_python(enrollment, mode="json", exclude=_NOT_STORED))
        check = self.check(target, person.identity_id, accepted, screening, do, is_exact=is_exact)
        if also is not None:
            check = partial(_both, check, partial(also, enrollment=enrollment))
        written = self.add(target, person, accepted, retry, check=check)
        return _ENROLLMENT.validate_python(written.earlier_answer) if written.earlier_answer else enrollment

    def accept(
        self,
        collection: Collection,
        data: bytes,
        image_sha256: str,
        choice: FaceChoice,
        liveness: LivenessRequest = AS_SET,
    ) -> AcceptedFace:
        """Analyse one photo and judge it, for a collection that is served.

        Raises a PhotoRefused if the photo cannot be used, or if the collection, the choice or the gate
        (PresentationAttack) refuses its face, and the errors of `LivenessGate.check`.
        """
        check = self._gate.check(collection, Operation.ENROLL, liveness)
        analysis = self._analysis_of(collection)
        settings = collection.settings
        faces = analysis.analyse(
            data,
            is_flip_averaged=settings.is_flip_averaged,
            most=1,
            has_portraits=settings.is_crop_kept,
            has_liveness=check.is_on,
        )
        face = chosen_face(faces, choice)
        quality = self._policy_of(collection).quality(face)
        require_quality(quality, settings.enroll_quality)
        decision = check.decide(face)
        check.require(decision)
        return AcceptedFace(
            str(uuid4()),
            face,
            quality,
            image_sha256,
            is_crowd=faces.detected > analysis.most_faces,
            liveness=decision,
            liveness_mode=check.mode,
        )

    def screen(
        self,
        collection: Collection,
        identity_id: str,
        accepted: Sequence[AcceptedFace],
        do: Reactions,
        *,
        is_exact: bool = True,
    ) -> ScreeningResult:
        """See `screening.screen`; against all that is committed now if anything may be refused."""
        if not accepted:
            return ScreeningResult([], [], [])
        revision = self._gallery.catch_up_to_latest(collection) if do.is_refusing() else None
        policy = self._policy_of(collection)
        found = screen(
            self._gallery,
            collection,
            policy,
            identity_id=identity_id,
            faces=new_faces(accepted, policy),
            do=do,
            view=EXACT if is_exact else ROUNDED,
        )
        return replace(found, revision=revision)

    def check(
        self,
        collection: Collection,
        identity_id: str,
        accepted: Sequence[AcceptedFace],
        found: ScreeningResult,
        do: Reactions,
        *,
        is_exact: bool = True,
    ) -> Check | None:
        """Return what repeats a screening inside the write: see `screening.screen_again`; None if nothing is refused.

        Flagged findings are not searched again.
        """
        if found.revision is None:
            return None
        policy = self._policy_of(collection)
        return partial(
            screen_again,
            policy=policy,
            identity_id=identity_id,
            faces=new_faces(accepted, policy),
            do=do.refusals(),
            revision=found.revision,
            view=EXACT if is_exact else ROUNDED,
        )

    def add(
        self,
        collection: Collection,
        person: Person,
        accepted: Sequence[AcceptedFace],
        retry: IdempotencyRecord | None = None,
        *,
        check: Check | None = None,
    ) -> EnrollmentResult:
        """Write what was accepted: see `Gallery.add`. Raises EncryptionRequired as `enroll` does."""
        seal = self._sealing(collection)
        return self._gallery.add(
            collection, person, stored_faces(accepted, collection, person, seal), retry, check=check
        )

    def add_people(
        self,
        collection: Collection,
        people: Sequence[tuple[Person, Sequence[AcceptedFace]]],
        *,
        check: Check | None = None,
    ) -> list[EnrollmentResult]:
        """Write what was accepted of several people: see `Gallery.add_people`. Raises as `add` does."""
        seal = self._sealing(collection)
        stored = [(person, stored_faces(accepted, collection, person, seal)) for person, accepted in people]
        return self._gallery.add_people(collection, stored, check=check)

    def _sealing(self, collection: Collection) -> CropSealer | None:
        if not collection.settings.is_crop_kept:
            return None
        if self._crops is None:
            raise EncryptionRequired
        return self._crops

    def _refused(
        self, collection: Collection, found: Sequence[Duplicate], retry: IdempotencyRecord | None
    ) -> Enrollment:
        """Raise DuplicateIdentity, unless this request was answered already and the duplicate is its own."""
        earlier = self._gallery.earlier_answer(collection, retry) if retry is not None else None
        if earlier is not None:
            return _ENROLLMENT.validate_python(earlier.earlier_answer)
        raise DuplicateIdentity(found)

    def _accepted(
        self,
        collection: Collection,
        photos: Sequence[bytes | PhotoRefused],
        hashes: Sequence[str],
        choice: FaceChoice,
        liveness: LivenessRequest,
    ) -> tuple[list[AcceptedFace], list[RejectedPhoto]]:
        accepted: list[AcceptedFace] = []
        rejected: list[RejectedPhoto] = []
        for photo, (data, image_sha256) in enumerate(zip(photos, hashes, strict=True)):
            try:
                if isinstance(data, PhotoRefused):
                    raise data
                accepted.append(replace(self.accept(collection, data, image_sha256, choice, liveness), photo=photo))
            except PhotoRefused as error:
                rejected.append(RejectedPhoto(photo, error.code, str(error)))
        return accepted, rejected


def _both(first: Check | None, second: Check, locked: LockedCollection) -> None:
    if first is not None:
        first(locked)
    second(locked)


def require_quality(quality: Quality, least: float) -> None:
    """Raise LowQuality for a face below the collection's least quality."""
    if quality.score < least:
        reasons = f" ({', '.join(quality.reasons)})" if quality.reasons else ""
        hints = "".join(f"; {each}" for each in quality.hints)
        raise LowQuality(
            f"the face's quality is {quality.score:.2f}{reasons}; the collection accepts {least:.2f} or more{hints}"
        )


def _sha256(photo: bytes | PhotoRefused) -> str:
    return hashlib.sha256(photo).hexdigest() if isinstance(photo, bytes) else photo.code
