"""`arcid destinations`: webhooks and MQTT brokers that get events, and their deliveries."""

from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from app.access.keys import ANONYMOUS
from app.cli.default_collection import ensure_default
from app.cli.output import Console, show
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.outbox import EventKind
from app.notify.delivery import DeliveryState
from app.notify.destination import DestinationKind, NewDestination
from app.observability.counted import counted

cli = typer.Typer(help="Destinations of events: webhooks and MQTT brokers.", no_args_is_help=True)

_AT_ONCE = 200
Id = Annotated[str, typer.Argument(help="The destination's id.")]


@cli.command("list")
def list_destinations() -> None:
    """List the destinations, the oldest first."""
    table = Table("id", "kind", "origin", "kinds", "collections", "images", "state", "created", box=None)
    with Container(read_settings()) as container:
        for each in container.destinations.all(ANONYMOUS):
            table.add_row(
                each.destination_id,
                each.kind.value,
                each.origin,
                "all" if each.kinds is None else ", ".join(sorted(each.kinds)),
                "all" if each.collections is None else ", ".join(sorted(each.collections)),
                "yes" if each.is_image_sent else "no",
                "enabled" if each.is_enabled else "disabled",
                _moment(each.created_at),
            )
    show(table)


@cli.command()
def create(
    url: Annotated[str, typer.Argument(help="Address of the receiver.")],
    *,
    kind: Annotated[DestinationKind, typer.Option(help="Protocol of the receiver.")] = DestinationKind.WEBHOOK,
    event: Annotated[list[EventKind] | None, typer.Option(help="Only events of this kind; repeatable.")] = None,
    collection: Annotated[list[str] | None, typer.Option(help="Only events of this collection; repeatable.")] = None,
    images: Annotated[bool, typer.Option("--images", help="Also deliver images of faces.")] = False,
) -> None:
    """Create a destination, and print the secret of a webhook once."""
    new = NewDestination(kind, url, event or None, collection or None, is_image_sent=images)
    settings = read_settings()
    prepare_database(settings)
    with Container(settings) as container:
        for each in collection or ():
            ensure_default(container, each)
        made, secret = container.destinations.create(ANONYMOUS, new)
    _note(f"{made.destination_id}: {made.origin}{'; its secret is shown only now' if secret else ''}")
    if secret is not None:
        typer.echo(secret)


@cli.command()
def delete(destination_id: Id) -> None:
    """Delete a destination, its dead letters and the deliveries that wait."""
    with Container(read_settings()) as container:
        container.destinations.delete(ANONYMOUS, destination_id)
    _print(f"{destination_id}: deleted")


@cli.command()
def enable(destination_id: Id) -> None:
    """Deliver events to a destination again."""
    _switch(destination_id, is_enabled=True)


@cli.command()
def disable(destination_id: Id) -> None:
    """Deliver nothing to a destination; it misses all events until it is enabled."""
    _switch(destination_id, is_enabled=False)


@cli.command()
def rotate(
    destination_id: Id,
    hours: Annotated[int, typer.Option(min=0, max=720, help="Hours for which the old secret also signs events.")] = 24,
) -> None:
    """Replace the secret of a webhook, and print the new one once."""
    with Container(read_settings()) as container:
        _, secret = container.destinations.rotate(ANONYMOUS, destination_id, timedelta(hours=hours))
    _note(f"{destination_id}: the secret is shown only now")
    typer.echo(secret)


@cli.command()
def test(destination_id: Id) -> None:
    """Send a test event, which a running service delivers."""
    with Container(read_settings()) as container:
        event_id = container.destinations.test(ANONYMOUS, destination_id)
    _print(f"{event_id}: see arcid destinations deliveries {destination_id}")


@cli.command()
def deliveries(
    destination_id: Id, state: Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")] = None
) -> None:
    """List the deliveries to a destination, the oldest first."""
    table = Table("event", "kind", "key", "position", "state", "attempts", "status", "error", "queued", box=None)
    after: int | None = 0
    with Container(read_settings()) as container:
        while after is not None:
            page = container.destinations.deliveries(
                ANONYMOUS, destination_id, state=state, after=after, limit=_AT_ONCE
            )
            for each in page.items:
                numbers = (str(each.position), each.state.value, str(each.attempts), str(each.status or ""))
                table.add_row(
                    each.event_id, each.kind, each.ordering_key, *numbers, each.error or "", _moment(each.queued_at)
                )
            after = page.after
    show(table)


@cli.command()
def replay(
    destination_id: Id, event: Annotated[str | None, typer.Option(help="Only the dead letter of this event.")] = None
) -> None:
    """Queue the dead letters of a destination again."""
    with Container(read_settings()) as container:
        queued = container.destinations.replay(ANONYMOUS, destination_id, event)
    _print(f"{counted(queued, 'delivery', 'deliveries')} queued again")


def _switch(destination_id: str, *, is_enabled: bool) -> None:
    with Container(read_settings()) as container:
        container.destinations.change(ANONYMOUS, destination_id, {"is_enabled": is_enabled})
    _print(f"{destination_id}: {'enabled' if is_enabled else 'disabled'}")


def _print(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True)


def _note(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)  # the secret alone on standard output


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
