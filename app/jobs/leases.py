"""Job leases: a job belongs to one process for as long as it renews its lease."""

from collections.abc import Collection as AnyOf
from datetime import timedelta

from sqlalchemy import ColumnElement, Engine, and_, delete, insert, or_, select
from sqlalchemy.orm import Session

from app.database import audit, clock, outbox
from app.database.audit import Action, acting
from app.database.tables import JobErrorTable, JobTable
from app.jobs import job_rows as rows
from app.jobs.job import Claim, Failure, JobProgress, JobState, JsonObject
from app.jobs.store import UNFINISHED

_MOST = 2
"""A lease that ends later than this many times its length was taken before the clock was set back."""
_LONGEST_DELAY = timedelta(minutes=1)


class Leases:
    """Leases of one process (`owner`: its unique id) with a data folder (`place`).

    Every method is one transaction. Methods with a claim return None or False, and do nothing, if another process owns
    the job by then.
    """

    def __init__(self, engine: Engine, *, owner: str, place: str, lease: timedelta) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)
        self._owner = owner
        self._place = place
        self._lease = lease

    def claim(self, kinds: AnyOf[str]) -> Claim | None:
        """Claim the oldest job that waits or whose process died, and start it (again)."""
        with Session(self._reading) as session:  # usually no job waits, and this read blocks no writer
            if session.scalar(select(JobTable.id).where(self._is_free(session, kinds)).limit(1)) is None:
                return None
        with Session(self._writing) as session, session.begin():
            free = select(JobTable).where(self._is_free(session, kinds)).order_by(JobTable.id).limit(1)
            row = session.scalar(free.with_for_update(skip_locked=True))
            if row is None:
                return None
            now = clock.now(session)
            row.deaths += row.owner not in {None, self._owner}
            row.owner, row.leased_until = self._owner, now + self._lease
            row.state = JobState.RUNNING.value if row.state == JobState.QUEUED.value else row.state
            row.started_at = row.started_at or now
            row.attempts += 1
            # Items after the checkpoint are processed, and refused, again.
            row.errors = row.errors_kept
            session.execute(
                delete(JobErrorTable).where(JobErrorTable.job_key == row.id, JobErrorTable.number > row.errors)
            )
            session.flush()
            return Claim(rows.job(row), self._owner, row.checkpoint, row.deaths)

    def heartbeat(self, claim: Claim) -> JobState | None:
        """Extend the lease; return the job's state."""
        with Session(self._writing) as session, session.begin():
            row = self._own(session, claim)
            if row is None:
                return None
            row.leased_until = clock.now(session) + self._lease
            return JobState(row.state)

    def state(self, claim: Claim) -> JobState | None:
        """Return the job's state; costs a query."""
        with Session(self._reading) as session:
            state = session.scalar(
                select(JobTable.state).where(JobTable.id == claim.job.key, JobTable.owner == claim.owner)
            )
        return None if state is None else JobState(state)

    def note(self, claim: Claim, standing: JobProgress) -> JobState | None:
        """Store the job's progress and checkpoint; return the job's state."""
        with Session(self._writing) as session, session.begin():
            row = self._own(session, claim)
            if row is None:
                return None
            _note(session, row, standing)
            return JobState(row.state)

    def finish(
        self,
        claim: Claim,
        standing: JobProgress,
        state: JobState,
        *,
        result: JsonObject | None = None,
        failure: Failure | None = None,
    ) -> bool:
        """End the job; the audit trail records it under the name of the job's creator."""
        with acting(claim.job.actor), Session(self._writing) as session, session.begin():
            row = self._own(session, claim)
            if row is None:
                return False
            _note(session, row, standing)
            row.state, row.result = state.value, None if result is None else dict(result)
            if failure is not None:
                row.failure_code, row.failure_detail = failure.code, failure.detail[:1024]
            row.finished_at, row.owner, row.leased_until = clock.now(session), None, None
            detail = {"kind": row.kind, "state": state.value, **({"code": failure.code} if failure else {})}
            session.flush()
            outbox.append(session, rows.finished_event(row))
            audit.append(session, Action.JOB_FINISHED, collection=row.collection, subject=row.job_id, detail=detail)
            return True

    def release(self, claim: Claim, delay: timedelta = timedelta()) -> bool:
        """Return the job, so that any process may continue it now, or after `delay` (at most a minute)."""
        with Session(self._writing) as session, session.begin():
            row = self._own(session, claim)
            if row is None:
                return False
            row.owner, row.leased_until = None, clock.now(session) + delay
            return True

    def _is_free(self, session: Session, kinds: AnyOf[str]) -> ColumnElement[bool]:
        now = clock.now(session)
        return and_(
            JobTable.state.in_(UNFINISHED),
            JobTable.kind.in_(sorted(kinds)),
            or_(JobTable.place.is_(None), JobTable.place == self._place),
            or_(
                JobTable.leased_until.is_(None),
                JobTable.leased_until <= now,
                JobTable.leased_until > now + _MOST * max(self._lease, _LONGEST_DELAY),
            ),
        )

    @staticmethod
    def _own(session: Session, claim: Claim) -> JobTable | None:
        return session.scalar(
            select(JobTable).where(JobTable.id == claim.job.key, JobTable.owner == claim.owner).with_for_update()
        )


def _note(session: Session, row: JobTable, standing: JobProgress) -> None:
    row.done, row.total, row.errors = standing.done, standing.total, standing.errors
    if standing.refused:
        session.execute(
            insert(JobErrorTable),
            [
                {
                    "job_key": row.id,
                    "number": each.number,
                    "item": each.item[:512],
                    "code": each.code,
                    "detail": each.detail[:1024],
                }
                for each in standing.refused
            ],
        )
    if standing.checkpoint is not None:
        row.checkpoint, row.errors_kept, row.deaths = dict(standing.checkpoint), standing.errors, 0
