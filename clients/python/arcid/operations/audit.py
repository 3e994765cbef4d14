"""The audit trail."""

from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TypedDict, Unpack

from arcid.administration import AuditPage, TrailReport
from arcid.calls import Call, query, text, value_reader


class AuditFilter(TypedDict, total=False):
    """Conditions for lines; `since` is included, `until` is not. `actor` is a key's name or id."""

    action: str
    collection: str
    subject: str
    actor: str
    since: datetime
    until: datetime


def page(*, limit: int | None = None, cursor: str | None = None, **which: Unpack[AuditFilter]) -> Call[AuditPage]:
    """List lines of the audit trail, newest first, one page."""
    parameters = _query(which) | query(limit=limit, cursor=cursor)
    return Call("GET", "/audit", value_reader(AuditPage), query=parameters, is_repeatable=True)


def export(to: str | PathLike[str], **which: Unpack[AuditFilter]) -> Call[Path]:
    """Download lines to a file, one JSON object per line, newest first; return its path."""
    target = Path(to)
    return Call("GET", "/audit/export", lambda _: target, query=_query(which), is_repeatable=True, save_to=target)


def verify(*, anchor: str | None = None) -> Call[TrailReport]:
    """Check that no line was changed or removed; with the `anchor` of an earlier report, also against that one."""
    parameters = query(anchor=anchor)
    return Call("GET", "/audit/verification", value_reader(TrailReport), query=parameters, is_repeatable=True)


def _query(which: AuditFilter) -> dict[str, str]:
    return {name: text(value) for name, value in which.items() if value is not None}
