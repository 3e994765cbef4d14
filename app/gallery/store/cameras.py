"""Cameras in SQL. Their URLs may contain passwords, so the vault seals them."""

from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import audit, outbox
from app.database.audit import Action
from app.database.camera_table import CameraTable
from app.database.cipher import Context
from app.database.outbox import EventKind, NewEvent, camera_key
from app.database.tables import CollectionTable
from app.database.vault import Vault
from app.errors import CameraExists, CameraUnknown, TooManyCameras
from app.gallery.store import rows
from app.gallery.store.camera_values import Camera, CameraKind, CameraSetup, CameraState, CameraStatus
from app.types import Page

_CAMERAS = select(*CameraTable.__table__.columns, CollectionTable.name.label("collection")).join(
    CollectionTable, CollectionTable.id == CameraTable.collection_id
)
_EVENTS = {CameraState.LOST: EventKind.CAMERA_LOST, CameraState.CONNECTED: EventKind.CAMERA_BACK}
_Row = Row[*tuple[Any, ...]]


class CameraRepository:
    """Stores cameras. Every public method is one transaction.

    `collections` restricts a call to the cameras of some collections; None: all of them.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault

    def create(self, setup: CameraSetup, *, most: int) -> Camera:
        """Store a camera; raises CameraExists, CollectionUnknown, and TooManyCameras if `most` cameras exist."""
        now = datetime.now(UTC)
        values = {"camera_id": setup.camera_id, "created_at": now, "updated_at": now, **_new_status(now)}
        try:
            with Session(self._writing) as session, session.begin():
                collection = session.scalar(select(CollectionTable.id).where(CollectionTable.name == setup.collection))
                if collection is None:
                    raise rows.unknown(setup.collection)
                kept = self._stored(session, setup)
                session.execute(insert(CameraTable).values(collection_id=collection, **values, **kept))
                _note(session, Action.CAMERA_CREATED, setup)
                # Counted after taking the trail's lock, so that cameras created by others are visible.
                if (session.scalar(select(func.count()).select_from(CameraTable)) or 0) > most:
                    raise TooManyCameras(f"the service has {most} cameras, the most allowed; delete one first")
                return self._camera(_row(session, setup.camera_id, None))
        except IntegrityError as error:
            raise CameraExists(f"a camera {setup.camera_id!r} exists already") from error

    def get(self, camera_id: str, collections: AnyOf[str] | None = None) -> Camera:
        """Return a camera; raises CameraUnknown."""
        with Session(self._reading) as session:
            return self._camera(_row(session, camera_id, collections))

    def page(self, *, after: int, limit: int, collections: AnyOf[str] | None = None) -> Page[Camera]:
        """Return the cameras with keys above `after`, the oldest first."""
        query = _among(_CAMERAS, collections).where(CameraTable.id > after).order_by(CameraTable.id).limit(limit + 1)
        with Session(self._reading) as session:
            found = session.execute(query).all()
        return Page([self._camera(row) for row in found[:limit]], found[limit - 1].id if len(found) > limit else None)

    def versions(self) -> dict[str, datetime]:
        """Return the versions of all cameras that are watched, without opening their URLs."""
        query = select(CameraTable.camera_id, CameraTable.updated_at).where(CameraTable.is_enabled)
        with Session(self._reading) as session:
            return {row.camera_id: row.updated_at for row in session.execute(query)}

    def change(self, camera_id: str, changes: Mapping[str, Any], collections: AnyOf[str] | None = None) -> Camera:
        """Change fields of a camera's settings and return it; raises CameraUnknown."""
        now = datetime.now(UTC)
        with Session(self._writing) as session, session.begin():
            _lock(session, camera_id)
            setup = replace(self._camera(_row(session, camera_id, collections)).setup, **changes)
            kept = self._stored(session, setup) | _new_status(now) | {"updated_at": now}
            session.execute(update(CameraTable).where(CameraTable.camera_id == camera_id).values(**kept))
            _note(session, Action.CAMERA_CHANGED, setup)
            return self._camera(_row(session, camera_id, None))

    def delete(self, camera_id: str, collections: AnyOf[str] | None = None) -> None:
        """Delete a camera; raises CameraUnknown."""
        with Session(self._writing) as session, session.begin():
            _lock(session, camera_id)
            setup = self._camera(_row(session, camera_id, collections)).setup
            session.execute(delete(CameraTable).where(CameraTable.camera_id == camera_id))
            _note(session, Action.CAMERA_DELETED, setup)

    def note(self, camera_id: str, version: datetime, status: CameraStatus) -> None:
        """Store the status of a camera unless its settings have changed; an event reports that it is lost, or back."""
        with Session(self._writing) as session, session.begin():
            row = session.execute(
                _CAMERAS.where(CameraTable.camera_id == camera_id).with_for_update(of=CameraTable)
            ).one_or_none()
            if row is None or row.updated_at != version:
                return
            values = asdict(status)
            values["state_since"] = values.pop("since")
            session.execute(update(CameraTable).where(CameraTable.id == row.id).values(**values))
            was_lost, is_lost = row.state == CameraState.LOST, status.state is CameraState.LOST
            if was_lost != is_lost and status.state in _EVENTS:
                seen = None if status.last_frame_at is None else status.last_frame_at.isoformat(timespec="milliseconds")
                data = {"camera": camera_id, "last_frame_at": seen}
                event = NewEvent(_EVENTS[status.state], camera_key(camera_id), data, collection=row.collection)
                outbox.append(session, event)

    def _camera(self, row: _Row) -> Camera:
        url = None
        if row.url is not None:
            context = _context(row.camera_id, row.collection_id)
            url = self._vault.open(context, row.url, row.data_key_id).decode()
        setup = CameraSetup(
            row.camera_id,
            row.collection,
            CameraKind(row.kind),
            url,
            row.fps,
            has_motion_gate=row.has_motion_gate,
            is_enabled=row.is_enabled,
            keeps_images=row.keeps_images,
        )
        counts = row.last_frame_at, row.frames, row.frames_dropped, row.open_tracks
        return Camera(
            setup, CameraStatus(CameraState(row.state), row.state_since, *counts), row.created_at, row.updated_at
        )

    def _stored(self, session: Session, setup: CameraSetup) -> dict[str, Any]:
        """Return the columns of a camera's settings."""
        collection = session.scalars(select(CollectionTable.id).where(CollectionTable.name == setup.collection)).one()
        values: dict[str, Any] = {"url": None, "data_key_id": None, "kind": setup.kind, "fps": setup.fps}
        if setup.url is not None:
            sealed = self._vault.seal(session, _context(setup.camera_id, collection), setup.url.encode())
            values |= {"url": sealed.data, "data_key_id": sealed.data_key_id}
        switches = ("has_motion_gate", "is_enabled", "keeps_images")
        return values | {name: getattr(setup, name) for name in switches}


