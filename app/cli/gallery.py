"""`arcid gallery`: check what is enrolled."""

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.api.schemas.health import HealthAnswer
from app.cli.default_collection import ensure_default
from app.cli.output import Console, show
from app.cli.rates import rate_in_words
from app.config import read_settings
from app.container import Container
from app.gallery.store.values import Collection
from app.observability.counted import counted
from app.recognition.health.check import HealthService
from app.recognition.health.findings import Findings, IdentityRef, SuggestedFix

cli = typer.Typer(help="Find people enrolled twice, wrong-person faces and low-quality faces.", no_args_is_help=True)

_PAGE = 200


@cli.callback()
def gallery() -> None:
    """Check galleries."""


@cli.command()
def check(
    *,
    collection: Annotated[
        str | None, typer.Option(help="Name of the collection; default: all collections of the network in use.")
    ] = None,
    max_fpir: Annotated[
        float | None,
        typer.Option(min=1e-9, max=0.5, help="Maximum share of people reported as enrolled twice by mistake."),
    ] = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document per collection, one per line.")
    ] = False,
) -> None:
    """Find people enrolled twice, wrong-person faces and low-quality faces; exit status 1 if there are any."""
    is_found = False
    with Container(read_settings()) as container:
        for each in _chosen(container, collection):
            found = _checked(container.health, each, max_fpir)
            is_found |= bool(found.pairs or found.foreign or found.poor)
            if is_json:
                answer = HealthAnswer.of(found).model_dump(mode="json", exclude={"next_cursor"})
                typer.echo(json.dumps({"collection": each.name, **answer}))
            else:
                _print(each, found)
    if is_found:
        raise typer.Exit(1)


def _chosen(container: Container, name: str | None) -> list[Collection]:
    if name is not None:
        ensure_default(container, name)
        return [container.store.collection(name)]
    return [each for each in container.store.collections() if each.model == container.registry.default.model]


def _checked(health: HealthService, collection: Collection, max_fpir: float | None) -> Findings:
    """Check all pages; return the findings, most certain first."""
    every, after = Findings(0, 0), 0
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(collection.name), total=collection.identities)
        while True:
            page = health.check(collection.name, after=after, limit=_PAGE, max_fpir=max_fpir)
            every = Findings(
                every.identities + page.identities,
                every.faces + page.faces,
                every.pairs + page.pairs,
                every.foreign + page.foreign,
                every.poor + page.poor,
            )
            progress.advance(task, page.identities)
            if page.after is None:
                break
            after = page.after
    every.pairs.sort(key=lambda each: -each.similarity)
    every.foreign.sort(key=lambda each: (each.is_undecided, each.similarity))
    every.poor.sort(key=lambda each: each.quality)
    return every


def _print(collection: Collection, found: Findings) -> None:
    counts = f"{counted(found.identities, 'identity', 'identities')}, {counted(found.faces, 'face')}"
    sums = (
        f"{counted(len(found.pairs), 'duplicate')}, "
        f"{counted(len(found.foreign), 'wrong-person face')}, {counted(len(found.poor), 'low-quality face')}"
    )
    Console().print(f"{collection.name}: {counts}; {sums}", highlight=False, soft_wrap=True)
    if found.pairs:
        table = Table("looks like one person", "and", "similarity", "FPIR", "fix by", box=None)
        for pair in found.pairs:
            names = (_named(pair.first), _named(pair.second))
            table.add_row(*names, f"{pair.similarity:.2f}", rate_in_words(pair.fpir), _call(pair.mend))
        show(table)
    if found.foreign:
        table = Table("foreign face", "of", "similarity", "FMR", "quality", "looks like", "fix by", box=None)
        for face in found.foreign:
            alike = face.looks_like
            table.add_row(
                face.face_id,
                _named(face.identity),
                f"{face.similarity:.2f} to {face.others}",
                rate_in_words(face.fmr),
                f"{face.quality:.2f}",
                ("unlike each other" if face.is_undecided else "nobody else")
                if alike is None
                else f"{_named(alike.person)}, {alike.similarity:.2f}, FPIR {rate_in_words(alike.fpir)}",
                _call(face.mend),
            )
        show(table)
    if found.poor:
        table = Table("low-quality face", "of", "quality", "fix by", box=None)
        for poor in found.poor:
            quality = f"{poor.quality:.2f} (least {poor.least:g})"
            table.add_row(poor.face_id, _named(poor.identity), quality, _call(poor.mend))
        show(table)


def _named(person: IdentityRef) -> str:
    return f"{person.identity_id} ({person.faces})"


def _call(fix: SuggestedFix) -> str:
    body = "" if fix.body is None else f" {json.dumps(fix.body, ensure_ascii=False)}"
    return f"{fix.method} {fix.path}{body}"
