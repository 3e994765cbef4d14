"""Enrolled identities and their templates. SQL rows stay inside `app.gallery.store`; callers get values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from sqlalchemy import Connection, Engine, Row, Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.erasures import erased_since_request
from app.database.tables import CollectionTable, EnrollmentTable, FaceTable, IdentityTable
from app.database.vault import Vault
from app.errors import CollectionExists, DataKeyGone
from app.gallery.store import change_log, enrolled, retention, rows
from app.gallery.store import enrolled_photos as photos
from app.gallery.store.collection_reader import CollectionReader
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.enrolled import LockedCollection, OwnersRead
from app.gallery.store.enrollments import (
    earlier_enrollment,
    enrollment_row,
    record_enrollments,
    record_removal,
    remembered_since,
    write_faces,
)
from app.gallery.store.filters import Where, filter_faces
from app.gallery.store.values import (
    Collection,
    CollectionSettings,
    EnrolledIdentity,
    EnrollmentResult,
    FilteredFaces,
    IdempotencyRecord,
    NewFace,
    Owner,
    Person,
    RemovalResult,
    Templates,
)
from app.wall_clock import WallClock

_TEMPLATES = rows.owned(select(FaceTable.id, FaceTable.identity_key, *rows.TEMPLATE).select_from(FaceTable))
_READ_AT_ONCE = 10_000
_ASK_AT_ONCE = 500
Check = Callable[[LockedCollection], None]
_T = TypeVar("_T")


class IdentityStore:
    """Collections, identities and templates in the database. Every method is one transaction."""

    def __init__(self, engine: Engine, vault: Vault | None = None, clock: WallClock | None = None) -> None:
        """Create a store. If `vault` is None, templates are stored unencrypted."""
        self._clock = clock or WallClock()
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault or Vault(engine)
        self.reader = CollectionReader(engine)

    def create_collection(
        self,
        name: str,
        *,
        model: str,
        dimension: int,
        settings: CollectionSettings | None = None,
        index_kind: str | None = None,
    ) -> Collection:
        """Create an empty collection bound to a model; raises CollectionExists."""
        row = CollectionTable(
            uid=str(uuid4()),
            name=name,
            model=model,
            dimension=dimension,
            index_kind=index_kind,
            created_at=datetime.now(UTC),
            **asdict(settings or CollectionSettings()),
        )
        try:
            with Session(self._writing) as session, session.begin():
                session.add(row)
                session.flush()
                audit.append(session, Action.COLLECTION_CREATED, collection=name, detail={"model": model})
        except IntegrityError as error:
            raise CollectionExists(f"there is a collection {name!r} already") from error
        return self.collection(name)

    def change_settings(self, name: str, settings: CollectionSettings) -> Collection:
        """See `CollectionRepository.change`."""
        return CollectionRepository(self._writing).change(name, asdict(settings))

    def collection(self, name: str) -> Collection:
        """Return a collection; raises CollectionUnknown."""
        return self.reader.named(name)

    def collections(self) -> list[Collection]:
        """Return all collections by name."""
        return self.reader.all()

    def enroll(
        self,
        collection: Collection,
        person: Person,
        faces: Sequence[NewFace],
        retry: IdempotencyRecord | None = None,
        *,
        check: Check | None = None,
    ) -> EnrollmentResult:
        """Store faces of one person, creating the identity on its first face.

        With `retry`, a request whose key was answered within a day writes nothing and gets that answer; raises
        IdempotencyConflict if the key was used for another request. `check` is called with the collection locked,
        before the write; an error that it raises prevents the write. Raises CollectionSwitched if the collection has
        moved to another network, or changed its settings, since it was read.
        """
        now, since = datetime.now(UTC), remembered_since(self._clock)
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            rows.require_unchanged(session, collection)
            if retry is not None:
                # Only of the locked collection: writers of two collections could deadlock over old rows.
                session.execute(
                    delete(EnrollmentTable).where(
                        EnrollmentTable.collection_id == collection.key, EnrollmentTable.created_at < since
                    )
                )
                earlier = earlier_enrollment(session, collection, retry, since)
                if earlier is not None:
                    answer = dict(earlier.answer)  # before the rollback, which expires the row
                    session.rollback()
                    return EnrollmentResult((), earlier_answer=answer)
                session.add(enrollment_row(collection, person, retry, now))
            if check is not None:
                check(LockedCollection(session, self._vault, collection))
            written = write_faces(session, self._vault, collection, revision, person, faces, now)
            record_enrollments(session, collection, revision, [(person, written)], now)
            return written

    def enroll_people(
        self,
        collection: Collection,
        people: Sequence[tuple[Person, Sequence[NewFace]]],
        *,
        check: Check | None = None,
    ) -> list[EnrollmentResult]:
        """Store faces of several people, except those of photos enrolled before.

        Return the result for each person. Without new faces, nothing is written. `check` and errors are as in `enroll`.
        """
        now = datetime.now(UTC)
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            rows.require_unchanged(session, collection)
            if check is not None:
                check(LockedCollection(session, self._vault, collection))
            done: list[EnrollmentResult] = []
            erased = erased_since_request(session, collection.name, [person.identity_id for person, _ in people])
            for person, faces in people:
                if person.identity_id in erased:
                    done.append(EnrollmentResult((), revision, is_erased=True))
                    continue
                new = photos.without_known(session, collection, person.identity_id, faces)
                done.append(
                    write_faces(session, self._vault, collection, revision, person, new, now)
                    if new
                    else EnrollmentResult((), revision)
                )
            noted = [(person, each) for (person, _), each in zip(people, done, strict=True) if each.keys]
            if noted:
                record_enrollments(session, collection, revision, noted, now, is_import=True)
            else:
                session.rollback()
            return done

    def remove_identity(self, collection: Collection, identity_id: str, *, only_expired: bool = False) -> RemovalResult:
        """Delete an identity, its faces and the answers about it; raises IdentityUnknown.

        With `only_expired`, an identity that has not expired counts as unknown.
        """
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            identity = rows.identity(session, collection, identity_id)
            if identity is None or (only_expired and not retention.has_expired(session, identity, datetime.now(UTC))):
                raise rows.nobody(collection, identity_id)
            whose = select(FaceTable.id, FaceTable.face_id).where(FaceTable.identity_key == identity.id)
            faces = session.execute(whose.order_by(FaceTable.id)).all()
            session.execute(delete(FaceTable).where(FaceTable.identity_key == identity.id))
            session.delete(identity)
            removed = record_removal(
                session,
                collection,
                revision,
                [(face.id, face.face_id) for face in faces],
                identity_id=identity_id,
                is_whole=True,
                action=Action.IDENTITY_EXPIRED if only_expired else Action.IDENTITY_DELETED,
                detail={"faces": len(faces)},
            )
            return replace(removed, name=identity.name)

    def remove_face(self, collection: Collection, face_id: str) -> RemovalResult:
        """Delete one face, and with its last face the identity; raises FaceUnknown."""
        with Session(self._writing) as session, session.begin():
            revision = change_log.next_revision(session, collection)
            face = rows.face(session, collection, face_id)
            if face is None:
                raise rows.no_face(collection, face_id)
            identity = session.get_one(IdentityTable, face.identity_key)
            session.delete(face)
            session.flush()
            is_last = not rows.has_faces(session, identity)
            if is_last:
                session.delete(identity)
            else:
                identity.updated_at = datetime.now(UTC)
            removed = record_removal(
                session,
                collection,
                revision,
                [(face.id, face_id)],
                identity_id=identity.identity_id,
                is_whole=is_last,
                action=Action.FACE_DELETED,
                detail={"face": face_id, "is_last": is_last},
            )
            return replace(removed, name=identity.name)

    def earlier_answer(self, collection: Collection, retry: IdempotencyRecord) -> EnrollmentResult | None:
        """Return the stored answer of the same request, if any; raises IdempotencyConflict as `enroll` does."""
        with Session(self._reading) as session:
            earlier = earlier_enrollment(session, collection, retry, remembered_since(self._clock))
            return EnrollmentResult((), earlier_answer=dict(earlier.answer)) if earlier is not None else None

    def templates(self, collection: Collection, *, first: int = 1, last: int | None = None) -> Iterator[Templates]:
        """Yield the templates of a collection, in order of their keys, some thousand at a time.

        Keys range from `first` to `last`, both included; unreadable rows are skipped. Raises CollectionSwitched if the
        collection moves to another network.
        """
        query = _TEMPLATES.where(FaceTable.collection_id == collection.key).order_by(FaceTable.id).limit(_READ_AT_ONCE)
        if last is not None:
            query = query.where(FaceTable.id <= last)
        while True:
            with self._reading.connect() as connection:
                read = connection.execute(query.where(FaceTable.id >= first)).all()
                rows.require_unswitched(connection, collection)
            if not read:
                return
            first = read[-1].id + 1
            yield from self._sound_templates(query, read)

    def templates_of(self, keys: Sequence[int], collection: Collection | None = None) -> Iterator[Templates]:
        """Yield the templates with these keys, some hundred at a time, without deleted and unreadable rows.

        With `collection`, raises CollectionSwitched if it moves to another network.
        """
        for start in range(0, len(keys), _ASK_AT_ONCE):
            query = _TEMPLATES.where(FaceTable.id.in_(keys[start : start + _ASK_AT_ONCE]))
            with self._reading.connect() as connection:
                read = connection.execute(query).all()
                if collection is not None:
                    rows.require_unswitched(connection, collection)
            if read:
                yield from self._sound_templates(query, read)

    def enrolled(self, collection: Collection, identity_id: str) -> EnrolledIdentity:
        """Return one identity with its faces (at least one).

        Raises IdentityUnknown (also for an expired identity), and SealBroken if no face can be decrypted.
        """
        return self._read(
            lambda connection, is_last_try: enrolled.one(
                connection, self._vault, collection, identity_id, is_last_try=is_last_try
            )
        )

    def owners_with_faces(self, keys: Iterable[int]) -> list[EnrolledIdentity]:
        """Return the unexpired owners of these faces, each once and with all readable faces."""
        return self.read_owners(keys).people(datetime.now(UTC))

    def read_owners(self, keys: Iterable[int]) -> OwnersRead:
        """Return the owners of faces (as `owners_with_faces`, also expired ones), and the revision that was read."""
        wanted = set(keys)
        return self._read(
            lambda connection, is_last_try: enrolled.owners(connection, self._vault, wanted, is_last_try=is_last_try)
        )

    def owners(self, keys: Iterable[int]) -> dict[int, Owner]:
        """Return the owners of faces by key; deleted keys are left out."""
        wanted = sorted(set(keys))
        owners: dict[int, Owner] = {}
        with self._reading.connect() as connection:
            for start in range(0, len(wanted), _ASK_AT_ONCE):
                read = connection.execute(
                    select(FaceTable.id, FaceTable.face_id, FaceTable.norm, IdentityTable.identity_id)
                    .join(IdentityTable, FaceTable.identity_key == IdentityTable.id)
                    .where(FaceTable.id.in_(wanted[start : start + _ASK_AT_ONCE]))
                )
                owners |= {row.id: Owner(row.identity_id, row.face_id, row.norm) for row in read}
        return owners

    def filter_faces(self, collection: Collection, where: Where) -> FilteredFaces:
        """See `app.gallery.store.filters.filter_faces`."""
        with self._reading.connect() as connection:
            return filter_faces(connection, collection, where)

    def photos_of(self, collection: Collection, identity_id: str) -> frozenset[str]:
        """Return the SHA-256 of a person's enrolled photos."""
        with Session(self._reading) as session:
            return frozenset(photos.known(session, collection, identity_id))

    def face_count(self, collection: Collection) -> int:
        """Return the number of enrolled faces of a collection."""
        with self._reading.connect() as connection:
            counted = select(func.count()).select_from(FaceTable).where(FaceTable.collection_id == collection.key)
            return connection.scalar(counted) or 0

    def _read(self, ask: Callable[[Connection, bool], _T]) -> _T:
        """Run a query; repeat it once if a key rotation has just replaced a key."""
        try:
            with self._reading.connect() as connection:
                return ask(connection, False)  # noqa: FBT003 - not the last try
        except DataKeyGone:
            with self._reading.connect() as connection:
                return ask(connection, True)  # noqa: FBT003 - the last one

    def _sound_templates(
        self, query: Select[*tuple[Any, ...]], read: Sequence[Row[*tuple[Any, ...]]]
    ) -> Iterator[Templates]:
        """Yield the readable rows."""
        try:
            sound = rows.sound(read, self._vault, is_last_try=False)
        except DataKeyGone:
            with self._reading.connect() as connection:
                again = connection.execute(query.where(FaceTable.id.in_([row.id for row in read]))).all()
            sound = rows.sound(again, self._vault, is_last_try=True)
        if sound:
            keys, owners = np.array([(each.row.id, each.row.identity_key) for each in sound], np.int64).T
            yield Templates(keys, np.stack([each.vector for each in sound]).astype(np.float32), owners)
