"""The audit trail: look up, download, verify."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from app.access.keys import Scope
from app.access.trail import Anchor, AuditLine
from app.access.trail_pages import AuditFilter, TrailPages
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.permissions import needs
from app.api.http.queries import require_order
from app.api.http.routing import router_at
from app.api.schemas.audit import AuditPageSchema, TrailReportSchema
from app.api.schemas.fields import QueryMoment
from app.api.schemas.paging import After, Limit
from app.database.audit import Action
from app.names import CollectionName, Text

router = router_at("/audit", tag="administration", scope=Scope.ADMIN)

_ALL = needs(Scope.ADMIN, is_about_all_collections=True)
_NDJSON = "application/x-ndjson"
_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {_NDJSON: {"schema": {"type": "string", "format": "binary"}}}}
}
_AT_ONCE = 1000  # lines of a download that are read together


async def _filter(
    action: Annotated[Action | None, Query(description="Only lines with this action.")] = None,
    collection: Annotated[CollectionName | None, Query(description="Only lines about this collection.")] = None,
    subject: Annotated[
        Text | None, Query(description="Only lines about this object: a person's id, a key's name.")
    ] = None,
    actor: Annotated[Text | None, Query(description="Only lines by this key: its name or id.")] = None,
    since: Annotated[QueryMoment | None, Query(description="Only lines from this moment on.")] = None,
    until: Annotated[QueryMoment | None, Query(description="Only lines before this moment.")] = None,
) -> AuditFilter:
    require_order(since, until)
    return AuditFilter(action, collection, subject, actor, since, until)


FilterDependency = Annotated[AuditFilter, Depends(_filter)]


@router.get("", dependencies=[_ALL])
async def list_audit(
    services: ServicesDependency, workers: WorkersDependency, which: FilterDependency, after: After, limit: Limit = 50
) -> AuditPageSchema:
    """List the lines of the audit trail, the newest first."""
    return AuditPageSchema.of(await workers.run(services.trail_pages.page, which, after=after, limit=limit))


@router.get("/export", dependencies=[_ALL], response_class=StreamingResponse, responses=_LINES)
async def export_audit(services: ServicesDependency, which: FilterDependency) -> StreamingResponse:
    """Download the lines of the audit trail as one JSON object per line, the newest first."""
    name = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    return StreamingResponse(_lines(services.trail_pages, which), media_type=_NDJSON, headers=name)


@router.get("/verification", dependencies=[_ALL])
async def verify_audit(
    services: ServicesDependency,
    workers: WorkersDependency,
    anchor: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}:[0-9a-f]{64}$")] | None,
        Query(description="LINE:HASH of an earlier verification; that line must be unchanged."),
    ] = None,
) -> TrailReportSchema:
    """Check that no line of the audit trail was changed or removed; reads all of them."""
    known = None if anchor is None else Anchor.parse(anchor)
    return TrailReportSchema.of(await workers.run(services.trail.verify, known))


async def _lines(trail: TrailPages, which: AuditFilter) -> AsyncIterator[str]:
    after: int | None = 0
    while after is not None:
        page = await to_thread.run_sync(lambda start: trail.page(which, after=start, limit=_AT_ONCE), after)
        after = page.after
        yield "".join(f"{json.dumps(_shown(each))}\n" for each in page.lines)


def _shown(line: Any) -> dict[str, Any]:
    return line.content() if isinstance(line, AuditLine) else {"seq": line.seq, "unreadable": True}
