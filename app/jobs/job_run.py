"""A running job in this process: the connection between its work and the database."""

import threading
import time
from collections.abc import Mapping
from typing import Any, Self

from app.errors import DatabaseError, JobCancelled
from app.jobs.job import Claim, JobProgress, JobState, Refusal
from app.jobs.leases import Leases
from app.names import nfc

MOST_KEPT = 1000
"""Maximum number of stored refusals of a job; further ones are only counted."""
_NOTE_EVERY_S = 1.0


class JobRun:
    """The progress of one claim, for the thread that works; another thread renews the lease.

    `is_lost`: another process may own the job now, so this one must do nothing more.
    """

    def __init__(self, claim: Claim, leases: Leases, *, lease_seconds: float, stopping: threading.Event) -> None:
        self._claim = claim
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._stopping = stopping
        self._checkpoint: Mapping[str, Any] = dict(claim.checkpoint)
        self._done, self._total, self._errors = claim.job.done, claim.job.total, claim.job.errors
        self._refused: list[Refusal] = []
        self._noted = 0.0
        self._is_cancelling = claim.job.state is JobState.CANCELLING
        self.is_lost = False
        self._ending = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="arcid-job-heart", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._heart.join()

    @property
    def is_cancelling(self) -> bool:
        """Whether cancellation was requested."""
        return self._is_cancelling

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """See `Progress`."""
        return self._checkpoint

    def advance(self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        """See `Progress`."""
        self._done, self._total = done, self._total if total is None else total
        if checkpoint is not None:
            self._checkpoint = dict(checkpoint)
        is_due = time.monotonic() - self._noted >= _NOTE_EVERY_S
        if not self.is_lost and (checkpoint is not None or is_due):
            self._take(self._leases.note(self._claim, self.snapshot(checkpoint)))
            self._noted = time.monotonic()
            self._refused.clear()
        if self._is_cancelling or self.is_lost or self._stopping.is_set():
            raise JobCancelled("the job was cancelled")

    def refuse(self, item: str, code: str, detail: str) -> None:
        """See `Progress`."""
        self._errors += 1
        if self._errors <= MOST_KEPT:
            self._refused.append(Refusal(self._errors, _storable(item), code, _storable(detail)))

    def snapshot(self, checkpoint: Mapping[str, Any] | None = None) -> JobProgress:
        """Return the job's progress, including what is not stored yet."""
        return JobProgress(self._done, self._total, self._errors, tuple(self._refused), checkpoint)

    def _take(self, state: JobState | None) -> None:
        if state is None:
            self.is_lost = True
        elif state is JobState.CANCELLING:
            self._is_cancelling = True

    def _beat(self) -> None:
        beaten = time.monotonic()
        while not self._ending.wait(min(1.0, self._lease_seconds / 4)):
            asked = time.monotonic()
            try:
                if asked - beaten >= self._lease_seconds / 3:
                    self._take(self._leases.heartbeat(self._claim))
                    beaten = asked
                else:
                    self._take(self._leases.state(self._claim))
            except DatabaseError:
                if asked - beaten >= self._lease_seconds:  # another process may own it now
                    self.is_lost = True


def _storable(text: str) -> str:
    """Return a text in NFC, without characters that databases refuse; a file's name may be any bytes."""
    return nfc(text.encode("utf-8", "replace").decode().replace("\0", "?"))
