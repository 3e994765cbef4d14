"""Jobs: their states and values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.database.audit import Actor
from app.types import JobKey

JsonObject = Mapping[str, Any]


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Return whether the job has ended."""
        return self in {JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to create. `place`: the only data folder whose processes can run it; None: any process can."""

    job_id: str
    kind: str
    collection: str | None
    parameters: JsonObject
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason for a job's failure: a stable code and a message that is safe to show."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job. `actor` created it; `errors` counts refused items; `attempts` counts its starts."""

    key: JobKey
    job_id: str
    kind: str
    collection: str | None
    parameters: JsonObject
    state: JobState
    done: int
    total: int | None
    errors: int
    result: JsonObject | None
    failure: Failure | None
    actor: Actor
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that belongs to this process until its lease ends, with its checkpoint. `deaths`: see `JobTable`."""

    job: Job
    owner: str
    checkpoint: JsonObject
    deaths: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item (a file, a line) that a job refused; `number` counts from 1 in each job."""

    number: int
    item: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of a job, stored with each step. `refused` are new refusals, `errors` counts all.

    `checkpoint` None: the previous checkpoint stays.
    """

    done: int
    total: int | None
    errors: int
    refused: tuple[Refusal, ...] = ()
    checkpoint: JsonObject | None = None
