"""Conversion of job rows to values."""

from app.database.audit import Actor
from app.database.outbox import EventKind, NewEvent
from app.database.tables import JobTable
from app.jobs.job import Failure, Job, JobState
from app.types import JobKey


def job(row: JobTable) -> Job:
    """Return the job in a row."""
    return Job(
        JobKey(row.id),
        row.job_id,
        row.kind,
        row.collection,
        row.parameters,
        JobState(row.state),
        row.done,
        row.total,
        row.errors,
        row.result,
        Failure(row.failure_code, row.failure_detail or "") if row.failure_code else None,
        Actor(row.actor, row.key_id, row.request_id),
        row.attempts,
        row.created_at,
        row.started_at,
        row.finished_at,
    )


def finished_event(row: JobTable) -> NewEvent:
    """Return the event of a job that has ended; without its results, which may name people."""
    data = {"job_id": row.job_id, "kind": row.kind, "state": row.state, "done": row.done, "errors": row.errors}
    if row.failure_code is not None:
        data["code"] = row.failure_code
    return NewEvent(EventKind.JOB_FINISHED, f"job:{row.job_id}", data, collection=row.collection)
