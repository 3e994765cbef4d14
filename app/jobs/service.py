"""The queue of jobs for callers: create, show and cancel jobs."""

from collections.abc import Collection as AnyOf

from app.jobs.job import Job, JobState, JsonObject, NewJob, Refusal
from app.jobs.runner import JobRunner
from app.jobs.store import JobStore
from app.jobs.traces import JobTraces
from app.jobs.uploads import Uploads
from app.types import Page

Collections = AnyOf[str] | None
"""The collections whose jobs are visible; None: all jobs, also those without a collection."""


class JobService:
    """Creates jobs and shows them; the `runner` of this process runs them."""

    def __init__(self, store: JobStore, runner: JobRunner, uploads: Uploads, traces: JobTraces) -> None:
        self.runner = runner
        self._traces = traces
        self._store = store
        self._uploads = uploads

    def create(
        self,
        job_id: str,
        kind: str,
        collection: str | None,
        parameters: JsonObject,
        *,
        is_local: bool = True,
        is_alone: bool = False,
    ) -> Job:
        """Create a job; `is_local`: it needs files of this process's data folder. Raises as `JobStore.create`."""
        place = self._uploads.place() if is_local else None
        job = self._store.create(NewJob(job_id, kind, collection, parameters, place), is_alone=is_alone)
        self.runner.wake()
        return job

    def require_none(self, kind: str, collection: str) -> None:
        """See `JobStore.require_none`."""
        self._store.require_none(kind, collection)

    def get(self, job_id: str, collections: Collections) -> Job:
        """Return a job; raises JobUnknown."""
        return self._store.get(job_id, collections)

    def some(self, job_ids: AnyOf[str]) -> dict[str, Job]:
        """Return jobs by their ids in one query; unknown ids are left out."""
        return self._store.some(job_ids)

    def page(self, *, after: int, limit: int, state: JobState | None, collections: Collections) -> Page[Job]:
        """Return a page of jobs, in the order of their creation."""
        return self._store.page(after=after, limit=limit, state=state, collections=collections)

    def errors(self, job_id: str, collections: Collections, *, after: int, limit: int) -> Page[Refusal]:
        """Return a page of the items that a job refused; raises JobUnknown."""
        return self._store.errors(self._store.get(job_id, collections), after=after, limit=limit)

    def note_download(self, job: Job) -> None:
        """See `JobStore.note_download`."""
        self._store.note_download(job)

    def cancel(self, job_id: str, collections: Collections) -> Job:
        """Request cancellation of a job; raises JobUnknown or JobFinished."""
        job = self._store.cancel(job_id, collections)
        if job.state.is_final:
            self._uploads.drop(job_id)
            self._traces.redact_ended(job)
        return job
