"""The audit trail's reading end: export, and the check that nobody has tampered with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, or_, select
from sqlalchemy.orm import Session

from app.database.audit import GENESIS, Action, Entry, append
from app.database.tables import AuditHeadTable, AuditTable

_READ_AT_ONCE = 1000
_TWO_PEOPLE = (Action.IDENTITY_MERGED.value, Action.FACE_MOVED.value)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line's number and hash. Noted somewhere else, it proves later that the trail up to it is still the same."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A line as it is stored, with the hash that it was given when it was written."""

    entry: Entry
    sha256: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where the trail is not what was written, and what is wrong there."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many lines were checked, what the last one is, and all that is wrong."""

    lines: int
    head: Anchor
    breaks: list[Break]


class Trail:
    """Reads the trail of a database, as it is at one moment."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def lines(self) -> Iterator[Stored]:
        """Yield all lines, the oldest first."""
        with self._reading.connect() as connection:
            yield from _lines(connection)

    def about(self, collection: str, identity_id: str) -> Iterator[Stored]:
        """Yield the lines about a person in a collection, also as the one into whom another was merged."""
        whose = or_(AuditTable.subject == identity_id, AuditTable.action.in_(_TWO_PEOPLE))
        query = select(AuditTable).where(AuditTable.collection == collection, whose).order_by(AuditTable.seq)
        with self._reading.connect() as connection:
            for row in connection.execute(query):
                if identity_id in {row.subject, *(row.detail.get(name) for name in ("into", "from"))}:
                    yield _stored(row)

    def note_export(self, collection: str, identity_id: str) -> None:
        """Note that somebody was given all that is stored about a person."""
        with Session(self._writing) as session, session.begin():
            append(session, Action.IDENTITY_EXPORTED, collection=collection, subject=identity_id)

    def verify(self, anchor: Anchor | None = None) -> Verdict:
        """Check every line, that none is missing, and that `anchor` is one of them."""
        with self._reading.connect() as connection:
            head = connection.execute(select(AuditHeadTable.seq, AuditHeadTable.sha256)).one_or_none()
            breaks: list[Break] = []
            count, before = 0, Anchor(0, GENESIS)
            is_anchored = anchor is None or anchor == before
            for line in _lines(connection):
                breaks += _breaks(line, before)
                before = Anchor(line.entry.seq, line.sha256)
                is_anchored = is_anchored or anchor == before
                count += 1
        if head is None or (head.seq, head.sha256) != (before.seq, before.sha256):
            last = "nothing" if head is None else f"line {head.seq}"
            breaks.append(Break(before.seq + 1, f"missing: {last} was written, the trail ends at {before.seq}"))
        if anchor is not None and not is_anchored:
            breaks.append(Break(anchor.seq, "not the line whose hash was noted"))
        return Verdict(count, before, breaks)


def _breaks(line: Stored, before: Anchor) -> Iterator[Break]:
    entry = line.entry
    if entry.seq != before.seq + 1:
        yield Break(before.seq + 1, f"missing: after line {before.seq} comes line {entry.seq}")
    elif entry.previous != before.sha256:
        yield Break(entry.seq, "does not follow the line before it")
    if entry.sha256() != line.sha256:
        yield Break(entry.seq, "changed: its hash is not that of its content")


def _lines(connection: Connection) -> Iterator[Stored]:
    query = select(AuditTable).order_by(AuditTable.seq).limit(_READ_AT_ONCE)
    last = -1
    while rows := connection.execute(query.where(AuditTable.seq > last)).all():
        last = rows[-1].seq
        yield from map(_stored, rows)


def _stored(row: Row[*tuple[Any, ...]]) -> Stored:
    entry = Entry(
        row.seq,
        row.at,
        row.actor,
        row.key_id,
        row.request_id,
        row.action,
        row.collection,
        row.subject,
        row.detail,
        row.previous,
    )
    return Stored(entry, row.sha256)
