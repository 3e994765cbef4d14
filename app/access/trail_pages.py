"""Pages of the audit trail, newest first, for people who look something up."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, or_, select, true

from app.access.trail import AuditLine, TrailBreak, lines_at
from app.database.audit import Action
from app.database.tables import AuditTable

_LAST = 2**63 - 1
"""Highest number of a line. SQLite sorts a text in place of a number after it."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Conditions for lines; None means any. `actor` is a name or a key's id; `since` is included, `until` is not."""

    action: Action | None = None
    collection: str | None = None
    subject: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> ColumnElement[bool]:
        """Return the condition in SQL."""
        condition: ColumnElement[bool] = true()
        for column, value in (
            (AuditTable.action, None if self.action is None else self.action.value),
            (AuditTable.collection, self.collection),
            (AuditTable.subject, self.subject),
        ):
            if value is not None:
                condition &= column == value
        if self.actor is not None:
            condition &= or_(AuditTable.actor == self.actor, AuditTable.key_id == self.actor)
        if self.since is not None:
            condition &= AuditTable.at >= self.since
        if self.until is not None:
            condition &= AuditTable.at < self.until
        return condition


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Lines, newest first, with a break in place of each unreadable one.

    The next page starts below the number `after`; None on the last page.
    """

    lines: list[AuditLine | TrailBreak]
    after: int | None


class TrailPages:
    """Reads the trail page by page. Each page is one short transaction, so a slow reader holds no connection."""

    def __init__(self, engine: Engine) -> None:
        self._reading = engine.execution_options(is_reader=True)

    def page(self, which: AuditFilter, *, after: int, limit: int) -> AuditPage:
        """Return the newest lines below the number `after`; 0 starts at the end of the trail."""
        below = AuditTable.seq < after if after else AuditTable.seq <= _LAST
        query = select(AuditTable.seq).where(which.condition(), below).order_by(AuditTable.seq.desc()).limit(limit + 1)
        with self._reading.connect() as connection:
            numbers = list(connection.scalars(query))
            shown = numbers[:limit]
            lines = list(lines_at(connection, shown))
        return AuditPage(lines[::-1], shown[-1] if len(numbers) > limit else None)
