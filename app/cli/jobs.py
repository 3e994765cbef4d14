"""`arcid jobs`: the long work of running services."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from app.cli.output import Console, show
from app.config import read_settings
from app.jobs.store import JobStore
from app.jobs.values import Job, JobState
from app.observability.printable import one_line
from app.wiring.services import open_database

cli = typer.Typer(help="Jobs: long work that a running service does (POST /jobs).", no_args_is_help=True)

_AT_ONCE = 200
Id = Annotated[str, typer.Argument(help="The job's id.")]


@cli.command("list")
def list_jobs(
    *,
    collection: Annotated[str | None, typer.Option(help="Only of this collection.")] = None,
    state: Annotated[JobState | None, typer.Option(help="Only in this state.")] = None,
) -> None:
    """List the jobs, the oldest first."""
    store, after = _store(), 0
    table = Table("id", "kind", "collection", "state", "done", "errors", "asked for by", "created", box=None)
    while True:
        page = store.page(
            after=after, limit=_AT_ONCE, state=state, collections=None if collection is None else {collection}
        )
        for each in page.items:
            done, who = _done(each), each.actor.name
            cells = (each.job_id, each.kind, each.collection or "", each.state.value, done, str(each.errors), who)
            table.add_row(*cells, _moment(each.created_at))
        if page.after is None:
            break
        after = page.after
    show(table)


@cli.command("show")
def show_job(job_id: Id) -> None:
    """Show a job, with the first of what it could not do."""
    store = _store()
    job = store.get(job_id)
    table = Table("", "", box=None, show_header=False)
    rows = {
        "id": job.job_id,
        "kind": job.kind,
        "collection": job.collection,
        "state": job.state.value,
        "done": _done(job),
        "errors": job.errors,
        "result": job.result and ", ".join(f"{name}: {value}" for name, value in job.result.items()),
        "failure": job.failure and f"{job.failure.code}: {job.failure.detail}",
        "asked for by": job.actor.name,
        "attempts": job.attempts,
        "created": _moment(job.created_at),
        "started": job.started_at and _moment(job.started_at),
        "finished": job.finished_at and _moment(job.finished_at),
    }
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, one_line(str(value)))
    show(table)
    refused = store.errors(job, after=0, limit=_AT_ONCE).items
    if refused:
        listed = Table("item", "code", "detail", box=None)
        for each in refused:
            listed.add_row(*map(one_line, (each.item, each.code, each.detail)))
        show(listed)


@cli.command()
def cancel(job_id: Id) -> None:
    """Ask for a job's end; what it has done stays done."""
    job = _store().cancel(job_id)
    Console().print(f"{job.job_id}: {job.state.value}", highlight=False)


def _store() -> JobStore:
    database = open_database(read_settings())
    database.schema.require_current()
    return JobStore(database.engine)


def _done(job: Job) -> str:
    return f"{job.done}/{'?' if job.total is None else job.total}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
