"""The command line: `arcid`."""

import os
import sys
from typing import NoReturn

import typer

from app import __version__
from app.cli import (
    audit,
    collections,
    database,
    evaluate,
    evaluate_groups,
    gallery,
    index,
    jobs,
    keys,
    models,
    reembed,
    train,
    train_commands,
)
from app.cli.backup import backup, restore
from app.cli.calibrate import calibrate
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.importing import import_photos
from app.cli.output import Console
from app.cli.portable import export, import_archive, import_embeddings
from app.cli.serve import serve
from app.errors import ArcidError, StorageNotWritable
from app.observability import logs

cli = typer.Typer(
    name="arcid",
    help="Self-hosted face recognition: enroll, verify, identify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command()(serve)
cli.command()(demo)
cli.command()(doctor)
cli.command()(calibrate)
cli.command("import")(import_photos)
cli.command()(export)
cli.command()(import_archive)
cli.command()(import_embeddings)
cli.command()(backup)
cli.command()(restore)
cli.add_typer(models.cli, name="models")
cli.add_typer(database.cli, name="db")
cli.add_typer(collections.cli, name="collections")
cli.add_typer(keys.cli, name="keys")
cli.add_typer(audit.cli, name="audit")
cli.add_typer(gallery.cli, name="gallery")
cli.add_typer(jobs.cli, name="jobs")
cli.add_typer(reembed.cli, name="reembed")
cli.add_typer(index.cli, name="index")
cli.add_typer(evaluate.cli, name="evaluate")
evaluate.cli.command()(evaluate_groups.groups)
cli.add_typer(train.cli, name="train")
train.cli.command()(train_commands.export)
train.cli.command()(train_commands.adapter)
train.cli.command()(train_commands.finetune)


@cli.command()
def version() -> None:
    """Print the version."""
    Console().print(__version__, highlight=False)


def main() -> None:
    """Run the command line. An error that the operator can fix is one line on standard error and exit status 1."""
    logs.configure(is_json=False, level="WARNING")  # `serve` logs more
    os.umask(0o077)  # files contain personal data: only their owner may read them
    try:
        cli()
    except ArcidError as error:
        _fail(error)
    except OSError as error:
        storage = StorageNotWritable.of(error)
        if storage is None:
            raise
        _fail(storage)


def _fail(error: ArcidError) -> NoReturn:
    line = f"arcid: {error} ({error.reason})" if error.reason else f"arcid: {error}"
    Console(stderr=True).print(line, style="red", highlight=False, soft_wrap=True)
    sys.exit(1)
