"""`arcid reviews`: list and export the matches that people decide."""

from typing import Annotated

import typer
from rich.table import Table

from app.api.schemas.fields import DEFAULT_COLLECTION
from app.api.schemas.reviews import ReviewSchema
from app.cli.output import show
from app.config import read_settings
from app.container import Container
from app.gallery.store.review_values import ReviewRecord, ReviewState

cli = typer.Typer(help="Reviews: matches that people decide.", no_args_is_help=True)


InCollection = Annotated[str, typer.Option("--collection", help="Name of the collection.")]


@cli.command("list")
def list_reviews(
    *,
    collection: InCollection = DEFAULT_COLLECTION,
    state: Annotated[
        ReviewState | None, typer.Option(help="Only reviews in this state: open, confirmed, rejected or expired.")
    ] = None,
) -> None:
    """List the reviews of a collection, the oldest first."""
    table = Table("review", "opened", "origin", "verdict", "candidates", "state", "decided by", box=None)
    with Container(read_settings()) as container:
        for each in container.review_pages.all(container.store.collection(collection), state=state):
            table.add_row(*_row(each))
    show(table)


@cli.command()
def export(*, collection: InCollection = DEFAULT_COLLECTION) -> None:
    """Print all reviews of a collection with their decisions, as one JSON object per line."""
    with Container(read_settings()) as container:
        for each in container.review_pages.all(container.store.collection(collection)):
            typer.echo(ReviewSchema.of(collection, each).model_dump_json())


def _row(review: ReviewRecord) -> tuple[str, ...]:
    candidates = ", ".join(f"{each.identity_id} {each.similarity:.3f}" for each in review.candidates)
    deciders = ", ".join(f"{each.actor} ({each.decision.value})" for each in review.decisions)
    origin = review.origin.value if review.camera is None else f"{review.origin.value} {review.camera}"
    opened = f"{review.opened_at:%Y-%m-%d %H:%M}"
    return review.review_id, opened, origin, review.verdict, candidates, review.state.value, deciders
