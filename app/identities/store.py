"""Collections, identities and faces in SQL. Rows never leave this file; values do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database.tables import CollectionTable, EnrolmentTable, FaceTable, IdentityTable
from app.errors import CollectionExists, CollectionUnknown, IdempotencyConflict, IdentityUnknown
from app.faces import Floats
from app.identities.values import Collection, NewFace, Owner, Person, Retry, Written

_COLLECTIONS = select(
    CollectionTable.id,
    CollectionTable.name,
    CollectionTable.model,
    CollectionTable.dimension,
    CollectionTable.revision,
)
_VECTOR = np.dtype("<f4")
_READ_AT_ONCE = 10_000
_ASK_AT_ONCE = 500
_REMEMBER = timedelta(hours=24)


class IdentityStore:
    """The only place where SQL about identities is written. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def create_collection(self, name: str, *, model: str, dimension: int) -> Collection:
        """Create an empty collection bound to a model; raises CollectionExists."""
        row = CollectionTable(name=name, model=model, dimension=dimension, revision=0, created_at=datetime.now(UTC))
        try:
            with Session(self._writing) as session, session.begin():
                session.add(row)
                session.flush()
                return Collection(row.id, row.name, row.model, row.dimension, row.revision)
        except IntegrityError as error:
            raise CollectionExists(f"there is a collection {name!r} already") from error

    def collection(self, name: str) -> Collection:
        """Return a collection; raises CollectionUnknown."""
        with self._reading.connect() as connection:
            row = connection.execute(_COLLECTIONS.where(CollectionTable.name == name)).one_or_none()
        if row is None:
            raise CollectionUnknown(f"there is no collection {name!r}")
        return Collection(*row)

    def collections(self) -> list[Collection]:
        """Return all collections by name."""
        with self._reading.connect() as connection:
            return [Collection(*row) for row in connection.execute(_COLLECTIONS.order_by(CollectionTable.name))]

    def enrol(
        self, collection: Collection, person: Person, faces: Sequence[NewFace], retry: Retry | None = None
    ) -> Written:
        """Store faces of one person, creating the identity on its first face.

        With `retry`, a request whose key was answered within a day writes nothing and gets that answer; raises
        IdempotencyConflict when the key was used for another request.
        """
        now = datetime.now(UTC)
        with Session(self._writing) as session, session.begin():
            # First, so that the collection's row lock puts its writers in order.
            session.execute(
                update(CollectionTable)
                .where(CollectionTable.id == collection.key)
                .values(revision=CollectionTable.revision + 1)
            )
            if retry is not None:
                session.execute(delete(EnrolmentTable).where(EnrolmentTable.created_at < now - _REMEMBER))
                earlier = _earlier(session, collection, retry, now)
                if earlier is not None:
                    answer = dict(earlier.answer)  # before the rollback, which forgets what was read
                    session.rollback()
                    return Written((), answer)
                session.add(_enrolment_row(collection, retry, now))
            identity = _identity_row(session, collection, person, now)
            rows = [_face_row(face, collection, identity, now) for face in faces]
            session.add_all(rows)
            session.flush()
            return Written([row.id for row in rows])

    def earlier_answer(self, collection: Collection, retry: Retry) -> Written | None:
        """Return the answer that this very request got before, if any; raises IdempotencyConflict as `enrol`."""
        with Session(self._reading) as session:
            earlier = _earlier(session, collection, retry, datetime.now(UTC))
            return Written((), dict(earlier.answer)) if earlier is not None else None

    def templates(self, collection: Collection) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Yield all keys (n,) and vectors (n, d) of a collection, in order of their keys, some thousand at a time."""
        query = (
            select(FaceTable.id, FaceTable.embedding)
            .where(FaceTable.collection_id == collection.key)
            .order_by(FaceTable.id)
            .limit(_READ_AT_ONCE)
        )
        last = 0
        while True:
            with self._reading.connect() as connection:
                rows = connection.execute(query.where(FaceTable.id > last)).all()
            if not rows:
                return
            last = rows[-1].id
            yield np.array([row.id for row in rows], np.int64), _vectors(row.embedding for row in rows)

    def identity_templates(self, collection: Collection, identity_id: str) -> tuple[list[Owner], Floats]:
        """Return the faces of one identity and their vectors (n, d), n >= 1; raises IdentityUnknown."""
        with self._reading.connect() as connection:
            rows = connection.execute(
                select(IdentityTable.identity_id, IdentityTable.name, FaceTable.face_id, FaceTable.embedding)
                .join(FaceTable, FaceTable.identity_key == IdentityTable.id)
                .where(IdentityTable.collection_id == collection.key, IdentityTable.identity_id == identity_id)
                .order_by(FaceTable.id)
            ).all()
        if not rows:
            raise IdentityUnknown(f"nobody is enrolled as {identity_id!r} in collection {collection.name!r}")
        owners = [Owner(row.identity_id, row.name, row.face_id) for row in rows]
        return owners, _vectors(row.embedding for row in rows)

    def owners(self, keys: Iterable[int]) -> dict[int, Owner]:
        """Return to whom faces belong; a key that is gone is left out."""
        wanted = sorted(set(keys))
        owners: dict[int, Owner] = {}
        with self._reading.connect() as connection:
            for start in range(0, len(wanted), _ASK_AT_ONCE):
                rows = connection.execute(
                    select(FaceTable.id, FaceTable.face_id, IdentityTable.identity_id, IdentityTable.name)
                    .join(IdentityTable, FaceTable.identity_key == IdentityTable.id)
                    .where(FaceTable.id.in_(wanted[start : start + _ASK_AT_ONCE]))
                )
                owners |= {row.id: Owner(row.identity_id, row.name, row.face_id) for row in rows}
        return owners

    def face_count(self, collection: Collection) -> int:
        """Return how many faces are enrolled in a collection."""
        with self._reading.connect() as connection:
            counted = select(func.count()).select_from(FaceTable).where(FaceTable.collection_id == collection.key)
            return connection.scalar(counted) or 0


def _vectors(blobs: Iterable[bytes]) -> Floats:
    return np.stack([np.frombuffer(blob, _VECTOR) for blob in blobs]).astype(np.float32)


def _earlier(session: Session, collection: Collection, retry: Retry, now: datetime) -> EnrolmentTable | None:
    earlier = session.scalar(
        select(EnrolmentTable).where(
            EnrolmentTable.collection_id == collection.key,
            EnrolmentTable.idempotency_key == retry.idempotency_key,
            EnrolmentTable.created_at >= now - _REMEMBER,
        )
    )
    if earlier is not None and earlier.request_sha256 != retry.request_sha256:
        raise IdempotencyConflict("this Idempotency-Key was used for another request; take a new one")
    return earlier


def _identity_row(session: Session, collection: Collection, person: Person, now: datetime) -> IdentityTable:
    row = session.scalar(
        select(IdentityTable).where(
            IdentityTable.collection_id == collection.key, IdentityTable.identity_id == person.identity_id
        )
    )
    if row is None:
        row = IdentityTable(
            collection_id=collection.key, identity_id=person.identity_id, metadata_={}, created_at=now, updated_at=now
        )
        session.add(row)
    row.updated_at = now
    if person.name is not None:
        row.name = person.name
    if person.metadata is not None:
        row.metadata_ = dict(person.metadata)
    session.flush()
    return row


def _face_row(face: NewFace, collection: Collection, identity: IdentityTable, now: datetime) -> FaceTable:
    return FaceTable(
        face_id=face.face_id,
        collection_id=collection.key,
        identity_key=identity.id,
        model=collection.model,
        embedding=face.vector.astype(_VECTOR).tobytes(),
        norm=face.norm,
        detection_score=face.detection.score,
        box=list(face.detection.box),
        landmarks=face.detection.landmarks.tolist(),
        image_sha256=face.image_sha256,
        created_at=now,
    )


def _enrolment_row(collection: Collection, retry: Retry, now: datetime) -> EnrolmentTable:
    return EnrolmentTable(
        collection_id=collection.key,
        idempotency_key=retry.idempotency_key,
        request_sha256=retry.request_sha256,
        answer=dict(retry.answer),
        created_at=now,
    )
