"""Operations on identities apart from faces: create empty, rename, delete all (CompreFace only).

Elsewhere an identity is created with its first face and deleted with its last one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from app.database import audit, outbox
from app.database.audit import Action
from app.database.tables import CollectionTable, EnrollmentTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import IdentityExists
from app.gallery.store import change_log, people_events, rows
from app.gallery.store.binding import rebind
from app.gallery.store.people_events import ChangeReason
from app.gallery.store.values import Collection, Person, RemovalResult


@dataclass(frozen=True, slots=True)
class Example:
    """A face and its owner."""

    face_id: str
    identity_id: str


@dataclass(frozen=True, slots=True)
class Examples:
    """Some faces of a listing that has `total`."""

    items: list[Example]
    total: int


@dataclass(frozen=True, slots=True)
class ClearResult:
    """The result of emptying a collection; `revision` is its new revision."""

    identities: int
    faces: int
    revision: int


class SubjectRepository:
    """Identities apart from their faces. Every method is one transaction."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        """Without a vault, templates are not encrypted."""
        self._writing = engine
        self._vault = vault or Vault(engine)
        self._emptying = engine.execution_options(has_time=True)  # millions of faces take a while
        self._reading = engine.execution_options(is_reader=True)

    def ids(self, collection: Collection) -> list[str]:
        """Return the ids of all identities in the order of creation, including those without faces."""
        query = select(IdentityTable.identity_id).where(IdentityTable.collection_id == collection.key)
        with self._reading.connect() as connection:
            return list(connection.scalars(query.order_by(IdentityTable.id)))

    def has(self, collection: Collection, identity_id: str) -> bool:
        """Return whether an identity of this id exists."""
        with Session(self._reading) as session:
            return rows.identity(session, collection, identity_id) is not None

    def examples(self, collection: Collection, *, start: int, limit: int, identity_id: str | None = None) -> Examples:
        """Return at most `limit` faces from number `start` (from 0) on, of all people or of one (none if unknown).

        Writes between two calls shift the numbers; the cursors of `ListingRepository.faces` are stable.
        """
        chosen = FaceTable.collection_id == collection.key
        joined = FaceTable.identity_key == IdentityTable.id
        counted = select(func.count()).select_from(FaceTable).where(chosen)
        query = select(FaceTable.face_id, IdentityTable.identity_id).join(IdentityTable, joined).where(chosen)
        if identity_id is not None:
            counted = counted.join(IdentityTable, joined).where(IdentityTable.identity_id == identity_id)
            query = query.where(IdentityTable.identity_id == identity_id)
        with self._reading.connect() as connection:
            total = connection.scalar(counted) or 0
            read = connection.execute(query.order_by(FaceTable.id).offset(start).limit(limit))
            return Examples([Example(row.face_id, row.identity_id) for row in read], total)

    def create(self, collection: Collection, person: Person) -> int:
        """Create an identity without faces and return the collection's revision; raises IdentityExists."""
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            if rows.identity(session, collection, person.identity_id) is not None:
                raise _taken(collection, person.identity_id)
            rows.identity_row(session, collection, person, datetime.now(UTC))
            _count(session, collection, identities=1)
            event = people_events.added(collection, person.identity_id, (), ChangeReason.ENROLLED, is_new=True)
            outbox.append(session, event)
            audit.append(session, Action.IDENTITY_CREATED, collection=collection.name, subject=person.identity_id)
            return revision

    def rename(self, collection: Collection, identity_id: str, new_id: str) -> int:
        """Give an identity another id and return the collection's revision; raises IdentityUnknown, IdentityExists.

        Raises SealBroken if one of its faces was edited.
        A name equal to the old id becomes the new id. Stored answers of enrollments move too, to be deleted with it.
        """
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            identity = rows.identity(session, collection, identity_id)
            if identity is None:
                raise rows.nobody(collection, identity_id)
            if rows.identity(session, collection, new_id) is not None:
                raise _taken(collection, new_id)
            session.execute(
                update(EnrollmentTable)
                .where(EnrollmentTable.collection_id == collection.key, EnrollmentTable.identity_id == identity_id)
                .values(identity_id=new_id)
            )
            keys = session.scalars(select(FaceTable.id).where(FaceTable.identity_key == identity.id)).all()
            rebind(session, self._vault, keys, new_id)
            identity.identity_id = new_id
            if identity.name == identity_id:
                identity.name = new_id
            identity.updated_at = datetime.now(UTC)
            session.flush()
            change_log.append_faces_of(session, collection, revision, identity, now=identity.updated_at)
            people_events.append_rename(session, collection, identity_id, new_id)
            audit.append(
                session,
                Action.IDENTITY_RENAMED,
                collection=collection.name,
                subject=identity_id,
                detail={"to": new_id},
            )
            return revision

    def remove_face(self, collection: Collection, face_id: str) -> tuple[Example, RemovalResult]:
        """Delete a face and keep its identity, even without any face; raises FaceUnknown."""
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            face = rows.face(session, collection, face_id)
            if face is None:
                raise rows.no_face(collection, face_id)
            identity = session.get_one(IdentityTable, face.identity_key)
            example, key = Example(face_id, identity.identity_id), face.id
            identity.updated_at = datetime.now(UTC)
            session.delete(face)
            session.flush()
            answers = rows.forget_answers(session, collection, example.identity_id)
            _count(session, collection, faces=-1)
            change_log.append(session, collection, revision, [key], is_removal=True, now=identity.updated_at)
            people_events.append_removal(
                session, collection, example.identity_id, [face_id], ChangeReason.DELETED, is_whole=False
            )
            noted = audit.append(
                session,
                Action.FACE_DELETED,
                collection=collection.name,
                subject=example.identity_id,
                detail={"face": face_id, "is_last": False},
            )
            now = identity.updated_at
            return example, RemovalResult(
                [key],
                revision,
                example.identity_id,
                [face_id],
                is_whole=False,
                answers=answers,
                noted=noted,
                at=now,
            )

    def clear(self, collection: Collection) -> ClearResult:
        """Delete all identities with their faces and the answers about them; the collection stays."""
        with Session(self._emptying) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            keys = session.scalars(select(FaceTable.id).where(FaceTable.collection_id == collection.key)).all()
            of_identities = IdentityTable.collection_id == collection.key
            identities = session.scalar(select(func.count()).select_from(IdentityTable).where(of_identities)) or 0
            for table in (FaceTable, IdentityTable, EnrollmentTable):
                session.execute(delete(table).where(table.collection_id == collection.key))
            _count(session, collection, identities=-identities, faces=-len(keys))
            change_log.append(session, collection, revision, keys, is_removal=True, now=datetime.now(UTC))
            people_events.replace_all(session, collection, ChangeReason.CLEARED, identities=identities, faces=len(keys))
            audit.append(
                session,
                Action.COLLECTION_CLEARED,
                collection=collection.name,
                detail={"identities": identities, "faces": len(keys)},
            )
            return ClearResult(identities, len(keys), revision)


def _taken(collection: Collection, identity_id: str) -> IdentityExists:
    return IdentityExists(f"collection {collection.name!r} already has an identity {identity_id!r}")


def _count(session: Session, collection: Collection, *, identities: int = 0, faces: int = 0) -> None:
    session.execute(
        update(CollectionTable)
        .where(CollectionTable.id == collection.key)
        .values(identities=CollectionTable.identities + identities, faces=CollectionTable.faces + faces)
    )
