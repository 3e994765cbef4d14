"""Events: page through them, follow them, get their images."""

import json
from collections.abc import Callable
from typing import Literal

from arcid.calls import Call, Reply, path, query
from arcid.events import Event
from arcid.operations.resource_calls import list_call
from arcid.resources import Page


def page(
    *,
    kind: str | None = None,
    camera: str | None = None,
    collection: str | None = None,
    order: Literal["oldest", "newest"] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Event]]:
    """List events, one page; `kind` may be several kinds, separated by commas."""
    return list_call(
        "/events",
        "events",
        Event,
        kind=kind,
        camera=camera,
        collection=collection,
        order=order,
        limit=limit,
        cursor=cursor,
    )


def stream(
    *,
    after: int | None = None,
    kind: str | None = None,
    camera: str | None = None,
    collection: str | None = None,
    seconds: float | None = None,
) -> Call[Callable[[str], Event]]:
    """Yield the events after a position (None: from now on), for at most `seconds`.

    The stream ends early if the service stops: call it again with the last `position`.
    """
    parameters = query(after=after, kind=kind, camera=camera, collection=collection, seconds=seconds)
    return Call("GET", "/events/stream", _read_event, query=parameters, is_repeatable=True, is_streamed=True)


def image(event_id: str) -> Call[bytes]:
    """Return the image of a sighting, a JPEG."""
    url = path("/events/{event_id}/image", event_id=event_id)
    return Call("GET", url, lambda reply: reply.content, is_repeatable=True)


def _read_event(_: Reply) -> Callable[[str], Event]:
    return lambda data: Event.from_json(json.loads(data))
