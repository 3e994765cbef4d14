"""Reading the audit trail: export, and verification that nobody has tampered with it."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, func, inspect, or_, select, true
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database.audit import GENESIS, Action, Entry, append
from app.database.tables import AuditHeadTable, AuditTable
from app.errors import TrailBroken
from app.observability.counted import counted

_READ_AT_ONCE = 1000
_ANCHOR = re.compile(r"(\d{1,19}):([0-9a-f]{64})")
_DEEPEST = 8
"""Maximum nesting of a detail; the service writes two levels."""
_UNREADABLE = (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError, SQLAlchemyError)
"""Errors that reading an edited line may raise."""
_TWO_PEOPLE = (Action.IDENTITY_MERGED.value, Action.FACE_MOVED.value)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line's number and hash. A copy kept elsewhere proves later that the trail up to this line is unchanged."""

    seq: int
    sha256: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read LINE:HASH; raises ValueError if the text has another form."""
        found = _ANCHOR.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not an anchor; write LINE:HASH, as `arcid audit verify` prints it")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        """Return the form that `arcid audit verify --anchor` takes."""
        return f"{self.seq}:{self.sha256}"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A stored line, with the hash that was written with it."""

    entry: Entry
    sha256: str

    def content(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return {**self.entry.content(), "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class TrailBreak:
    """A place where the trail differs from what was written."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class TrailReport:
    """The result of a verification: the number of lines, the last line, and all breaks."""

    lines: int
    head: Anchor
    breaks: list[TrailBreak]


class Trail:
    """Reads the trail of a database."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def lines(self) -> Iterator[AuditLine]:
        """Yield all readable lines, oldest first; raises TrailBroken if the tables are damaged."""
        return (each for each in self.lines_and_breaks() if isinstance(each, AuditLine))

    def lines_and_breaks(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[AuditLine | TrailBreak]:
        """Yield all lines, oldest first, with a break in place of each unreadable one; raises as `lines`.

        Only those from the moment `since` on, and before `until`, if given.
        """
        which: ColumnElement[bool] = true()
        if since is not None:
            which &= AuditTable.at >= since
        if until is not None:
            which &= AuditTable.at < until
        with self._reading.connect() as connection:
            _require_tables(connection)
            yield from _readable(connection, which)

    def about(self, collection: str, identity_id: str) -> Iterator[AuditLine]:
        """Yield the lines about a person in a collection, including merges and moves that involve them.

        Unreadable lines are left out; `verify` reports them.
        """
        whose = or_(AuditTable.subject == identity_id, AuditTable.action.in_(_TWO_PEOPLE))
        with self._reading.connect() as connection:
            for line in _readable(connection, and_(AuditTable.collection == collection, whose)):
                if isinstance(line, AuditLine) and identity_id in (
                    line.entry.subject,
                    line.entry.detail.get("into"),
                    line.entry.detail.get("from"),
                ):
                    yield line

    def note_export(self, collection: str, identity_id: str) -> None:
        """Record that a person's data was exported."""
        with Session(self._writing) as session, session.begin():
            append(session, Action.IDENTITY_EXPORTED, collection=collection, subject=identity_id)

    def note_refused_presentation(self, collection: str, operation: str, faces: int) -> None:
        """Record that a request for an operation showed `faces` that were refused as presentation attacks."""
        with Session(self._writing) as session, session.begin():
            detail = {"operation": operation, "faces": faces}
            append(session, Action.PRESENTATION_REFUSED, collection=collection, detail=detail)

    def end(self) -> Anchor:
        """Return the last line as the head row states it; raises TrailBroken if there is no head row."""
        with self._reading.connect() as connection:
            _require_tables(connection)
            query = select(AuditHeadTable.seq, AuditHeadTable.sha256).order_by(AuditHeadTable.id)
            head = connection.execute(query).first()
        if head is None:
            raise TrailBroken("the audit trail has no head row; see arcid audit verify")
        return Anchor(head.seq, head.sha256)

    def verify(self, anchor: Anchor | None = None) -> TrailReport:
        """Check that every line is unchanged, none is missing, and `anchor` is one of them."""
        with self._reading.connect() as connection:
            if gone := _gone(connection):
                return TrailReport(0, Anchor(0, GENESIS), [TrailBreak(0, each) for each in gone])
            heads = connection.execute(
                select(AuditHeadTable.seq, AuditHeadTable.sha256).order_by(AuditHeadTable.id)
            ).all()
            head = heads[0] if heads else None
            breaks: list[TrailBreak] = []
            count, before = 0, Anchor(0, GENESIS)
            is_anchored = anchor is None or anchor == before
            for line in _readable(connection):
                if isinstance(line, TrailBreak):
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
            breaks.append(TrailBreak(before.seq + 1, f"missing: {last} was written, the trail ends at {before.seq}"))
        if len(heads) > 1:
            breaks.append(TrailBreak(before.seq + 1, f"the trail has {len(heads)} head rows instead of one"))
        if anchor is not None and not is_anchored:
            breaks.append(TrailBreak(anchor.seq, "the line does not have the hash of the given anchor"))
        return TrailReport(count, before, breaks)


def _breaks(line: AuditLine, before: Anchor) -> Iterator[TrailBreak]:
    entry = line.entry
    if entry.seq != before.seq + 1:
        yield TrailBreak(before.seq + 1, f"missing: after line {before.seq} comes line {entry.seq}")
    elif entry.previous != before.sha256:
        yield TrailBreak(entry.seq, "does not follow the line before it")
    if entry.sha256() != line.sha256:
        yield TrailBreak(entry.seq, "changed: its hash is not that of its content")


def _gone(connection: Connection) -> list[str]:
    """Return the tables and columns of the trail that the database lacks."""
    known, gone = inspect(connection), []
    for table in (AuditTable, AuditHeadTable):
        if not known.has_table(table.__tablename__):
            gone.append(f"missing: the database has no table {table.__tablename__}")
            continue
        columns = {each["name"] for each in known.get_columns(table.__tablename__)}
        lacking = [each for each in table.__table__.c.keys() if each not in columns]  # noqa: SIM118 - c iterates over columns
        gone += [f"missing: the table {table.__tablename__} has no column {each}" for each in lacking]
    return gone


def _require_tables(connection: Connection) -> None:
    if gone := _gone(connection):
        raise TrailBroken(f"the audit trail cannot be read: {gone[0]}; see arcid audit verify")


def _readable(connection: Connection, which: ColumnElement[bool] | None = None) -> Iterator[AuditLine | TrailBreak]:
    """Yield the lines in order, with a break in place of each unreadable one, whatever the table contains."""
    which = true() if which is None else which
    last = 0
    numbered = func.coalesce(AuditTable.seq, -1)
    outside = or_(AuditTable.seq.is_(None), AuditTable.seq < 1)
    if count := connection.scalar(select(func.count()).select_from(AuditTable).where(which, outside)):
        yield TrailBreak(0, f"{counted(count, 'line has', 'lines have')} no number, or one below 1")
    while numbers := connection.scalars(
        select(numbered).where(which, AuditTable.seq > last).order_by(AuditTable.seq).limit(_READ_AT_ONCE)
    ).all():
        whole = [each for each in numbers if isinstance(each, int)]
        if not whole:  # SQLite sorts text after all numbers
            yield TrailBreak(last + 1, "the next lines have a text in place of their number")
            return
        yield from lines_at(connection, whole)
        last = whole[-1]


def lines_at(connection: Connection, numbers: Sequence[int]) -> Iterator[AuditLine | TrailBreak]:
    """Yield the lines with these numbers, oldest first, with a break in place of each unreadable one."""
    try:
        rows = connection.execute(select(AuditTable).where(AuditTable.seq.in_(numbers)).order_by(AuditTable.seq))
        yield from [_stored(row) for row in rows]
    except _UNREADABLE:
        for number in sorted(numbers):
            yield from _one(connection, number)


def _one(connection: Connection, number: int) -> Iterator[AuditLine | TrailBreak]:
    try:
        yield from [_stored(row) for row in connection.execute(select(AuditTable).where(AuditTable.seq == number))]
    except _UNREADABLE:
        yield TrailBreak(number, "changed: it cannot be read")


def _stored(row: Row[*tuple[Any, ...]]) -> AuditLine:
    """Return a row's line; raises ValueError if it contains something that the service never writes."""
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
    if not isinstance(row.detail, dict) or not _is_json({**entry.content(), "sha256": row.sha256}):
        raise ValueError(f"line {row.seq} contains something that the service never writes")
    return AuditLine(entry, row.sha256)


def _is_json(value: object, depth: int = _DEEPEST) -> bool:
    """Return whether a value is valid as JSON in UTF-8 and nested at most `depth` deep."""
    match value:
        case None | bool() | int():
            return True
        case float():
            return math.isfinite(value)
        case str():
            return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)
        case list():
            return depth > 0 and all(_is_json(each, depth - 1) for each in value)
        case dict():
            return depth > 0 and all(_is_json(each, depth - 1) for pair in value.items() for each in pair)
        case _:
            return False
