"""Jobs: create, list, follow, cancel."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Query, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import StringConstraints

from app.access.keys import Scope
from app.api.http.body import FormBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WatchesDependency, WorkersDependency
from app.api.http.event_streams import Watch
from app.api.http.openapi import problem_response
from app.api.http.routing import router_at
from app.api.schemas.jobs import JobErrorSchema, JobErrorsPage, JobSchema, JobsPage
from app.api.schemas.paging import After, Limit, cursor_of
from app.api.schemas.requests import JobRequest
from app.jobs.job import JobState
from app.names import CollectionName
from app.transfer.job_kinds import JobKind

router = router_at("/jobs", tag="jobs", scope=Scope.MANAGE)
_ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
    410: problem_response("The archive was deleted, or is stored by another process."),
}

JobId = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z_-]+$")]


@router.post("", status_code=202)
async def create_job(
    request: Annotated[JobRequest, Depends(FormBody(JobRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
) -> JobSchema:
    """Create a job: an import, an export, a calibration, a grouping, or a backup, which needs scope `admin`."""
    jobs, kind = services.job_requests, JobKind(request.kind)
    if kind is JobKind.BACKUP:
        principal.require(Scope.ADMIN)
        principal.require_all_collections()
        made = await workers.run(jobs.back_up)
    elif request.file is not None:
        made = await workers.run(jobs.import_upload, kind, request.collection, request.file, request.options())
    elif request.upload is not None:
        made = await workers.run(
            jobs.import_resumable, kind, request.collection, request.upload, principal.key_id, request.options()
        )
    elif request.path is not None:
        made = await workers.run(jobs.import_path, kind, request.collection, request.path, request.options())
    else:
        create = {JobKind.EXPORT: jobs.export, JobKind.GROUP: jobs.group}.get(kind, jobs.calibrate)
        made = await workers.run(create, request.collection)
    response.headers["Location"] = f"/jobs/{made.job_id}"
    return JobSchema.of(made)


@router.get("")
async def list_jobs(
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
    collection: Annotated[CollectionName | None, Query(description="Only jobs of this collection.")] = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
) -> JobsPage:
    """List the jobs, the oldest first; a key for some collections sees only their jobs."""
    seen = principal.collections if collection is None else {collection}
    page = await workers.run(services.jobs.page, after=after, limit=limit, state=state, collections=seen)
    return JobsPage(jobs=[JobSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


@router.get("/{job_id}")
async def get_job(
    job_id: JobId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> JobSchema:
    """Return a job with its progress or result."""
    return JobSchema.of(await workers.run(services.jobs.get, job_id, principal.collections))


@router.post("/{job_id}/cancel", status_code=202)
async def cancel_job(
    job_id: JobId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> JobSchema:
    """Cancel a job. A waiting job ends at once, a running one soon; finished items stay."""
    return JobSchema.of(await workers.run(services.jobs.cancel, job_id, principal.collections))


@router.get("/{job_id}/errors")
async def list_job_errors(
    job_id: JobId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
) -> JobErrorsPage:
    """List the items (files, lines) that failed in a job: the first thousand."""
    page = await workers.run(services.jobs.errors, job_id, principal.collections, after=after, limit=limit)
    return JobErrorsPage(errors=[JobErrorSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


@router.get("/{job_id}/archive", response_class=FileResponse, responses=_ARCHIVE)
async def get_job_archive(
    job_id: JobId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> FileResponse:
    """Download the archive of an export, within a day of its end; the audit trail records it."""
    job, path = await workers.run(services.job_requests.archive, job_id, principal.collections)
    return FileResponse(path, media_type="application/zip", filename=f"{job.collection}.zip")


async def _watch(
    job_id: JobId, services: ServicesDependency, principal: PrincipalDependency, watches: WatchesDependency
) -> AsyncIterator[Watch]:
    """Open a watch before the answer starts, while it can still be 404 or 503; it needs no slot."""
    job = await to_thread.run_sync(services.jobs.get, job_id, principal.collections)
    with watches.watch(job, principal, services.jobs, services.access) as watch:
        yield watch


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def watch_job(watch: Annotated[Watch, Depends(_watch)]) -> AsyncIterator[ServerSentEvent]:
    """Follow a job by server-sent events: `progress` after each change, and `end` as the last one."""
    async for job in watch:
        yield ServerSentEvent(event="end" if job.state.is_final else "progress", data=JobSchema.of(job))
