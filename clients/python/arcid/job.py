"""Jobs: long-running work with progress, with the names of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from arcid.parsing import Value

JobState = Literal["queued", "running", "cancelling", "cancelled", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Failure(Value):
    """The reason for the failure of a job."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job(Value):
    """A job: `done` of `total` items are finished, `errors` of them failed. `total` is None while it is unknown."""

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
        """Return whether the job has ended: succeeded, failed or cancelled."""
        return self.finished_at is not None


@dataclass(frozen=True, slots=True)
class JobError(Value):
    """An item (a file or a line) that failed; `number` counts from 1 in each job."""

    number: int
    item: str
    code: str
    detail: str
