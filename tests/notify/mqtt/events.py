"""Events to publish."""

from datetime import UTC, datetime
from typing import Any

from app.notify.delivery import OutgoingEvent

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def event_of(
    kind: str = "person.recognised",
    *,
    camera: str | None = "door",
    identity_id: str | None = "ada",
    name: str | None = "Ada",
    verdict: str | None = "match",
    collection: str | None = "home",
    at: datetime = AT,
    image: bytes | None = None,
    position: int = 1,
    **details: Any,
) -> OutgoingEvent:
    """Return an event: by default, that the camera at the door has recognized Ada."""
    data = {"camera": camera, "identity_id": identity_id, "name": name, "verdict": verdict}
    known = {key: value for key, value in data.items() if value is not None}
    event_id = f"event-{position}"
    return OutgoingEvent(event_id, kind, f"camera:{camera}", position, collection, known | details, at, image)
