"""What jobs keep of a person who is erased: files that were sent along, and what they said of their items."""

import re
from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, or_, select, update
from sqlalchemy.orm import Session

from app.database.audit import Action
from app.database.tables import AuditTable, JobErrorTable, JobTable
from app.identities.erasures import all_erased_since
from app.jobs.store import UNFINISHED
from app.jobs.values import Job, JobState, Kind

ERASED = "erased"
"""What stands in the place of a text that named an erased person."""
_IMPORTS = (Kind.IMPORT.value, Kind.IMPORT_ARCHIVE.value, Kind.IMPORT_EMBEDDINGS.value)
_ENDED = tuple(each.value for each in JobState if each.is_final)


class JobTraces:
    """Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def unfinished_imports(self, collection: str) -> list[str]:
        """Return the ids of the imports that wait or run for a collection: their source may hold anybody."""
        query = select(JobTable.job_id).where(
            JobTable.state.in_(UNFINISHED), JobTable.kind.in_(_IMPORTS), JobTable.collection == collection
        )
        with self._reading.connect() as connection:
            return list(connection.scalars(query.order_by(JobTable.id)))

    def asked_in(self, job: Job) -> int | None:
        """Return the line of the audit trail in which a job was asked for."""
        query = select(AuditTable.seq).where(
            AuditTable.collection == job.collection,
            AuditTable.subject == job.job_id,
            AuditTable.action == Action.JOB_CREATED.value,
        )
        with self._reading.connect() as connection:
            return connection.scalar(query)

    def redact(self, collection: str, words: AnyOf[str]) -> int:
        """Take a person's id and name out of all that jobs of a collection say; return from how many texts.

        What a job still needs to go on stays until it has ended: see `redact_ended`.
        """
        with Session(self._writing) as session, session.begin():
            return _redact(session, select(JobTable).where(JobTable.collection == collection), words)

    def redact_all(self, collection: str) -> None:
        """Take everybody out of what jobs of a collection say, since all of them are erased."""
        jobs = select(JobTable).where(JobTable.collection == collection)
        with Session(self._writing) as session, session.begin():
            keys = jobs.with_only_columns(JobTable.id)
            errors = update(JobErrorTable).where(JobErrorTable.job_key.in_(keys))
            session.execute(errors.values(item=ERASED, detail=ERASED), execution_options={"synchronize_session": False})
            for row in session.scalars(jobs):
                row.result = None
                row.failure_detail = None if row.failure_detail is None else ERASED

    def redact_ended(self, job: Job) -> None:
        """Take out of a job that has ended whoever was erased while it waited or ran."""
        since = self.asked_in(job)
        if since is not None and job.collection is not None:
            with Session(self._writing) as session, session.begin():
                words = all_erased_since(session, job.collection, since)
                _redact(session, select(JobTable).where(JobTable.id == job.key), words)


def _redact(session: Session, jobs: Any, words: AnyOf[str]) -> int:
    if not words:
        return 0
    said = _Words(words)
    count = 0
    rows = session.scalars(jobs).all()
    for row in rows:
        count += _redact_job(row, said)
    for start in range(0, len(rows), 500):
        keys = [row.id for row in rows[start : start + 500]]
        query = select(JobErrorTable).where(JobErrorTable.job_key.in_(keys))
        if len(said.all) <= _FEW:
            contained = (
                column.contains(word, autoescape=True)
                for column in (JobErrorTable.item, JobErrorTable.detail)
                for word in said.all
            )
            query = query.where(or_(*contained))
        for error in session.scalars(query):
            for name in ("item", "detail"):
                if said.are_in(getattr(error, name)):
                    setattr(error, name, ERASED)
                    count += 1
    return count


_FEW = 100  # words that the database looks for itself


def _redact_job(row: JobTable, said: "_Words") -> int:
    changed = 0
    if said.are_in(row.failure_detail or ""):
        row.failure_detail, changed = ERASED, changed + 1
    if row.result is not None and (result := said.without(row.result)) != row.result:
        row.result, changed = result, changed + 1
    if row.state in _ENDED:
        parameters = {**said.without(row.parameters), "collection": row.parameters.get("collection")}
        checkpoint = said.without(row.checkpoint)
        if parameters != row.parameters or checkpoint != row.checkpoint:
            row.parameters, row.checkpoint, changed = parameters, checkpoint, changed + 1
    return changed


class _Words:
    """Ids and names, found where they stand alone: "ada" is in "ada/1.jpg", not in "adam/1.jpg"."""

    def __init__(self, words: AnyOf[str]) -> None:
        self.all = sorted({form for word in words if word for form in (word, repr(word)[1:-1])})
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in self.all))

    def are_in(self, text: str) -> bool:
        """Say whether a text names any of them."""
        return bool(self.all) and self._pattern.search(text) is not None

    def without(self, value: Any) -> Any:
        """Return JSON in which texts that name any of them are replaced."""
        if isinstance(value, str):
            return ERASED if self.are_in(value) else value
        if isinstance(value, Mapping):
            return {key: self.without(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.without(each) for each in value]
        return value
