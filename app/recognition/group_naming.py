"""Naming of groups of unknown faces: they are enrolled as a new person, or for somebody who is enrolled already."""

from collections.abc import Collection as AnyOf
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
from pydantic import TypeAdapter

from app.errors import GroupUnknown, IdempotencyConflict, LowQuality, NoFace, RejectedPhoto
from app.gallery.gallery import Gallery
from app.gallery.store.enrolled import LockedCollection
from app.gallery.store.unknown.group_edits import take_named
from app.gallery.store.unknown.groups import GroupReader
from app.gallery.store.unknown.values import GroupedFace
from app.gallery.store.values import Collection, IdempotencyRecord, Person, Terms
from app.recognition.accepted_faces import AcceptedFace
from app.recognition.analysis import AnalysisOf, Face
from app.recognition.enrollment import Enrollment, EnrollmentService, require_quality
from app.recognition.enrollment_records import fingerprint
from app.recognition.retry_on_migration import retry_on_migration
from app.recognition.screening import Reactions
from app.vision.quality import Measures

MOST_ENROLLED = 20
"""Faces of a group that are enrolled: the best ones. More would add little, and make searches slower."""
_UNMEASURED = Measures(0, 0, 0, 0, 0)
_ENROLLMENT = TypeAdapter(Enrollment)
_TERMS = TypeAdapter(Terms)
_AS_SET = Reactions()
_NOTHING_STORED = "the face has neither a crop nor a template of the collection's network"


@dataclass(frozen=True, slots=True)
class NamingOptions:
    """Options of a naming: reactions to faces of other people, the wanted versions of the group, exact similarities."""

    reactions: Reactions = _AS_SET
    versions: AnyOf[str] | None = None
    is_exact: bool = True


_USUAL = NamingOptions()


class GroupNamingService:
    """Enrolls groups of unknown faces: as a new person, or for an enrolled one.

    Both enroll by the rules of `EnrollmentService.enroll`: screening, consent, quality. The group is deleted in the
    same transaction, with the faces that are not enrolled because the group has more than `MOST_ENROLLED`. Faces that
    are refused stay, in no group. The same call within a day gets the first answer.

    Both raise GroupUnknown, PreconditionFailed, and the errors of `EnrollmentService.enroll`.
    """

    def __init__(
        self, gallery: Gallery, groups: GroupReader, enrollment: EnrollmentService, analysis_of: AnalysisOf
    ) -> None:
        self._gallery = gallery
        self._groups = groups
        self._enrollment = enrollment
        self._analysis_of = analysis_of

    @retry_on_migration
    def name(self, collection: str, group_id: str, person: Person, options: NamingOptions = _USUAL) -> Enrollment:
        """Enroll a group as a new person; without an id, one is made. Raises also IdentityExists."""
        own_id = person.identity_id or str(uuid4())
        new = Person(own_id, person.name, person.metadata, person.terms)
        terms = _TERMS.dump_python(person.terms, mode="json")
        asked = fingerprint("name", person.identity_id, person.name, person.metadata, terms)
        return self._enroll(collection, group_id, new, options, asked, is_new=True)

    @retry_on_migration
    def add_to(self, collection: str, group_id: str, identity_id: str, options: NamingOptions = _USUAL) -> Enrollment:
        """Enroll a group for an enrolled person. Raises also IdentityUnknown."""
        asked = fingerprint("add", identity_id)
        return self._enroll(collection, group_id, Person(identity_id), options, asked, is_new=False)

    def _enroll(
        self, collection: str, group_id: str, person: Person, options: NamingOptions, asked: str, *, is_new: bool
    ) -> Enrollment:
        target = self._gallery.require(collection)
        retry = IdempotencyRecord(f"group {group_id}", asked)
        try:
            earlier = self._gallery.earlier_answer(target, retry)
        except IdempotencyConflict as error:
            raise GroupUnknown(f"group {group_id!r} is enrolled already, for another request") from error
        if earlier is not None:
            return _ENROLLMENT.validate_python(earlier.earlier_answer)
        faces = self._groups.best_faces(target, self._groups.group(target, group_id), MOST_ENROLLED)
        accepted, rejected = self._accepted(target, faces)
        take = partial(_take, target, group_id, faces, versions=options.versions, is_new=is_new)
        do = options.reactions.within(target.settings)
        return self._enrollment.enroll_accepted(
            target, person, accepted, rejected, retry, do=do, is_exact=options.is_exact, also=take
        )

    def _accepted(
        self, collection: Collection, faces: Sequence[GroupedFace]
    ) -> tuple[list[AcceptedFace], list[RejectedPhoto]]:
        embedded = self._embedded(collection, faces)
        accepted, rejected = [], []
        for photo, each in enumerate(faces):
            try:
                require_quality(each.quality, collection.settings.enroll_quality)
            except LowQuality as error:
                rejected.append(RejectedPhoto(photo, error.code, str(error)))
                continue
            if photo in embedded:
                face = embedded[photo]
                accepted.append(AcceptedFace(each.face_id, face, each.quality, each.image_sha256, photo))
            else:
                rejected.append(RejectedPhoto(photo, NoFace.code, _NOTHING_STORED))
        return accepted, rejected

    def _embedded(self, collection: Collection, faces: Sequence[GroupedFace]) -> Mapping[int, Face]:
        """Return the faces by their places: embedded from their crops as enrolled photos are, else as stored."""
        found = {
            photo: Face(each.detection, each.vector, each.norm, _UNMEASURED)
            for photo, each in enumerate(faces)
            if each.vector is not None
        }
        crops = {photo: each.crop for photo, each in enumerate(faces) if each.crop is not None}
        if crops:
            embedded = self._analysis_of(collection).of_crops(
                np.stack(list(crops.values())),
                [faces[photo].detection for photo in crops],
                is_flip_averaged=collection.settings.is_flip_averaged,
            )
            found |= dict(zip(crops, embedded, strict=True))
        return found


def _take(
    collection: Collection,
    group_id: str,
    faces: Sequence[GroupedFace],
    locked: LockedCollection,
    *,
    enrollment: Enrollment,
    **how: Any,
) -> None:
    """Delete the group; faces that were refused stay."""
    kept = [faces[each.photo].face_id for each in enrollment.rejected]
    take_named(locked, collection, group_id, identity_id=enrollment.identity_id, kept=kept, **how)
