"""Answers about jobs. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, BaseModel, Field

from app.api.schemas.resources import Cursor
from app.jobs.job import Job, JobState, Refusal


class FailureSchema(BaseModel):
    """Reason of a job's failure."""

    code: str
    detail: str


class JobSchema(BaseModel):
    """A job."""

    job_id: str
    kind: str
    collection: str | None
    parameters: dict[str, Any]
    state: JobState
    done: Annotated[int, Field(description="Number of finished items (photos, faces), including refused ones.")]
    total: Annotated[int | None, Field(description="Number of all items; null while it is unknown.")]
    errors: Annotated[int, Field(description="Number of failed items: GET .../errors.")]
    result: Annotated[
        dict[str, Any] | None,
        Field(description="Result of a job that has succeeded; of a cancelled one, the result so far."),
    ]
    failure: FailureSchema | None
    created_by: Annotated[
        str,
        Field(
            validation_alias=AliasChoices("created_by", AliasPath("actor", "name")),
            description="Name of the API key.",
        ),
    ]
    attempts: Annotated[int, Field(description="How often a process started or continued it.")]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "JobSchema":
        """Return the schema of a job."""
        return cls.model_validate(job, from_attributes=True)


class JobsPage(BaseModel):
    """Jobs, the oldest first."""

    jobs: list[JobSchema]
    next_cursor: Cursor


class JobErrorSchema(BaseModel):
    """A failed item of a job."""

    number: Annotated[int, Field(description="Number of the failed item, from 1 in each job.")]
    item: Annotated[str, Field(description="The name of a file or line in the source.")]
    code: Annotated[str, Field(description="As in problems: no_face, several_faces, low_quality, item_invalid ...")]
    detail: str

    @classmethod
    def of(cls, refusal: Refusal) -> "JobErrorSchema":
        """Return the schema of a refused item."""
        return cls.model_validate(refusal, from_attributes=True)


class JobErrorsPage(BaseModel):
    """Failed items in order."""

    errors: list[JobErrorSchema]
    next_cursor: Cursor
