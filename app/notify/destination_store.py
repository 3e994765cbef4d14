"""Destinations in SQL. Every method is one transaction."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session

from app.database import audit, clock
from app.database.audit import Action
from app.database.delivery_tables import DestinationTable
from app.database.vault import Vault
from app.errors import DestinationUnknown, TooManyDestinations
from app.notify.destination import Destination, DestinationAccess, DestinationKind, NewDestination
from app.notify.destination_rows import destination_of, opened_access, sealed_access
from app.notify.targets import require_collections

MOST_DESTINATIONS = 32
"""Each may take threads of a process."""


class DestinationStore:
    """Creates, changes and lists destinations; the audit trail records all but the URLs and secrets."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._vault = vault

    def create(self, new: NewDestination, origin: str, secret: str | None) -> Destination:
        """Store a destination; raises TooManyDestinations."""
        destination_id = str(uuid4())
        with Session(self._writing) as session, session.begin():
            sealed = sealed_access(session, self._vault, destination_id, DestinationAccess(new.url, secret))
            row = {
                "destination_id": destination_id,
                "kind": new.kind,
                "origin": origin,
                "sealed": sealed.data,
                "data_key_id": sealed.data_key_id,
                "kinds": _sorted(new.kinds),
                "collections": _sorted(new.collections),
                "is_enabled": new.is_enabled,
                "is_image_sent": new.is_image_sent,
                "created_at": datetime.now(UTC),
            }
            session.execute(insert(DestinationTable).values(row))
            made = destination_of(_row(session, destination_id))
            audit.append(session, Action.DESTINATION_CREATED, subject=destination_id, detail=_detail(made))
            # Counted after taking the trail's lock, so that destinations created by others are visible.
            if (session.scalar(select(func.count()).select_from(DestinationTable)) or 0) > MOST_DESTINATIONS:
                raise TooManyDestinations(
                    f"{MOST_DESTINATIONS} destinations exist, which is the maximum; delete one first"
                )
            return made

    def require_collections(self, names: Collection[str] | None) -> None:
        """Raise CollectionUnknown if one of these collections does not exist; None: all of them."""
        with Session(self._reading) as session:
            require_collections(session, names)

    def all(self) -> list[Destination]:
        """Return all destinations, oldest first."""
        with Session(self._reading) as session:
            return [
                destination_of(row) for row in session.scalars(select(DestinationTable).order_by(DestinationTable.id))
            ]

    def get(self, destination_id: str) -> Destination:
        """Return a destination; raises DestinationUnknown."""
        with Session(self._reading) as session:
            return destination_of(_row(session, destination_id))

    def urls(self, kind: DestinationKind) -> dict[str, str]:
        """Return the URLs of the enabled destinations of a kind, by id."""
        enabled = select(DestinationTable).where(DestinationTable.kind == kind, DestinationTable.is_enabled)
        with Session(self._reading) as session:
            rows = session.scalars(enabled).all()
            return {row.destination_id: opened_access(self._vault, row, is_rotating=False).url for row in rows}

    def change(
        self, destination_id: str, changes: Mapping[str, Any], address: tuple[str, str] | None = None
    ) -> Destination:
        """Change a destination; raises DestinationUnknown.

        Args:
            destination_id: Its id.
            changes: New values of `kinds`, `collections`, `is_enabled` and `is_image_sent`, as in `NewDestination`.
            address: New URL and its origin; None: unchanged.
        """
        with Session(self._writing) as session, session.begin():
            row = _row(session, destination_id, is_locked=True)
            for name, value in changes.items():
                setattr(row, name, _sorted(value) if name in {"kinds", "collections"} else value)
            if address is not None:
                url, row.origin = address
                self._seal(session, row, replace(opened_access(self._vault, row, is_rotating=True), url=url))
            session.flush()
            changed = destination_of(row)
            audit.append(session, Action.DESTINATION_CHANGED, subject=destination_id, detail=_detail(changed))
            return changed

    def rotate(self, destination_id: str, secret: str, previous_for: timedelta) -> Destination:
        """Replace the secret; the previous one stays valid for a time. Raises DestinationUnknown."""
        with Session(self._writing) as session, session.begin():
            row = _row(session, destination_id, is_locked=True)
            access = opened_access(self._vault, row, is_rotating=False)
            row.previous_until = clock.now(session) + previous_for if previous_for else None
            previous = access.secret if previous_for else None
            self._seal(session, row, replace(access, secret=secret, previous_secret=previous))
            session.flush()
            rotated = destination_of(row)
            until = None if rotated.previous_until is None else rotated.previous_until.isoformat()
            detail = {"previous_until": until}
            audit.append(session, Action.DESTINATION_ROTATED, subject=destination_id, detail=detail)
            return rotated

    def delete(self, destination_id: str) -> None:
        """Delete a destination and its deliveries; raises DestinationUnknown."""
        with Session(self._writing) as session, session.begin():
            session.delete(_row(session, destination_id, is_locked=True))
            session.flush()
            audit.append(session, Action.DESTINATION_DELETED, subject=destination_id)

    def _seal(self, session: Session, row: DestinationTable, access: DestinationAccess) -> None:
        row.sealed, row.data_key_id = sealed_access(session, self._vault, row.destination_id, access)


def _row(session: Session, destination_id: str, *, is_locked: bool = False) -> DestinationTable:
    query = select(DestinationTable).where(DestinationTable.destination_id == destination_id)
    row = session.scalar(query.with_for_update(key_share=True) if is_locked else query)
    if row is None:
        raise DestinationUnknown(f"no destination has the id {destination_id!r}")
    return row


def _sorted(values: Collection[str] | None) -> list[str] | None:
    return None if values is None else sorted({str(each) for each in values})


def _detail(destination: Destination) -> dict[str, Any]:
    return {
        "kind": destination.kind.value,
        "origin": destination.origin,
        "kinds": _sorted(destination.kinds),
        "collections": _sorted(destination.collections),
        "is_enabled": destination.is_enabled,
        "is_image_sent": destination.is_image_sent,
    }
