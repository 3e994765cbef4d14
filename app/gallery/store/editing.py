"""Edits of identities: change name and metadata, merge two identities, move faces.

Each edit increments the revision. The change log lists the faces with a new owner, so that indexes add them again to
their new person.
"""

from collections import defaultdict
from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, Row, select, update
from sqlalchemy.orm import Session

from app.database import audit, outbox
from app.database.audit import Action
from app.database.tables import CollectionTable, EnrollmentTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import PreconditionFailed
from app.gallery.store import change_log, consent, people_events, retention, rows
from app.gallery.store.binding import rebind
from app.gallery.store.people_events import ChangeReason
from app.gallery.store.records import IdentityRecord, PersonChange
from app.gallery.store.review_rows import reassign_reviews
from app.gallery.store.values import Collection, Person


@dataclass(frozen=True, slots=True)
class EditResult:
    """The result of an edit; `revision` is the collection's new revision."""

    identity_id: str
    revision: int


class EditingRepository:
    """Edits of identities. Every method is one transaction."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        """Without a vault, templates are not encrypted."""
        self._writing = engine
        self._vault = vault or Vault(engine)

    def change(
        self, collection: Collection, identity_id: str, change: PersonChange, versions: AnyOf[str] | None = None
    ) -> EditResult:
        """Change a person's name or metadata.

        Raises IdentityUnknown, and PreconditionFailed if its version is not in `versions`.
        """
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            identity = _required(session, collection, identity_id)
            if versions is not None and IdentityRecord.version_of(identity.id, identity.updated_at) not in versions:
                raise PreconditionFailed(f"identity {identity_id!r}")
            if change.has_name:
                identity.name = change.name
            if change.has_metadata:
                identity.metadata_ = dict(change.metadata or {})
            if change.has_consent:
                identity.consent = consent.stored(change.consent)
            if change.has_expires_at:
                identity.expires_at = change.expires_at
            identity.updated_at = datetime.now(UTC)
            session.flush()
            if change.has_expires_at:
                change_log.append_faces_of(session, collection, revision, identity, now=identity.updated_at)
            what = {"name": change.has_name, "metadata": change.has_metadata}
            what |= {"consent": change.has_consent, "expires_at": change.has_expires_at}
            audit.append(session, Action.IDENTITY_CHANGED, collection=collection.name, subject=identity_id, detail=what)
            return EditResult(identity_id, revision)

    def merge(self, collection: Collection, identity_id: str, into: str) -> EditResult:
        """Move all faces of one identity to another, and delete the first one.

        Raises IdentityUnknown for either, and SealBroken if a face of the first one was edited.

        `into` keeps its name and metadata, and copies the fields that it lacks. It also gets the stored answers of
        enrollments, which can still be repeated and are deleted with it.
        """
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            source, target = _required(session, collection, identity_id), _required(session, collection, into)
            if source is target:
                return EditResult(into, revision)
            now = datetime.now(UTC)
            change_log.append_faces_of(session, collection, revision, source, now=now)
            of_source = select(FaceTable.id, FaceTable.face_id).where(FaceTable.identity_key == source.id)
            faces = session.execute(of_source.order_by(FaceTable.id)).all()
            rebind(session, self._vault, [face.id for face in faces], into)
            session.execute(update(FaceTable).where(FaceTable.identity_key == source.id).values(identity_key=target.id))
            _reassign_records(session, collection, source, target)
            target.name = target.name if target.name is not None else source.name
            target.metadata_ = {**source.metadata_, **target.metadata_}
            retention.take_over(source, target)
            target.updated_at = now
            session.delete(source)
            _count(session, collection, identities=-1)
            session.flush()
            people_events.append_merge(session, collection, identity_id, into, [face.face_id for face in faces])
            audit.append(
                session,
                Action.IDENTITY_MERGED,
                collection=collection.name,
                subject=identity_id,
                detail={"into": into},
            )
            return EditResult(into, revision)

    def move_faces(self, collection: Collection, face_ids: Sequence[str], person: Person) -> EditResult:
        """Move faces to one identity, created if new; delete the former owners that have no face left.

        A new identity counts as enrolled when the former owners were, and gets the name, metadata and terms of
        `person`, so this undoes a merge. Of an existing one, it replaces those that are not None. Stored answers of
        enrollments about the former owners are deleted. Raises FaceUnknown, ConsentMissing, and SealBroken if a face
        was edited; then nothing is moved.
        """
        now = datetime.now(UTC)
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            target = rows.identity(session, collection, person.identity_id)
            moving = _by_owner(session, collection, face_ids)
            if target is not None:
                moving.pop(target.id, None)
            if not moving:
                return EditResult(person.identity_id, revision)
            sources = [session.get_one(IdentityTable, key) for key in sorted(moving)]
            enrolled_at = max(each.enrolled_at or each.updated_at for each in ([target] if target else sources))
            target, is_new = rows.identity_row(session, collection, person, now)
            target.enrolled_at = enrolled_at  # no photo was enrolled
            consent.require(session, collection, target, now)
            keys = [face.id for faces in moving.values() for face in faces]
            rebind(session, self._vault, keys, person.identity_id)
            session.execute(update(FaceTable).where(FaceTable.id.in_(keys)).values(identity_key=target.id))
            change_log.append(session, collection, revision, sorted(keys), is_removal=False, now=now)
            event = people_events.added(
                collection, person.identity_id, _ids(moving.values()), ChangeReason.MOVED, is_new=is_new
            )
            outbox.append(session, event)
            left = sum(_left(session, collection, each, moving[each.id], to=target, now=now) for each in sources)
            _count(session, collection, identities=int(is_new) - left)
            return EditResult(person.identity_id, revision)


def _by_owner(session: Session, collection: Collection, face_ids: Sequence[str]) -> dict[int, list[Row[int, str, int]]]:
    """Return the keys and ids of faces by the keys of their identities; raises FaceUnknown for any."""
    query = select(FaceTable.id, FaceTable.face_id, FaceTable.identity_key).where(
        FaceTable.collection_id == collection.key, FaceTable.face_id.in_(face_ids)
    )
    found: dict[int, list[Row[int, str, int]]] = defaultdict(list)
    for row in session.execute(query.order_by(FaceTable.id)):
        found[row.identity_key].append(row)
    known = {face.face_id for faces in found.values() for face in faces}
    for face_id in face_ids:
        if face_id not in known:
            raise rows.no_face(collection, face_id)
    return found


def _left(
    session: Session,
    collection: Collection,
    source: IdentityTable,
    faces: Sequence[Row[int, str, int]],
    *,
    to: IdentityTable,
    now: datetime,
) -> bool:
    """Record that faces have left an identity; delete it, and return True, if they were the last ones."""
    source.updated_at = now
    rows.forget_answers(session, collection, source.identity_id)
    is_last = not rows.has_faces(session, source)
    if is_last:
        reassign_reviews(session, source.id, to.id)
        session.delete(source)
        session.flush()
    people_events.append_move(session, collection, source.identity_id, to.identity_id, _ids([faces]), is_last=is_last)
    audit.append(
        session,
        Action.FACE_MOVED,
        collection=collection.name,
        subject=to.identity_id,
        detail={"faces": [face.face_id for face in faces], "from": source.identity_id},
    )
    return is_last


def _reassign_records(session: Session, collection: Collection, source: IdentityTable, target: IdentityTable) -> None:
    """Move the stored answers and the reviews about one identity to another."""
    session.execute(
        update(EnrollmentTable)
        .where(EnrollmentTable.collection_id == collection.key, EnrollmentTable.identity_id == source.identity_id)
        .values(identity_id=target.identity_id)
    )
    reassign_reviews(session, source.id, target.id)


def _ids(of: Iterable[Sequence[Row[int, str, int]]]) -> list[str]:
    return [face.face_id for faces in of for face in faces]


def _required(session: Session, collection: Collection, identity_id: str) -> IdentityTable:
    identity = rows.identity(session, collection, identity_id)
    if identity is None:
        raise rows.nobody(collection, identity_id)
    return identity


def _count(session: Session, collection: Collection, *, identities: int) -> None:
    session.execute(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(identities=CollectionTable.identities + identities)
    )
