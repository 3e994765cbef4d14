"""Events: page through them, follow them, and get their images."""

import re
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BeforeValidator, StringConstraints

from app.access.keys import Scope
from app.api.http.dependencies import EventHubDependency, PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.event_hub import EventWatch
from app.api.http.routing import router_at
from app.api.schemas.events import EventSchema, EventsPage
from app.api.schemas.paging import After, Limit, cursor_of
from app.database.outbox import EventKind
from app.names import CollectionName, Text
from app.notify.event_log import EventFilter

router = router_at("/events", tag="events", scope=Scope.MANAGE)

_KIND = "|".join(re.escape(each) for each in EventKind)
_LONGEST_DAY = 86_400
_LARGEST = 2**63 - 1
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


def _known(value: object) -> object:
    """Name a wrong kind and the right ones, instead of a long pattern."""
    for each in value.split(",") if isinstance(value, str) else ():
        if each not in set(EventKind):
            raise ValueError(f"{each[:40]!r} is not a kind of event; send some of {', '.join(EventKind)}")
    return value


Kinds = Annotated[
    str | None,
    StringConstraints(max_length=1000, pattern=f"^({_KIND})(,({_KIND}))*$"),
    BeforeValidator(_known),
    Query(description="Only these kinds, separated by commas."),
]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z_-]+$")]


class EventOrder(StrEnum):
    """Order of a list of events."""

    OLDEST = "oldest"
    NEWEST = "newest"


async def _filter(
    principal: PrincipalDependency,
    kind: Kinds = None,
    camera: Annotated[Text | None, Query(description="Only events of this camera.")] = None,
    collection: Annotated[CollectionName | None, Query(description="Only events of this collection.")] = None,
) -> EventFilter:
    seen = principal.collections if collection is None else {collection}
    return EventFilter(None if kind is None else [EventKind(each) for each in kind.split(",")], camera, seen)


FilterDependency = Annotated[EventFilter, Depends(_filter)]


@router.get("")
async def list_events(
    services: ServicesDependency,
    workers: WorkersDependency,
    which: FilterDependency,
    after: After,
    limit: Limit = 50,
    order: Annotated[EventOrder, Query(description="Oldest or newest first.")] = EventOrder.OLDEST,
) -> EventsPage:
    """List the events in the order of their positions; a key for some collections sees the events of these only."""
    is_newest_first = order is EventOrder.NEWEST
    page = await workers.run(services.event_log.page, which, after=after, limit=limit, is_newest_first=is_newest_first)
    return EventsPage(events=[EventSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


async def _watch(
    services: ServicesDependency,
    principal: PrincipalDependency,
    hub: EventHubDependency,
    which: FilterDependency,
    after: Annotated[int | None, Query(ge=0, le=_LARGEST, description="Start after this position.")] = None,
    seconds: Annotated[
        float | None, Query(gt=0, le=_LONGEST_DAY, description="End the stream after so many seconds.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=32, description="Resume after this position; instead of `after`.")
    ] = None,
) -> AsyncIterator[EventWatch]:
    """Open a watch before the answer starts, while it can still be 503; it needs no slot."""
    end = await to_thread.run_sync(services.event_log.end)
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = int(last_event_id)
    log, access = services.event_log, services.access
    with hub.watch(log, which, principal, access, end=end, after=after, seconds=seconds) as watch:
        yield watch


@router.get("/stream", response_class=EventSourceResponse)
async def stream_events(watch: Annotated[EventWatch, Depends(_watch)]) -> AsyncIterator[ServerSentEvent]:
    """Follow events by server-sent events; `id` is the position. Without one, the stream starts with the next event."""
    async for event in watch:
        yield ServerSentEvent(event=event.kind.value, id=str(event.position), data=EventSchema.of(event))


@router.get("/{event_id}/image", response_class=Response, responses=_JPEG)
async def get_event_image(
    event_id: EventId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> Response:
    """Return the image of a sighting: a small JPEG of the face."""
    image = await workers.run(services.event_log.image, event_id, principal.collections)
    # Not cached: the image is deleted with its person.
    return Response(image, headers={"Cache-Control": "no-store"}, media_type="image/jpeg")
