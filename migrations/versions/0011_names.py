"""ids and names in NFC, and no ids that clients change in a path

An id that cannot stay gets a free id that starts with `renamed-`. The audit trail and the log record each one.
"""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.database import audit
from app.database.audit import Action
from app.database.table_types import UtcDateTime
from app.names import COLLECTION, LONGEST_ID, LONGEST_NAME, face_id_flaw, id_flaw, nfc, nfc_json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_log = logging.getLogger("arcid.migration")
_READ_AT_ONCE = 5000
_LONGEST_COLLECTION = 64
_ROOM = 8  # characters for a number after a shortened id
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\/%]")

_collections = sa.table("collections", sa.column("id"), sa.column("name"), sa.column("revision"))
_identities = sa.table(
    "identities",
    sa.column("id"),
    sa.column("collection_id"),
    sa.column("identity_id"),
    sa.column("name"),
    sa.column("metadata", sa.JSON()),
    sa.column("updated_at", UtcDateTime()),
    sa.column("enrolled_at", UtcDateTime()),
)
_enrolments = sa.table("enrolments", sa.column("collection_id"), sa.column("identity_id"))
_faces = sa.table("faces", sa.column("id"), sa.column("face_id"), sa.column("data_key_id"))
_next_templates = sa.table("next_templates", sa.column("face_key"), sa.column("data_key_id"))
_crops = sa.table("crops", sa.column("face_key"))


def upgrade() -> None:
    connection, now = op.get_bind(), datetime.now(UTC)
    for row in connection.execute(sa.select(_collections.c.id, _collections.c.name).order_by(_collections.c.id)).all():
        name = row.name if COLLECTION.fullmatch(row.name) else _rename_collection(connection, row)
        _rename_people(connection, row.id, name, now)
    _rename_faces(connection)


def downgrade() -> None:
    """Keep the ids, because all versions of the service accept them."""


def _rename_collection(connection: sa.Connection, row: sa.Row[Any]) -> str:
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", row.name)
    is_free = _is_free(connection, _collections, _collections.c.name)
    name = _free(f"renamed-{readable}", _LONGEST_COLLECTION, is_free)
    _change_collection(connection, row.id, name=name)
    audit.append(connection, Action.COLLECTION_RENAMED, collection=name, subject=row.name, detail={"to": name})
    _log.warning("collection %a is now %a: the old name cannot be used in a path", row.name, name)
    return name


def _change_collection(connection: sa.Connection, key: int, **values: object) -> None:
    changed = sa.update(_collections).where(_collections.c.id == key)
    connection.execute(changed.values(revision=_collections.c.revision + 1, **values))


def _rename_people(connection: sa.Connection, key: int, collection: str, now: datetime) -> None:
    is_free = _is_free(connection, _identities, _identities.c.identity_id, _identities.c.collection_id == key)
    renamed: list[tuple[str, str]] = []
    for row in _people(connection, key):
        identity_id, because = nfc(row.identity_id), id_flaw(nfc(row.identity_id))
        if because is None and identity_id != row.identity_id and not is_free(identity_id):
            because = "another person has the id that is written with the same letters"
        if because is not None:
            identity_id = _free(f"renamed-{_UNSAFE.sub('_', identity_id).strip()}", LONGEST_ID, is_free)
            _log.warning("identity %a of %r is now %a: %s", row.identity_id, collection, identity_id, because)
        values = _changes(row, identity_id)
        if not values:
            continue
        values |= {"updated_at": now, "enrolled_at": row.enrolled_at or row.updated_at}
        connection.execute(sa.update(_identities).where(_identities.c.id == row.id).values(values))
        if identity_id != row.identity_id:
            whose = (_enrolments.c.collection_id == key, _enrolments.c.identity_id == row.identity_id)
            connection.execute(sa.update(_enrolments).where(*whose).values(identity_id=identity_id))
            renamed.append((row.identity_id, identity_id))
    if renamed:
        _change_collection(connection, key)
        _log.warning("%d identities of %r have another id; the audit trail names them", len(renamed), collection)
    for old, new in renamed:
        audit.append(connection, Action.IDENTITY_RENAMED, collection=collection, subject=old, detail={"to": new})


def _changes(row: sa.Row[Any], identity_id: str) -> dict[str, Any]:
    try:
        metadata = nfc_json(row.metadata)
    except ValueError:
        metadata = row.metadata
        _log.warning("metadata of identity %a stays as it is: two of its names are one in NFC", identity_id)
    wanted = {
        "identity_id": identity_id,
        "name": None if row.name is None else nfc(row.name)[:LONGEST_NAME],
        "metadata": metadata,
    }
    return {name: value for name, value in wanted.items() if value != getattr(row, name)}


def _people(connection: sa.Connection, key: int) -> Iterator[sa.Row[Any]]:
    after = 0
    while True:
        query = sa.select(_identities).where(_identities.c.collection_id == key, _identities.c.id > after)
        read = connection.execute(query.order_by(_identities.c.id).limit(_READ_AT_ONCE)).all()
        yield from read
        if len(read) < _READ_AT_ONCE:
            return
        after = read[-1].id


def _rename_faces(connection: sa.Connection) -> None:
    """Give faces from archives a valid id. An encrypted template keeps its id, because only this id decrypts it."""
    made_here = _faces.c.face_id.like("________-____-____-____-____________")
    for row in connection.execute(sa.select(_faces).where(sa.not_(made_here))).all():
        if (because := face_id_flaw(row.face_id)) is None:
            continue
        is_sealed = (
            row.data_key_id is not None
            or connection.scalar(sa.select(_crops.c.face_key).where(_crops.c.face_key == row.id)) is not None
            or connection.scalar(
                sa.select(_next_templates.c.face_key).where(
                    _next_templates.c.face_key == row.id, _next_templates.c.data_key_id.is_not(None)
                )
            )
            is not None
        )
        if is_sealed:
            _log.warning(
                "face %a keeps its id, as it is encrypted; delete it with its identity: %s", row.face_id, because
            )
            continue
        face_id = f"renamed-{row.id}"
        connection.execute(sa.update(_faces).where(_faces.c.id == row.id).values(face_id=face_id))
        _log.warning("face %a is now %a: %s", row.face_id, face_id, because)


def _is_free(
    connection: sa.Connection, table: sa.TableClause, column: sa.ColumnClause[Any], *where: sa.ColumnElement[bool]
) -> Callable[[str], bool]:
    def is_free(text: str) -> bool:
        found = connection.scalar(sa.select(table.c.id).where(column == text, *where).limit(1))
        return found is None

    return is_free


def _free(wanted: str, most: int, is_free: Callable[[str], bool]) -> str:
    """Return the wanted id, with a number appended if it exists."""
    wanted = wanted[: most - _ROOM].strip()
    number, candidate = 1, wanted
    while not is_free(candidate):
        number += 1
        candidate = f"{wanted}-{number}"
    return candidate
