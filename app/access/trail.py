"""The audit trail's reading end: export, and the check that nobody has tampered with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database.audit import GENESIS, Action, Entry, append
from app.database.tables import AuditHeadTable, AuditTable
from app.errors import TrailBroken

_READ_AT_ONCE = 1000
_TWO_PEOPLE = (Action.IDENTITY_MERGED.value, Action.FACE_MOVED.value)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line's number and hash. Noted somewhere else, it proves later that the trail up to it is still the same."""

    seq: int
    sha256: str

    def __str__(self) -> str:
        """Return it as `arcid audit verify --anchor` takes it."""
        return f"{self.seq}:{self.sha256}"


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

    def end(self) -> Anchor:
        """Return the last line that was written, as the trail's head has it; raises TrailBroken without a head."""
        with self._reading.connect() as connection:
            query = select(AuditHeadTable.seq, AuditHeadTable.sha256).order_by(AuditHeadTable.id)
            head = connection.execute(query).first()
        if head is None:
            raise TrailBroken("the audit trail has no head row; see arcid audit verify")
        return Anchor(head.seq, head.sha256)

    def verify(self, anchor: Anchor | None = None) -> Verdict:
        """Check every line, that none is missing, and that `anchor` is one of them."""
        with self._reading.connect() as connection:
            heads = connection.execute(
                select(AuditHeadTable.seq, AuditHeadTable.sha256).order_by(AuditHeadTable.id)
            ).all()
            head = heads[0] if heads else None
            breaks: list[Break] = []
            count, before = 0, Anchor(0, GENESIS)
            is_anchored = anchor is None or anchor == before
            for line in _readable(connection):
                if isinstance(line, Break):
                    breaks.append(line)
                    before = Anchor(line.seq, "")
                    count += 1
                    continue
                breaks += _breaks(line, before)
                before = Anchor(line.entry.seq, line.sha256)
                is_anchored = is_anchored or anchor == before
                count += 1
        if head is None or (head.seq, head.sha256) != (before.seq, before.sha256):
            last = "nothing" if head is None else f"line {head.seq}"
            breaks.append(Break(before.seq + 1, f"missing: {last} was written, the trail ends at {before.seq}"))
        if len(heads) > 1:
            breaks.append(Break(before.seq + 1, f"the trail has {len(heads)} head rows, and was written with one"))
        if anchor is not None and not is_anchored:
            breaks.append(Break(anchor.seq, "not the line whose hash was noted"))
        return Verdict(count, before, breaks)


def _breaks(line: Stored, before: Anchor) -> Iterator[Break]:
    entry = line.entry
    if entry.seq != before.seq + 1:
        yield Break(before.seq + 1, f"missing: after line {before.seq} comes line {entry.seq}")
    elif entry.previous != before.sha256:
        yield Break(entry.seq, "does not follow the line before it")
    if _hash_of(entry) != line.sha256:
        yield Break(entry.seq, "changed: its hash is not that of its content")


def _hash_of(entry: Entry) -> str | None:
    try:
        return entry.sha256()
    except (AttributeError, TypeError, ValueError):  # a value of another type than was written
        return None


def _readable(connection: Connection) -> Iterator[Stored | Break]:
    """Yield all lines in order, and a break for each that cannot be read; nothing in the table stops this."""
    query, last = select(AuditTable), 0
    numbered = func.coalesce(AuditTable.seq, -1)
    unnumbered = select(func.count()).select_from(AuditTable).where(or_(AuditTable.seq.is_(None), AuditTable.seq < 1))
    if count := connection.scalar(unnumbered):
        yield Break(0, f"{count} lines have no number, or one below 1")
    while numbers := connection.scalars(
        select(numbered).where(AuditTable.seq > last).order_by(AuditTable.seq).limit(_READ_AT_ONCE)
    ).all():
        whole = [each for each in numbers if isinstance(each, int)]
        if not whole:  # SQLite sorts texts behind all numbers
            yield Break(last + 1, "lines follow whose number is not a number")
            return
        page = query.where(AuditTable.seq.between(whole[0], whole[-1])).order_by(AuditTable.seq)
        try:
            yield from [_stored(row) for row in connection.execute(page)]
        except (AttributeError, TypeError, ValueError, SQLAlchemyError):
            for number in whole:
                yield from _one(connection, number)
        last = whole[-1]


def _one(connection: Connection, number: int) -> Iterator[Stored | Break]:
    try:
        yield from [_stored(row) for row in connection.execute(select(AuditTable).where(AuditTable.seq == number))]
    except (AttributeError, TypeError, ValueError, SQLAlchemyError):
        yield Break(number, "changed: it cannot be read")


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
