"""Empty collections that take another network: no template binds them to the one they were created with."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Engine, exists, select
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.tables import AuditTable, CollectionTable, FaceTable, JobTable
from app.gallery.store import change_log, rows
from app.gallery.store.migration_sql import set_model
from app.gallery.store.values import Collection

_AT_MOST_EVERY = timedelta(minutes=1)
"""Replicas with different packs would otherwise switch a collection at every request."""


class Binding(StrEnum):
    """A reason why a collection keeps its network."""

    FACE = "face"
    THRESHOLD = "threshold"
    """A similarity means something else for another network."""
    JOB = "job"
    """An unfinished job is about the collection."""
    RECENT_CHANGE = "recent_change"
    """The network changed within the last minute, by adoption, a migration or its rollback."""


class NetworkAdoption:
    """Gives empty collections the network of this service, each in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def adopt(self, collection: Collection, *, model: str, dimension: int) -> Collection:
        """Switch a collection to a model unless a `Binding` keeps it on its own; return the current collection.

        If another process was quicker, its choice stays. Settings, history and people without faces stay, as in a
        migration. Raises CollectionUnknown if the collection was deleted.
        """
        with Session(self._reading) as session:  # each request asks, so a bound one locks nothing
            now = _read(session, collection)
            if now.uid != collection.uid or _binding(session, now) is not None:
                return now
        with Session(self._writing) as session, session.begin():
            change_log.next_revision(session, collection)  # from here on, no other writer
            now = _read(session, collection)
            if now.uid != collection.uid or _binding(session, now) is not None:
                session.rollback()
            else:
                set_model(session, now, model=model, dimension=dimension, uid=None, detector=None)
                detail = {"from": now.model, "to": model, "dropped": 0, "dropped_faces": [], "is_empty": True}
                audit.append(session, Action.COLLECTION_SWITCHED, collection=now.name, detail=detail)
        with Session(self._reading) as session:
            return _read(session, collection)

    def binding(self, collection: Collection) -> Binding | None:
        """Return what keeps a collection on its network, None if it can take another."""
        with Session(self._reading) as session:
            return _binding(session, collection)


def _read(session: Session, collection: Collection) -> Collection:
    row = session.execute(rows.COLLECTIONS.where(CollectionTable.id == collection.key)).one_or_none()
    if row is None:
        raise rows.unknown(collection.name)
    return rows.collection(row)


def _binding(session: Session, collection: Collection) -> Binding | None:
    face = exists().where(FaceTable.collection_id == collection.key)
    job = exists().where(JobTable.collection == collection.name, JobTable.finished_at.is_(None))
    now = datetime.now(UTC)
    recent = exists().where(
        AuditTable.collection == collection.name,
        AuditTable.action == Action.COLLECTION_SWITCHED.value,
        AuditTable.at.between(now - _AT_MOST_EVERY, now),
    )
    has_face, has_job, is_recent = session.execute(select(face, job, recent)).one()
    if collection.faces or has_face:
        return Binding.FACE
    if collection.settings.threshold is not None:
        return Binding.THRESHOLD
    if has_job:
        return Binding.JOB
    return Binding.RECENT_CHANGE if is_recent else None
