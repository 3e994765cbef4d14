"""The job runner: a thread in each process that runs jobs, one after the other."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from app.database.audit import acting
from app.database.erasures import asked_in
from app.errors import (
    ArcidError,
    CollectionSwitched,
    DatabaseError,
    IndexUnavailable,
    JobCancelled,
    JobInterrupted,
    StorageNotWritable,
)
from app.jobs.job import Claim, Failure, JobState
from app.jobs.job_run import JobRun
from app.jobs.leases import Leases
from app.jobs.progress import Work
from app.jobs.store import JobStore
from app.jobs.traces import JobTraces
from app.observability.logs import get_logger
from app.periodic_worker import reason_of
from app.wall_clock import WallClock

_log = get_logger(__name__)

MOST_DEATHS = 3
_PASSING = (CollectionSwitched, DatabaseError, IndexUnavailable)
"""Temporary failures: the job is released, and continues from its checkpoint later."""
_INSIDE = Failure(ArcidError.code, "the service failed; its log has the details under this job's id")
_PAUSE = timedelta(seconds=5)
_TIDY_EVERY_S = 300.0


class JobRunner:
    """Polls for a job of one of the `kinds` every `every` seconds, and runs it."""

    def __init__(  # noqa: PLR0913 - it brings the parts of a job together
        self,
        store: JobStore,
        leases: Leases,
        kinds: Mapping[str, Work],
        *,
        lease_seconds: float,
        keep: timedelta,
        tidy: Callable[[str | None], None] = lambda _: None,
        traces: JobTraces | None = None,
        clock: WallClock | None = None,
        every: float = 1.0,
    ) -> None:
        """Create a runner; `start` starts its thread.

        Args:
            store: the jobs.
            leases: the leases of this process.
            kinds: kind -> its work.
            lease_seconds: length of a lease.
            keep: how long ended jobs are kept.
            tidy: deletes the files of an ended job; with None, of all ended jobs.
            traces: redacts people who were erased while a job waited or ran.
            clock: nothing is tidied for an hour after it was set.
            every: seconds between two polls.
        """
        self._store = store
        self._leases = leases
        self._kinds = kinds
        self._lease_seconds = lease_seconds
        self._keep = keep
        self._tidy = tidy
        self._traces = traces
        self._clock = clock or WallClock()
        self._every = every
        self._stopping = threading.Event()
        self._waking = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arcid-jobs", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Poll at once, because there is a new job."""
        self._waking.set()

    def stop(self) -> None:
        """Stop after the current step; another process can then claim the job at once."""
        self._stopping.set()
        self._waking.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        tidied = -_TIDY_EVERY_S
        is_away = False
        while not self._stopping.is_set():
            try:
                if time.monotonic() - tidied >= _TIDY_EVERY_S and self._clock.is_settled():
                    tidied = time.monotonic()
                    self._store.forget(self._keep)
                    self._tidy(None)
                if (claim := self._leases.claim(self._kinds.keys())) is not None:
                    self._do(claim)
                    continue
            except (ArcidError, OSError) as error:
                if not is_away:
                    _log.warning("jobs.failed", error=reason_of(error))
                is_away = True
            else:
                is_away = False
            self._waking.wait(self._every)
            self._waking.clear()

    def _do(self, claim: Claim) -> None:
        job = claim.job
        with structlog.contextvars.bound_contextvars(job=job.job_id, kind=job.kind):
            _log.info("job.started", attempt=job.attempts)
            running = JobRun(claim, self._leases, lease_seconds=self._lease_seconds, stopping=self._stopping)
            with acting(job.actor), running:
                self._work(claim, running)

    def _work(self, claim: Claim, running: JobRun) -> None:
        try:
            _require_survivable(claim)
            running.advance(claim.job.done)  # it may have been cancelled before it was claimed
            with asked_in(self._traces.asked_in(claim.job) if self._traces is not None else None):
                result = self._kinds[claim.job.kind](claim.job.parameters, running)
        except JobCancelled:
            if running.is_cancelling and not running.is_lost:
                self._finish(claim, running, JobState.CANCELLED, result=running.checkpoint.get("counts"))
            elif not running.is_lost:
                self._leases.release(claim)
                _log.info("job.released")
        except _PASSING as error:
            _log.warning("job.waits", error=error.code)
            self._leases.release(claim, _PAUSE)  # if this fails too, the lease expires
        except ArcidError as error:
            self._finish(claim, running, JobState.FAILED, failure=Failure(error.code, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever failed, it is this job that failed, not those after it
            _log.exception("job.failed")
            storage = StorageNotWritable.of(error) if isinstance(error, OSError) else None
            failure = Failure(storage.code, str(storage)) if storage is not None else _INSIDE
            self._finish(claim, running, JobState.FAILED, failure=failure)
        else:
            self._finish(claim, running, JobState.SUCCEEDED, result=result)

    def _finish(self, claim: Claim, running: JobRun, state: JobState, **outcome: object) -> None:
        if running.is_lost or not self._leases.finish(claim, running.snapshot(), state, **outcome):  # type: ignore[arg-type] # as `Leases.finish`
            _log.warning("job.lost")
            return
        _log.info("job.finished", state=state.value)
        self._tidy(claim.job.job_id)
        if self._traces is not None:
            self._traces.redact_ended(claim.job)


def _require_survivable(claim: Claim) -> None:
    if claim.deaths >= MOST_DEATHS:
        raise JobInterrupted(f"{claim.deaths} processes in a row died while they ran this job")
