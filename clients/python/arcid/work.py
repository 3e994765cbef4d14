"""Jobs: long work with progress. The names are the API's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from arcid.reading import Value

JobState = Literal["queued", "running", "cancelling", "cancelled", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Failure(Value):
    """Why a job failed."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job(Value):
    """A job: `done` of `total` items (None while that is not known), `errors` of which could not be done."""

    job_id: str
    kind: str
    collection: str | None
    parameters: Mapping[str, Any]
    state: JobState
    done: int
    total: int | None
    errors: int
    result: Mapping[str, Any] | None
    failure: Failure | None
    created_by: str
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_final(self) -> bool:
        """Say whether the job has ended: succeeded, failed or cancelled."""
        return self.finished_at is not None


@dataclass(frozen=True, slots=True)
class JobError(Value):
    """An item (a file, a line) that a job could not do; `number` counts from 1 in each job."""

    number: int
    item: str
    code: str
    detail: str
