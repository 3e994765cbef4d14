"""Changing and deleting collections."""

from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.calibration_tables import CalibrationVersionTable, ProbeMomentsTable
from app.database.camera_table import CameraTable
from app.database.liveness_calibration_table import LivenessCalibrationTable
from app.database.review_tables import ReviewTable
from app.database.tables import (
    ChangeTable,
    CollectionTable,
    EnrollmentTable,
    FaceTable,
    IdentityTable,
    SharedIndexTable,
)
from app.database.unknown_face_tables import UnknownFaceTable, UnknownGroupTable, UnknownSeparationTable
from app.errors import CollectionNotEmpty, PreconditionFailed, RequestInvalid
from app.gallery.store import change_log, people_events, rows
from app.gallery.store.people_events import ChangeReason
from app.gallery.store.values import Collection, CollectionSettings

# Tables of a collection's content, in an order that violates no foreign key.
_CONTENT = (
    ReviewTable,
    FaceTable,
    IdentityTable,
    ChangeTable,
    EnrollmentTable,
    SharedIndexTable,
    CalibrationVersionTable,
    ProbeMomentsTable,
    LivenessCalibrationTable,
    UnknownFaceTable,
    UnknownSeparationTable,
    UnknownGroupTable,
    CameraTable,
)


class CollectionRepository:
    """Changes and deletions of collections. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._deleting = engine.execution_options(has_time=True)  # millions of faces take a while

    def change(self, name: str, changes: Mapping[str, Any], versions: AnyOf[str] | None = None) -> Collection:
        """Change a collection's settings: `changes` are fields of `CollectionSettings`.

        Raises CollectionUnknown, PreconditionFailed if its version is not in `versions`, CollectionNotEmpty for another
        flip averaging or detector once faces are enrolled, and RequestInvalid for both a threshold and an error rate.
        """
        with Session(self._writing) as session, session.begin():
            collection = _locked(session, name, versions)
            settings: CollectionSettings = replace(collection.settings, **changes)
            if collection.faces and settings.embedding_settings != collection.settings.embedding_settings:
                raise CollectionNotEmpty(
                    f"faces are enrolled in collection {name!r}, so flip averaging and detector can no longer change; "
                    "create another collection"
                )
            require_one_rule(settings)
            session.execute(update(CollectionTable).where(CollectionTable.id == collection.key).values(**changes))
            changed = replace(collection, settings=settings, revision=change_log.next_revision(session, collection))
            audit.append(session, Action.COLLECTION_CHANGED, collection=name, detail=asdict(settings))
            return changed

    def delete(self, collection: Collection) -> None:
        """Delete a collection with its content; raises CollectionUnknown if it was already deleted."""
        with Session(self._deleting) as session, session.begin():
            change_log.next_revision(session, collection)  # after the current writer; waiting writers find nothing
            for table in _CONTENT:
                session.execute(delete(table).where(table.collection_id == collection.key))
            session.execute(delete(CollectionTable).where(CollectionTable.id == collection.key))
            people_events.replace_all(
                session,
                collection,
                ChangeReason.COLLECTION_DELETED,
                identities=collection.identities,
                faces=collection.faces,
            )
            audit.append(
                session, Action.COLLECTION_DELETED, collection=collection.name, detail={"faces": collection.faces}
            )


def require_one_rule(settings: CollectionSettings) -> None:
    """Raise RequestInvalid if both a threshold and an error rate are set."""
    if settings.threshold is not None and (settings.max_fmr is not None or settings.max_fpir is not None):
        detail = "a collection has either a threshold or max_fmr and max_fpir; null removes the stored one"
        raise RequestInvalid.at("threshold", detail)


def _locked(session: Session, name: str, versions: AnyOf[str] | None) -> Collection:
    found = session.scalar(select(CollectionTable.id).where(CollectionTable.name == name).with_for_update())
    row = session.execute(rows.COLLECTIONS.where(CollectionTable.id == found)).one_or_none()
    if row is None:
        raise rows.unknown(name)
    collection = rows.collection(row)
    if versions is not None and collection.version not in versions:
        raise PreconditionFailed(f"collection {name!r}")
    return collection
