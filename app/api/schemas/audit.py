"""Answers about the audit trail. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.access.trail import AuditLine, TrailReport
from app.access.trail_pages import AuditPage
from app.api.schemas.paging import cursor_of
from app.api.schemas.resources import Cursor

_MOST_BREAKS = 100


class AuditEntrySchema(BaseModel):
    """A line of the audit trail."""

    seq: Annotated[int, Field(description="1, 2, 3 without a gap.")]
    at: datetime
    actor: Annotated[
        str, Field(description="Name of the API key; `anonymous` without keys, `cli` for commands and the start.")
    ]
    key_id: str | None
    request_id: str | None
    action: str
    collection: str | None
    subject: Annotated[str | None, Field(description="The object of the action: a person's id, a key's name.")]
    detail: dict[str, Any]
    previous: Annotated[str, Field(description="SHA-256 of the line before.")]
    sha256: Annotated[str, Field(description="SHA-256 of this line.")]


class AuditPageSchema(BaseModel):
    """Lines of the audit trail, the newest first."""

    lines: list[AuditEntrySchema]
    unreadable: Annotated[
        int,
        Field(description="Lines of this page that were tampered with and cannot be shown: GET /audit/verification."),
    ]
    next_cursor: Cursor

    @classmethod
    def of(cls, page: AuditPage) -> "AuditPageSchema":
        """Return the schema of a page."""
        lines = [AuditEntrySchema(**each.content()) for each in page.lines if isinstance(each, AuditLine)]
        return cls(lines=lines, unreadable=len(page.lines) - len(lines), next_cursor=cursor_of(page.after))


class TrailBreakSchema(BaseModel):
    """A place where the trail differs from what was written."""

    seq: int
    what: str


class TrailReportSchema(BaseModel):
    """Result of a verification of the whole audit trail."""

    is_unbroken: bool
    lines: Annotated[int, Field(description="Number of lines that were read.")]
    anchor: Annotated[
        str,
        Field(
            description="The last line as LINE:HASH. A copy kept elsewhere proves later that nothing before changed."
        ),
    ]
    broken: Annotated[int, Field(description="Number of places where the trail differs from what was written.")]
    breaks: Annotated[list[TrailBreakSchema], Field(description=f"The first {_MOST_BREAKS} of them.")]

    @classmethod
    def of(cls, report: TrailReport) -> "TrailReportSchema":
        """Return the schema of a report."""
        return cls(
            is_unbroken=not report.breaks,
            lines=report.lines,
            anchor=str(report.head),
            broken=len(report.breaks),
            breaks=[TrailBreakSchema(seq=each.seq, what=each.what) for each in report.breaks[:_MOST_BREAKS]],
        )
