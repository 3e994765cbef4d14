"""`arcid reembed`: migrate a collection to another network."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from app.api.schemas.migration import OnMissing
from app.cli.default_collection import ensure_default
from app.cli.importing import CANCELLED, SOME_REFUSED, Shown
from app.cli.output import Console, show
from app.cli.serve import prepare_database, use_one_arena
from app.config import read_settings
from app.container import Container
from app.errors import JobCancelled
from app.gallery.store.migration_sql import FaceName
from app.gallery.store.model_migration import SwitchResult
from app.observability.counted import counted
from app.recognition.migration import MigrationOutcome, MigrationService

cli = typer.Typer(
    help="Model migration: embed faces again with another network, from their stored crops.", no_args_is_help=True
)

_SHOWN = 50


Name = Annotated[str, typer.Argument(help="Name of the collection.")]
Model = Annotated[str, typer.Option(help="Network or pack, of ARCID_PACK or ARCID_PACKS.")]
Missing = Annotated[OnMissing, typer.Option(help="Faces without a crop: refuse the switch, or delete them during it.")]


@cli.command()
def start(
    collection: Name,
    *,
    model: Model,
    on_missing: Missing = OnMissing.REFUSE,
    switch: Annotated[bool, typer.Option("--switch/--no-switch", help="Switch when all faces are embedded.")] = True,
) -> None:
    """Embed all faces with another network, then switch to it. A repeated run continues where the last one stopped.

    Exit status 3 if faces lack a crop and nothing was switched; 130 after Ctrl-C or SIGTERM.
    """
    done: MigrationOutcome | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _opened(collection) as change:
        change.require_possible(collection, model)
        with Bars(*columns, console=Console(stderr=True)) as bars:
            shown = Shown(bars, "faces")
            with shown.stoppable(), suppress(JobCancelled):
                done = change.embed_and_switch(
                    collection,
                    model,
                    is_rest_dropped=on_missing is OnMissing.DROP,
                    is_switched=switch,
                    on_progress=lambda ready, faces: shown.advance(ready, total=faces),
                )
    if done is None:
        _say(f"stopped at {counted(shown.done, 'face')}; run the same command again to continue")
        raise typer.Exit(CANCELLED)
    _list(done.named, done.missing)
    _say(f"{collection}{_outcome(done)}")
    if done.missing and not done.is_switched:
        raise typer.Exit(SOME_REFUSED)


@cli.command()
def status(
    collection: Name,
    *,
    model: Annotated[str | None, typer.Option(help="Network whose missing templates to list.")] = None,
) -> None:
    """Show the networks for which templates exist, and the faces that need a new photo."""
    with _opened(collection) as change:
        seen = change.overview(collection, model, after=0, limit=_SHOWN)
    table = Table("network", "templates", "", box=None)
    table.add_row(seen.collection.model, str(seen.collection.faces), "its own")
    for name, count in seen.ready.items():
        table.add_row(name, str(count), "before" if name == seen.before else "")
    show(table)
    _list(tuple(seen.without_crop.items), seen.crops_missing)


@cli.command()
def switch(collection: Name, *, model: Model, on_missing: Missing = OnMissing.REFUSE) -> None:
    """Switch to a network for which all faces have a template, in one transaction."""
    with _opened(collection) as change:
        _tell(change.switch(collection, model, is_rest_dropped=on_missing is OnMissing.DROP))


@cli.command()
def rollback(collection: Name, *, on_missing: Missing = OnMissing.REFUSE) -> None:
    """Switch back to the previous network, in one transaction."""
    with _opened(collection) as change:
        _tell(change.roll_back(collection, is_rest_dropped=on_missing is OnMissing.DROP))


@cli.command()
def discard(collection: Name) -> None:
    """Delete the templates of all networks but the current one; a rollback is then impossible."""
    with _opened(collection) as change:
        _say(f"{collection}: {counted(change.discard(collection), 'template')} deleted")


def _outcome(done: MigrationOutcome) -> str:
    """Return the rest of the sentence about a collection."""
    faces = counted(done.faces, "face")
    if done.is_switched:
        dropped = f", {done.dropped} deleted" if done.dropped else ""
        return f": {faces}, from {done.before} to {done.model}{dropped}"
    if not done.missing:
        have = counted(done.faces, "face has", "faces have")
        return f": all {have} a template of {done.model}; `arcid reembed switch` switches"
    need = "needs" if done.missing == 1 else "need"
    return f" still uses {done.before}: {done.missing} of {faces} {need} a new photo"


@contextmanager
def _opened(collection: str) -> Iterator[MigrationService]:
    use_one_arena()
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        container.save_snapshots_on_close()
        ensure_default(container, collection)
        yield container.migration


def _tell(done: SwitchResult) -> None:
    _list(tuple(done.dropped), len(done.dropped))
    dropped = f", {len(done.dropped)} deleted" if done.dropped else ""
    _say(f"{done.collection.name}: {counted(done.collection.faces, 'face')}, now uses {done.collection.model}{dropped}")


def _list(faces: tuple[FaceName, ...], count: int) -> None:
    if not faces:
        return
    table = Table("face without a crop", "of", box=None)
    for each in faces[:_SHOWN]:
        table.add_row(each.face_id, each.identity_id.replace("[", r"\["))
    show(table)
    if count > _SHOWN:
        _say(f"... and {count - _SHOWN} more: GET /collections/.../reembed lists them all")


def _say(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True)
