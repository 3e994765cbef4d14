"""`arcid jobs`: list, show and cancel jobs."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from app.cli.default_collection import ensure_default
from app.cli.output import Console, show
from app.config import read_settings
from app.container import Container
from app.jobs.job import Job, JobState
from app.observability.printable import one_line

cli = typer.Typer(help="Jobs: long work of a running service (POST /jobs).", no_args_is_help=True)

_AT_ONCE = 200
Id = Annotated[str, typer.Argument(help="The job's id.")]


@cli.command("list")
def list_jobs(
    *,
    collection: Annotated[str | None, typer.Option(help="Only jobs of this collection.")] = None,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
) -> None:
    """List the jobs, oldest first; an unknown collection without jobs is an error."""
    collections = None if collection is None else {collection}
    after: int | None = 0
    table = Table("id", "kind", "collection", "state", "done", "errors", "asked for by", "created", box=None)
    with Container(read_settings()) as container:
        while after is not None:
            page = container.job_store.page(after=after, limit=_AT_ONCE, state=state, collections=collections)
            for job in page.items:
                cells = (job.job_id, job.kind, job.collection or "", job.state.value, _done(job), str(job.errors))
                table.add_row(*cells, job.actor.name, _moment(job.created_at))
            after = page.after
        has_none = collections and not container.job_store.page(after=0, limit=1, collections=collections).items
        if collection is not None and has_none:  # jobs of a deleted collection are listed
            ensure_default(container, collection)
            container.store.collection(collection)
    show(table)


@cli.command("show")
def show_job(job_id: Id) -> None:
    """Show a job, with its first errors."""
    with Container(read_settings()) as container:
        job = container.job_store.get(job_id)
        refused = container.job_store.errors(job, after=0, limit=_AT_ONCE).items
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
    if refused:
        listed = Table("item", "code", "detail", box=None)
        for each in refused:
            listed.add_row(*map(one_line, (each.item, each.code, each.detail)))
        show(listed)


@cli.command()
def cancel(job_id: Id) -> None:
    """Cancel a job. Faces that it has enrolled stay, and its result counts them."""
    with Container(read_settings()) as container:
        job = container.job_store.cancel(job_id)
        if job.state.is_final:
            container.job_traces.redact_ended(job)
    Console().print(f"{job.job_id}: {job.state.value}", highlight=False)


def _done(job: Job) -> str:
    return f"{job.done}/{'?' if job.total is None else job.total}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
