"""`arcid collections`: isolated galleries."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.output import show
from app.cli.serve import prepare_database
from app.config import read_settings
from app.factory.networks import embedder_of
from app.factory.services import new_practice, open_packs, open_store
from app.identities.values import Practice

cli = typer.Typer(help="Collections: isolated galleries, each bound to one network.", no_args_is_help=True)


Flip = Annotated[bool | None, typer.Option("--flip/--no-flip", help="Average embeddings with the mirror image's.")]
EnrolQuality = Annotated[float | None, typer.Option(min=0, max=1, help="Least quality of an enrolled face.")]
ProbeQuality = Annotated[float | None, typer.Option(min=0, max=1, help="Least quality of a firmly matched probe.")]


@cli.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the new collection.")],
    flip: Flip = None,
    enrol_quality: EnrolQuality = None,
    probe_quality: ProbeQuality = None,
) -> None:
    """Create a collection for the network of ARCID_PACK; a running service serves it at once."""
    settings = read_settings()
    prepare_database(settings)
    embedder = embedder_of(open_packs(settings).manifest(settings.pack))
    practice = _changed(new_practice(settings), is_flip_averaged=flip, enrol=enrol_quality, probe=probe_quality)
    open_store(settings).create_collection(name, model=embedder.model, dimension=embedder.dimension, practice=practice)
    Console().print(f"{name}: created for {embedder.model}", highlight=False)


@cli.command("set")
def change(
    name: Annotated[str, typer.Argument(help="Name of the collection.")],
    flip: Flip = None,
    enrol_quality: EnrolQuality = None,
    probe_quality: ProbeQuality = None,
) -> None:
    """Change a collection; what is not named stays. Flip averaging is fixed once somebody is enrolled."""
    store = open_store(read_settings())
    now = store.collection(name).practice
    practice = _changed(now, is_flip_averaged=flip, enrol=enrol_quality, probe=probe_quality)
    store.change_practice(name, practice)
    Console().print(f"{name}: {_described(practice)}", highlight=False)


@cli.command("list")
def list_collections() -> None:
    """List the collections with their networks and the number of faces."""
    store = open_store(read_settings())
    table = Table("collection", "network", "identities", "faces", "revision", "practice", box=None)
    for each in store.collections():
        counts = (str(count) for count in (each.identities, each.faces, each.revision))
        table.add_row(each.name, each.model, *counts, _described(each.practice))
    show(table)


def _changed(
    practice: Practice, *, is_flip_averaged: bool | None, enrol: float | None, probe: float | None
) -> Practice:
    return Practice(
        practice.is_flip_averaged if is_flip_averaged is None else is_flip_averaged,
        practice.enrol_quality if enrol is None else enrol,
        practice.probe_quality if probe is None else probe,
    )


def _described(practice: Practice) -> str:
    flip = "flip-averaged" if practice.is_flip_averaged else "plain"
    return f"{flip}, quality from {practice.enrol_quality:g} (enrolment) and {practice.probe_quality:g} (probe)"
