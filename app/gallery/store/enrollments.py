"""Parts of the transactions that enroll and remove faces: rows, counts, change log, audit trail, stored answers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import audit, outbox
from app.database.audit import Action
from app.database.outbox import NewEvent
from app.database.tables import CollectionTable, EnrollmentTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import (
    IdempotencyConflict,
)
from app.gallery.store import change_log, consent, crops, people_events, rows
from app.gallery.store.binding import template_context
from app.gallery.store.face_quality import quality_members
from app.gallery.store.people_events import ChangeReason
from app.gallery.store.values import (
    Collection,
    EnrollmentResult,
    IdempotencyRecord,
    JsonObject,
    NewFace,
    Person,
    RemovalResult,
)
from app.types import LivenessMode
from app.wall_clock import WallClock

_REMEMBER = timedelta(hours=24)


def remembered_since(clock: WallClock) -> datetime:
    """Return the time from which stored answers count: all of them count while the clock may be wrong.

    Otherwise a request that is repeated after a jump of the clock would enroll twice.
    """
    return datetime.now(UTC) - _REMEMBER if clock.is_settled() else datetime.fromtimestamp(0, UTC)


def record_enrollments(
    session: Session,
    collection: Collection,
    revision: int,
    enrolled: Sequence[tuple[Person, EnrollmentResult]],
    now: datetime,
    *,
    is_import: bool = False,
) -> None:
    """Update the counts, the change log, the events and the audit trail. Call it last in a transaction.

    With `is_import`, all people together make one event.
    """
    keys = [key for _, written in enrolled for key in written.keys]
    session.execute(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(
            faces=CollectionTable.faces + len(keys),
            identities=CollectionTable.identities + sum(written.is_new for _, written in enrolled),
        )
    )
    change_log.append(session, collection, revision, keys, is_removal=False, now=now)
    if is_import:
        new = sum(written.is_new for _, written in enrolled)
        people_events.append_import(session, collection, identities=new, faces=len(keys))
    else:
        outbox.append(session, *(_added(collection, person, written) for person, written in enrolled))
    for person, written in enrolled:
        audit.append(
            session,
            Action.IDENTITY_ENROLLED,
            collection=collection.name,
            subject=person.identity_id,
            detail={
                "faces": [face.face_id for face in written.faces],
                "is_new": written.is_new,
                **_liveness(collection, written),
            },
        )


def _added(collection: Collection, person: Person, written: EnrollmentResult) -> NewEvent:
    face_ids = [face.face_id for face in written.faces]
    return people_events.added(collection, person.identity_id, face_ids, ChangeReason.ENROLLED, is_new=written.is_new)


def _liveness(collection: Collection, written: EnrollmentResult) -> JsonObject:
    """Return how the liveness of new faces was checked, if it was or should have been."""
    modes = {face.liveness for face in written.faces}
    if modes | {collection.settings.liveness} == {LivenessMode.OFF}:
        return {}
    return {"liveness": [mode.value for mode in LivenessMode if mode in modes]}


def write_faces(
    session: Session,
    vault: Vault,
    collection: Collection,
    revision: int,
    person: Person,
    faces: Sequence[NewFace],
    now: datetime,
) -> EnrollmentResult:
    """Store a person and new faces with their crops; raises ConsentMissing if the collection requires consent."""
    identity, is_new = rows.identity_row(session, collection, person, now)
    consent.require(session, collection, identity, now)
    new = [_face_row(session, vault, face, collection, identity, now) for face in faces]
    session.add_all(new)
    session.flush()
    keys = [row.id for row in new]
    crops.put(session, zip(keys, faces, strict=True))
    return EnrollmentResult(keys, revision, is_new=is_new, faces=faces, owner=identity.id)


def _face_row(
    session: Session, vault: Vault, face: NewFace, collection: Collection, identity: IdentityTable, now: datetime
) -> FaceTable:
    template = face.vector.astype(rows.VECTOR).tobytes()
    context = template_context(
        face.face_id, identity_id=identity.identity_id, collection=collection.name, model=collection.model
    )
    sealed = vault.seal(session, context, template)
    return FaceTable(
        face_id=face.face_id,
        collection_id=collection.key,
        identity_key=identity.id,
        model=collection.model,
        embedding=sealed.data,
        data_key_id=sealed.data_key_id,
        norm=face.norm,
        quality=face.quality.score,
        quality_members=quality_members(face.quality),
        detection_score=face.detection.score,
        box=list(face.detection.box),
        landmarks=face.detection.landmarks.tolist(),
        image_sha256=face.image_sha256,
        created_at=now,
    )


def earlier_enrollment(
    session: Session, collection: Collection, retry: IdempotencyRecord, since: datetime
) -> EnrollmentTable | None:
    """Return the stored enrollment of the same idempotency key; raises IdempotencyConflict for another request.

    `since`: older ones are forgotten; see `remembered_since`.
    """
    earlier = session.scalar(
        select(EnrollmentTable).where(
            EnrollmentTable.collection_id == collection.key,
            EnrollmentTable.idempotency_key == retry.idempotency_key,
            EnrollmentTable.created_at >= since,
        )
    )
    if earlier is not None and earlier.request_sha256 not in {retry.request_sha256, retry.former_sha256}:
        raise IdempotencyConflict("this Idempotency-Key was used for another request; use a new one")
    return earlier


def enrollment_row(collection: Collection, person: Person, retry: IdempotencyRecord, now: datetime) -> EnrollmentTable:
    """Return the row that stores the answer of an enrollment."""
    return EnrollmentTable(
        collection_id=collection.key,
        identity_id=person.identity_id,
        idempotency_key=retry.idempotency_key,
        request_sha256=retry.request_sha256,
        answer=dict(retry.answer),
        created_at=now,
    )


def record_removal(
    session: Session,
    collection: Collection,
    revision: int,
    faces: Sequence[tuple[int, str]],
    *,
    identity_id: str,
    is_whole: bool,
    action: Action,
    detail: JsonObject,
) -> RemovalResult:
    """Update the counts, the change log, the events and the audit trail after faces were deleted."""
    keys, now = [key for key, _ in faces], datetime.now(UTC)
    answers = rows.forget_answers(session, collection, identity_id)
    session.execute(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(faces=CollectionTable.faces - len(keys), identities=CollectionTable.identities - int(is_whole))
    )
    change_log.append(session, collection, revision, keys, is_removal=True, now=now)
    face_ids = [face_id for _, face_id in faces]
    reason = ChangeReason.EXPIRED if action is Action.IDENTITY_EXPIRED else ChangeReason.DELETED
    events = people_events.append_removal(session, collection, identity_id, face_ids, reason, is_whole=is_whole)
    noted = audit.append(session, action, collection=collection.name, subject=identity_id, detail=detail)
    return RemovalResult(keys, revision, identity_id, face_ids, is_whole, answers, noted, now, events=events)
