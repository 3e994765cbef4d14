"""Jobs as answers show them. The names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.api.schemas.resources import Cursor
from app.jobs.job import Job, JobState, Refusal


class FailureSchema(BaseModel):
    """Why a job failed."""

    code: str
    detail: str


class JobSchema(BaseModel):
    """A job."""

    job_id: str
    kind: str
    collection: str | None
    parameters: dict[str, Any]
    state: JobState
    done: Annotated[int, Field(description="Items (photos, faces) that are done, refused ones included.")]
    total: Annotated[int | None, Field(description="Items in all; null while that is not known.")]
    errors: Annotated[int, Field(description="Items that could not be done: GET .../errors.")]
    result: Annotated[dict[str, Any] | None, Field(description="What came of it, once it has succeeded.")]
    failure: FailureSchema | None
    created_by: Annotated[str, Field(description="Name of the API key.")]
    attempts: Annotated[int, Field(description="How often a process began it, or went on with it.")]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "JobSchema":
        """Take over a job."""
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            collection=job.collection,
            parameters=dict(job.parameters),
            state=job.state,
            done=job.done,
            total=job.total,
            errors=job.errors,
            result=None if job.result is None else dict(job.result),
            failure=FailureSchema(code=job.failure.code, detail=job.failure.detail) if job.failure else None,
            created_by=job.actor.name,
            attempts=job.attempts,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


class JobsPage(BaseModel):
    """Jobs in the order in which they were asked for."""

    jobs: list[JobSchema]
    next_cursor: Cursor


class JobErrorSchema(BaseModel):
    """An item that a job could not do."""

    number: Annotated[int, Field(description="Counts from 1 in each job.")]
    item: Annotated[str, Field(description="A file or a line, as the source names it.")]
    code: Annotated[str, Field(description="As in problems: no_face, several_faces, low_quality, item_invalid ...")]
    detail: str

    @classmethod
    def of(cls, refusal: Refusal) -> "JobErrorSchema":
        """Take over a refusal."""
        return cls(number=refusal.number, item=refusal.item, code=refusal.code, detail=refusal.detail)


class JobErrorsPage(BaseModel):
    """Refused items in order."""

    errors: list[JobErrorSchema]
    next_cursor: Cursor
