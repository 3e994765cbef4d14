"""Jobs in SQL: create, list, cancel and delete them. `app.jobs.leases` assigns them to processes."""

from collections.abc import Collection as AnyOf
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, Select, delete, func, select
from sqlalchemy.orm import Session

from app.database import audit, outbox
from app.database.audit import Action
from app.database.tables import JobErrorTable, JobTable
from app.errors import JobFinished, JobUnderWay, JobUnknown, Overloaded
from app.jobs import job_rows as rows
from app.jobs.job import Job, JobState, NewJob, Refusal
from app.types import Page

MOST_UNFINISHED = 100
"""Maximum number of unfinished jobs, because their uploads use disk space."""
UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.CANCELLING.value)


class JobStore:
    """Stores jobs. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def create(self, new: NewJob, *, is_alone: bool = False) -> Job:
        """Create a job in the name of the current actor.

        Raises Overloaded if the maximum number of jobs waits, and JobUnderWay if an `is_alone` job is not the only one
        of its kind for its collection.
        """
        who = audit.actor()
        row = JobTable(
            job_id=new.job_id,
            kind=new.kind,
            collection=new.collection,
            parameters=dict(new.parameters),
            place=new.place,
            state=JobState.QUEUED.value,
            done=0,
            checkpoint={},
            errors=0,
            errors_kept=0,
            actor=who.name,
            key_id=who.key_id,
            request_id=who.request_id,
            attempts=0,
            deaths=0,
            created_at=datetime.now(UTC),
        )
        with Session(self._writing) as session, session.begin():
            session.add(row)
            session.flush()
            made = rows.job(row)
            audit.append(
                session,
                Action.JOB_CREATED,
                collection=new.collection,
                subject=new.job_id,
                detail={"kind": new.kind},
            )
            # Counted after taking the trail's lock, so that jobs created by others are visible.
            waiting = select(func.count()).select_from(JobTable).where(JobTable.state.in_(UNFINISHED))
            if (session.scalar(waiting) or 0) > MOST_UNFINISHED:
                raise Overloaded(f"{MOST_UNFINISHED} jobs wait or run, which is the maximum")
            if is_alone:
                _require_none(session, new.kind, new.collection, besides=made.job_id)
        return made

    def get(self, job_id: str, collections: AnyOf[str] | None = None) -> Job:
        """Return a job; raises JobUnknown, also if it belongs to none of `collections` (None: every job is visible)."""
        with Session(self._reading) as session:
            return rows.job(_row(session, _visible(collections), job_id))

    def some(self, job_ids: AnyOf[str]) -> dict[str, Job]:
        """Return jobs by their ids in one query; unknown ids are left out."""
        with Session(self._reading) as session:
            found = session.scalars(select(JobTable).where(JobTable.job_id.in_(sorted(job_ids))))
            return {row.job_id: rows.job(row) for row in found}

    def page(
        self, *, after: int, limit: int, state: JobState | None = None, collections: AnyOf[str] | None = None
    ) -> Page[Job]:
        """Return the jobs with keys above `after`, of some collections, in a state."""
        query = _visible(collections).where(JobTable.id > after).order_by(JobTable.id).limit(limit + 1)
        if state is not None:
            query = query.where(JobTable.state == state.value)
        with Session(self._reading) as session:
            found = [rows.job(row) for row in session.scalars(query)]
        return Page(found[:limit], found[limit - 1].key if len(found) > limit else None)

    def errors(self, job: Job, *, after: int, limit: int) -> Page[Refusal]:
        """Return the items that a job refused, with numbers above `after`."""
        query = (
            select(JobErrorTable)
            .where(JobErrorTable.job_key == job.key, JobErrorTable.number > after)
            .order_by(JobErrorTable.number)
            .limit(limit + 1)
        )
        with Session(self._reading) as session:
            found = [Refusal(each.number, each.item, each.code, each.detail) for each in session.scalars(query)]
        return Page(found[:limit], found[limit - 1].number if len(found) > limit else None)

    def cancel(self, job_id: str, collections: AnyOf[str] | None = None) -> Job:
        """Request cancellation of a job; a waiting job ends at once. Raises JobUnknown or JobFinished."""
        with Session(self._writing) as session, session.begin():
            row = _row(session, _visible(collections).with_for_update(), job_id)
            state = JobState(row.state)
            if state.is_final:
                raise JobFinished(f"the job has ended: it is {state.value}")
            if state is not JobState.CANCELLING:
                is_waiting = state is JobState.QUEUED
                row.state = (JobState.CANCELLED if is_waiting else JobState.CANCELLING).value
                row.finished_at = datetime.now(UTC) if is_waiting else None
                row.owner, row.leased_until = (None, None) if is_waiting else (row.owner, row.leased_until)
                session.flush()
                if is_waiting:
                    outbox.append(session, rows.finished_event(row))
                audit.append(
                    session,
                    Action.JOB_CANCELLED,
                    collection=row.collection,
                    subject=job_id,
                    detail={"kind": row.kind, "was": state.value},
                )
            return rows.job(row)

    def require_none(self, kind: str, collection: str) -> None:
        """Raise JobUnderWay if a job of a kind waits or runs for a collection."""
        with Session(self._reading) as session:
            _require_none(session, kind, collection)

    def has_ended_since(self, kind: str, collection: str, since: datetime) -> bool:
        """Return whether a job of a kind has succeeded for a collection since a moment."""
        query = select(JobTable.id).where(
            JobTable.state == JobState.SUCCEEDED.value,
            JobTable.kind == kind,
            JobTable.collection == collection,
            JobTable.finished_at >= since,
        )
        with Session(self._reading) as session:
            return session.scalar(query.limit(1)) is not None

    def note_download(self, job: Job) -> None:
        """Record in the audit trail that a job's result was downloaded."""
        with Session(self._writing) as session, session.begin():
            audit.append(
                session,
                Action.JOB_DOWNLOADED,
                collection=job.collection,
                subject=job.job_id,
                detail={"kind": job.kind},
            )

    def unfinished(self) -> set[str]:
        """Return the ids of the jobs that wait or run."""
        with Session(self._reading) as session:
            return set(session.scalars(select(JobTable.job_id).where(JobTable.state.in_(UNFINISHED))))

    def forget(self, keep: timedelta) -> None:
        """Delete the jobs that ended longer than `keep` ago, with their errors."""
        old = select(JobTable.id).where(JobTable.finished_at < datetime.now(UTC) - keep)
        with Session(self._writing) as session, session.begin():
            keys = session.scalars(old).all()
            session.execute(delete(JobErrorTable).where(JobErrorTable.job_key.in_(keys)))
            session.execute(delete(JobTable).where(JobTable.id.in_(keys)))


def _visible(collections: AnyOf[str] | None) -> Select[JobTable]:
    query = select(JobTable)
    return query if collections is None else query.where(JobTable.collection.in_(sorted(collections)))


def _row(session: Session, among: Select[JobTable], job_id: str) -> JobTable:
    row = session.scalar(among.where(JobTable.job_id == job_id))
    if row is None:
        raise JobUnknown(f"there is no job {job_id!r}")
    return row


def _require_none(session: Session, kind: str, collection: str | None, *, besides: str = "") -> None:
    query = select(JobTable.job_id).where(
        JobTable.state.in_(UNFINISHED),
        JobTable.kind == kind,
        JobTable.collection == collection,
        JobTable.job_id != besides,
    )
    job_id = session.scalar(query.limit(1))
    if job_id is not None:
        whose = "" if collection is None else f" for collection {collection!r}"
        raise JobUnderWay(f"the job {job_id} is unfinished{whose}: wait for its end or cancel it")
