"""Personal data in jobs: finding and redacting it when a person is erased."""

import re
from collections.abc import Collection as AnyOf
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from app.database.audit import Action
from app.database.erasures import all_erased_since
from app.database.tables import AuditTable, JobErrorTable, JobTable
from app.jobs.job import Job, JobState
from app.jobs.store import UNFINISHED
from app.names import nfc

ERASED = "erased"
"""The replacement of a text that named an erased person."""
_SEPARATORS = re.compile(r"[\s_.\-]+")
_ENDED = tuple(each.value for each in JobState if each.is_final)


class JobTraces:
    """Finds and redacts personal data in jobs. Every method is one transaction."""

    def __init__(self, engine: Engine, imports: AnyOf[str] = ()) -> None:
        """`imports` are the kinds of jobs that read personal data from a source."""
        self._imports = imports
        self._writing = engine
        self._reading = engine.execution_options(is_reader=True)

    def unfinished_imports(self, collection: str) -> list[str]:
        """Return the ids of the unfinished imports of a collection, whose sources may contain any person."""
        query = select(JobTable.job_id).where(
            JobTable.state.in_(UNFINISHED), JobTable.kind.in_(self._imports), JobTable.collection == collection
        )
        with self._reading.connect() as connection:
            return list(connection.scalars(query.order_by(JobTable.id)))

    def asked_in(self, job: Job) -> int | None:
        """Return the audit line of the creation of a job."""
        query = select(AuditTable.seq).where(
            AuditTable.collection == job.collection,
            AuditTable.subject == job.job_id,
            AuditTable.action == Action.JOB_CREATED.value,
        )
        with self._reading.connect() as connection:
            return connection.scalar(query)

    def redact(self, collection: str, words: AnyOf[str]) -> int:
        """Replace a person's id and name in all texts of jobs of a collection; return the number of changed texts.

        Texts that an unfinished job still needs stay until it has ended: see `redact_ended`.
        """
        with Session(self._writing) as session, session.begin():
            return _redact(session, select(JobTable).where(JobTable.collection == collection), words)

    def redact_all(self, collection: str) -> None:
        """Replace all texts of jobs of a collection, because all its people are erased."""
        jobs = select(JobTable).where(JobTable.collection == collection)
        with Session(self._writing) as session, session.begin():
            keys = jobs.with_only_columns(JobTable.id)
            errors = update(JobErrorTable).where(JobErrorTable.job_key.in_(keys))
            session.execute(errors.values(item=ERASED, detail=ERASED), execution_options={"synchronize_session": False})
            for row in session.scalars(jobs):
                row.result = None
                row.failure_detail = None if row.failure_detail is None else ERASED

    def redact_ended(self, job: Job) -> None:
        """Redact from an ended job everyone who was erased while it waited or ran."""
        since = self.asked_in(job)
        if since is not None and job.collection is not None:
            with Session(self._writing) as session, session.begin():
                words = all_erased_since(session, job.collection, since)
                _redact(session, select(JobTable).where(JobTable.id == job.key), words)


def _redact(session: Session, jobs: Any, words: AnyOf[str]) -> int:
    if not words:
        return 0
    said = _Words(words)
    rows = session.scalars(jobs).all()
    count = sum(_redact_job(row, said) for row in rows)
    keys = [row.id for row in rows if row.errors]
    for start in range(0, len(keys), 500):
        # All rows are read, because no database compares texts as `_Words` does. A job has at most `MOST_KEPT`.
        query = select(JobErrorTable.id, JobErrorTable.item, JobErrorTable.detail).where(
            JobErrorTable.job_key.in_(keys[start : start + 500])
        )
        changed = []
        for error in session.execute(query):
            item, detail = said.without(error.item), said.without(error.detail)
            count += (item != error.item) + (detail != error.detail)
            if (item, detail) != (error.item, error.detail):
                changed.append({"id": error.id, "item": item, "detail": detail})
        if changed:
            session.execute(update(JobErrorTable), changed)
    return count


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
    """Ids and names, matched as whole words: "ada" is in "ada/1.jpg" and "ada_1.jpg", but not in "adam/1.jpg".

    Case and Unicode form are ignored. Between the words of a name, "_", "-", "." and spaces are equal, because file
    names use any of them.
    """

    def __init__(self, words: AnyOf[str]) -> None:
        self.all = sorted({_folded(form) for word in words if word for form in (word, repr(word)[1:-1])})
        # One pair of word borders around all alternatives is faster than one around each.
        self._pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(_any_spelling, self.all))})(?![^\W_])")

    def are_in(self, text: str) -> bool:
        """Return whether a text contains any of the words."""
        return bool(self.all) and self._pattern.search(_folded(text)) is not None

    def without(self, value: Any) -> Any:
        """Return a JSON value with every text replaced that contains any of the words."""
        if isinstance(value, str):
            return ERASED if self.are_in(value) else value
        if isinstance(value, Mapping):
            return {key: self.without(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.without(each) for each in value]
        return value


def _folded(text: str) -> str:
    return nfc(nfc(text).casefold())


def _any_spelling(word: str) -> str:
    pieces = [re.escape(piece) for piece in _SEPARATORS.split(word) if piece] or [re.escape(word)]
    return _SEPARATORS.pattern.join(pieces)
