"""`arcid audit`: verify and print the audit trail."""

import json
from typing import Annotated

import typer

from app.access.trail import Anchor, TrailBreak
from app.cli.output import Console
from app.config import read_settings
from app.container import Container
from app.errors import SettingsInvalid, TrailBroken

cli = typer.Typer(help="The audit trail: append-only, each line chained to the previous one.", no_args_is_help=True)


@cli.command()
def verify(
    anchor: Annotated[
        str | None, typer.Option(help="LINE:HASH from an earlier run; that line must be unchanged.")
    ] = None,
) -> None:
    """Check every line and print the last one as an anchor. List changed lines; exit status 1 if there are any."""
    with Container(read_settings()) as container:
        verdict = container.trail.verify(None if anchor is None else _anchor(anchor))
    console = Console()
    for each in verdict.breaks:
        console.print(f"line {each.seq}: {each.what}", highlight=False, soft_wrap=True)
    if verdict.breaks:
        raise TrailBroken(f"the audit trail is broken in {len(verdict.breaks)} places; {verdict.lines} lines were read")
    head = verdict.head
    console.print(f"{verdict.lines} lines, unbroken up to {head.seq}:{head.sha256}", highlight=False, soft_wrap=True)


@cli.command()
def anchor() -> None:
    """Print the last line as LINE:HASH. A copy kept elsewhere proves later that the trail up to it is unchanged."""
    with Container(read_settings()) as container:
        end = container.trail.end()
    typer.echo(f"{end.seq}:{end.sha256}")


@cli.command()
def export() -> None:
    """Print the trail as one JSON object per line, oldest first; exit status 1 if lines are unreadable."""
    unreadable = 0
    with Container(read_settings()) as container:
        for line in container.trail.lines_and_breaks():
            if isinstance(line, TrailBreak):
                unreadable += 1
                typer.echo(json.dumps({"seq": line.seq, "unreadable": True}))
            else:
                typer.echo(json.dumps(line.content()))
    if unreadable:
        raise TrailBroken(f"{unreadable} lines of the audit trail cannot be read; see arcid audit verify")


def _anchor(text: str) -> Anchor:
    try:
        return Anchor.parse(text)
    except ValueError as error:
        raise SettingsInvalid(str(error)) from error
