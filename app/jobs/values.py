"""The values of the store of jobs: what goes in and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.database.audit import Actor

JsonObject = Mapping[str, Any]


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Say whether the job has ended."""
        return self in {JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is asked for. `place` is the data folder whose processes alone can do it, None if all can."""

    job_id: str
    kind: str
    collection: str | None
    parameters: JsonObject
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: a stable code, and words that are safe to show."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. `actor` asked for it; `errors` counts what was refused; `attempts` counts its starts."""

    key: int
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
    """A job that is this process's until its lease ends, and where to go on. `deaths`: see `JobTable`."""

    job: Job
    owner: str
    checkpoint: JsonObject
    deaths: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item (a file, a line) that a job could not do; `number` counts from 1 in each job."""

    number: int
    item: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a job is: what is stored with each step. `refused` are new ones, `errors` counts all.

    Without a `checkpoint` the one before stays.
    """

    done: int
    total: int | None
    errors: int
    refused: tuple[Refusal, ...] = ()
    checkpoint: JsonObject | None = None