def reseal_urls(session: Session, vault: Vault, key: int) -> int:
    """Seal the URLs that are not sealed with this data key again, in a transaction, and return their number."""
    lacks = or_(CameraTable.data_key_id.is_(None), CameraTable.data_key_id != key)
    found = session.scalars(select(CameraTable).where(CameraTable.url.is_not(None), lacks).with_for_update()).all()
    for row in found:
        context = _context(row.camera_id, row.collection_id)
        sealed = vault.seal(session, context, vault.open(context, row.url or b"", row.data_key_id))
        row.url, row.data_key_id = sealed.data, sealed.data_key_id
    return len(found)


def _context(camera_id: str, collection: int) -> Context:
    return Context("camera", camera_id, (str(collection),))


def _among(query: Select[*tuple[Any, ...]], collections: AnyOf[str] | None) -> Select[*tuple[Any, ...]]:
    return query if collections is None else query.where(CollectionTable.name.in_(sorted(collections)))


def _row(session: Session, camera_id: str, collections: AnyOf[str] | None) -> _Row:
    row = session.execute(_among(_CAMERAS, collections).where(CameraTable.camera_id == camera_id)).one_or_none()
    if row is None:
        raise CameraUnknown(f"there is no camera {camera_id!r}")
    return row


def _lock(session: Session, camera_id: str) -> None:
    session.execute(select(CameraTable.id).where(CameraTable.camera_id == camera_id).with_for_update())


def _new_status(now: datetime) -> dict[str, Any]:
    values = asdict(CameraStatus(CameraState.WAITING, now))
    values["state_since"] = values.pop("since")
    return values


def _note(session: Session, action: Action, setup: CameraSetup) -> None:
    session.flush()
    detail = {name: value for name, value in asdict(setup).items() if name not in {"camera_id", "collection", "url"}}
    audit.append(session, action, collection=setup.collection, subject=setup.camera_id, detail=detail)
