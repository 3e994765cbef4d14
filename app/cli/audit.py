"""`arcid audit`: verify and print the audit trail."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.access.trail import Anchor, TrailBreak
from app.cli.output import Console
from app.config import read_settings
from app.container import Container
from app.errors import SettingsInvalid, TrailBroken
from app.observability.counted import counted

_DATE_LETTERS = len("2027-01-31")

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
        raise TrailBroken(
            f"the audit trail is broken in {counted(len(verdict.breaks), 'place')}; "
            f"{counted(verdict.lines, 'line was', 'lines were')} read"
        )
    head = verdict.head
    console.print(
        f"{counted(verdict.lines, 'line')}, unbroken up to {head.seq}:{head.sha256}", highlight=False, soft_wrap=True
    )


@cli.command()
def anchor() -> None:
    """Print the last line as LINE:HASH. A copy kept elsewhere proves later that the trail up to it is unchanged."""
    with Container(read_settings()) as container:
        end = container.trail.end()
    typer.echo(f"{end.seq}:{end.sha256}")


@cli.command()
def export(
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only lines from this time on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only lines before this time.")] = None,
) -> None:
    """Print the trail as one JSON object per line, oldest first; exit status 1 if lines are unreadable.

    A TIME is a date, which starts at midnight in UTC, or a date and time such as 2027-01-31T12:00:00Z.
    """
    first, end = _time("--since", since), _time("--until", until)
    if first is not None and end is not None and end < first:
        raise SettingsInvalid("--until is before --since; exchange the two")
    unreadable = 0
    with Container(read_settings()) as container:
        for line in container.trail.lines_and_breaks(since=first, until=end):
            if isinstance(line, TrailBreak):
                unreadable += 1
                typer.echo(json.dumps({"seq": line.seq, "unreadable": True}))
            else:
                typer.echo(json.dumps(line.content()))
    if unreadable:
        raise TrailBroken(f"{counted(unreadable, 'line')} of the audit trail cannot be read; see arcid audit verify")


def _time(option: str, text: str | None) -> datetime | None:
    """Read a date, or a date and time with its zone; raises SettingsInvalid if the text is neither."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and len(text) > _DATE_LETTERS:
            raise SettingsInvalid(f"{option}: {text!r} lacks its time zone; end it with Z for UTC, or with an offset")
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        detail = f"{text!r} is not a date, or a date and time such as 2027-01-31T12:00:00Z"
        raise SettingsInvalid(f"{option}: {detail}") from error


def _anchor(text: str) -> Anchor:
    try:
        return Anchor.parse(text)
    except ValueError as error:
        raise SettingsInvalid(str(error)) from error
