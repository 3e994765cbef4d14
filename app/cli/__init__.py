"""The command line: `arcid`."""

import os
import sys
from importlib import import_module
from typing import Annotated, ClassVar, NoReturn

import typer

from app import __version__
from app.cli.error_line import error_line
from app.cli.lazy import LazyCommand, LazyGroup
from app.errors import ArcidError, FileUnusable, StorageNotWritable
from app.observability.printable import printable

# By panel of `arcid --help`: each command, where it is, and the first line of its help.
COMMANDS = {
    "Faces": {
        "identify": ("app.cli.faces:identify", "Show who is in photos, with the box of each face."),
        "verify": ("app.cli.faces:verify", "Compare a photo with another one, or with an enrolled person."),
        "detect": ("app.cli.faces:detect", "Find the faces in photos and measure their quality. Nothing is stored."),
        "enroll": (
            "app.cli.faces:enroll",
            "Enroll a person with photos, each of which is accepted or refused on its own.",
        ),
        "watch": ("app.cli.watch:watch", "Show who is in a video or stream: one line for each decision on a track."),
        "people": ("app.cli.faces:people", "List the enrolled people of a collection."),
        "cluster": (
            "app.cli.cluster:cluster",
            "Sort a folder of photos into people whom nobody has named. A repeated run with --out adds new photos.",
        ),
    },
    "Run": {
        "serve": ("app.cli.serve:serve", "Serve the REST API."),
        "demo": (
            "app.cli.demo:demo",
            "Serve the page with six people from a sample photo enrolled, and show three photos to try.",
        ),
        "doctor": (
            "app.cli.doctor:doctor",
            "Report versions, providers, networks, database and index; exit status 1 if a check fails.",
        ),
        "config": (
            "app.cli.config:config",
            "List all settings, their values and where each comes from; secrets are hidden.",
        ),
    },
    "Import and export": {
        "import": (
            "app.cli.importing:import_photos",
            "Enroll photos of many people. A repeated run skips those that are enrolled already.",
        ),
        "import-embeddings": (
            "app.cli.portable:import_embeddings",
            "Import embeddings from elsewhere; if lines are refused, the rest is imported and the exit status is 1.",
        ),
        "export": (
            "app.cli.portable:export",
            "Write a collection to a portable archive, even while the service runs.",
        ),
        "import-archive": (
            "app.cli.portable:import_archive",
            "Import a portable archive. Faces that exist already are skipped, so it may be repeated.",
        ),
    },
    "Collections": {
        "collections": (
            "app.cli.collections:cli",
            "Collections: isolated galleries, each bound to one network.",
        ),
        "gallery": ("app.cli.gallery:cli", "Find people enrolled twice, wrong-person faces and low-quality faces."),
        "calibrate": (
            "app.cli.calibration:cli",
            "Measure how similar different people are, and write a calibration for the network in use.",
        ),
    },
    "Networks": {
        "models": ("app.cli.own_networks:cli", "Packs of networks: list, pull, measure, verify, add."),
        "reembed": (
            "app.cli.reembed:cli",
            "Model migration: embed faces again with another network, from their stored crops.",
        ),
        "evaluate": ("app.cli.evaluation:cli", "Measure a pack on photos of known people."),
        "train": ("app.cli.training:cli", "Train your own network; see docs/training.md."),
    },
    "Administration": {
        "keys": ("app.cli.keys:cli", "API keys: once one exists, every request needs one."),
        "audit": (
            "app.cli.audit:cli",
            "The audit trail: append-only, each line chained to the previous one.",
        ),
        "destinations": ("app.cli.destinations:cli", "Destinations of events: webhooks and MQTT brokers."),
        "reviews": ("app.cli.reviews:cli", "Reviews: matches that people decide."),
        "jobs": ("app.cli.jobs:cli", "Jobs: long work of a running service (POST /jobs)."),
        "index": (
            "app.cli.index:cli",
            "Show, check, measure and rebuild the search indexes that are made from the database.",
        ),
        "db": ("app.cli.database:cli", "Show and upgrade the schema of the database."),
        "backup": (
            "app.cli.backup:backup",
            "Write the embedded database and the calibrations to a file, even while the service runs.",
        ),
        "restore": (
            "app.cli.backup:restore",
            "Replace the embedded database with a backup. Stop the service first.",
        ),
    },
}


class ArcidGroup(LazyGroup):
    """All commands."""

    lazy: ClassVar = {
        name: LazyCommand(name, target, about=about, panel=panel)
        for panel, commands in COMMANDS.items()
        for name, (target, about) in commands.items()
    }


cli = typer.Typer(
    name="arcid",
    cls=ArcidGroup,
    help="Self-hosted face recognition: enroll, verify, identify.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def arcid(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run a command."""


def main() -> None:
    """Run the command line. An error that the operator can fix is one line on standard error and exit status 1."""
    os.umask(0o077)  # files contain personal data: only their owner may read them
    try:
        cli(obj=_log_warnings)
    except ArcidError as error:
        _fail(error)
    except OSError as error:
        known = StorageNotWritable.of(error) or _file_error(error)
        if known is None:
            raise
        _fail(known)


def _file_error(error: OSError) -> FileUnusable | None:
    """Return the error for a named file that cannot be used, for example because a folder in its path is a file."""
    if error.filename is None or error.strerror is None:
        return None
    return FileUnusable(f"{error.filename} cannot be used: {error.strerror.lower()}")


def _log_warnings() -> None:
    """Log warnings; `serve` logs more. Imported only for commands that log."""
    import_module("app.observability.logs").configure(is_json=False, level="WARNING")


def _fail(error: ArcidError) -> NoReturn:
    typer.secho(printable(f"arcid: {error_line(error)}"), err=True, fg="red")
    sys.exit(1)
