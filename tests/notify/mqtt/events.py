"""Events to publish."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    kind: str = "person.recognised"
    camera: str | None = "door"
    identity_id: str | None = "ada"
    name: str | None = "Ada"
    verdict: str | None = "match"
    collection: str | None = "home"
    at: datetime = AT
    image: bytes | None = None
    position: int = 1
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event_id(self) -> str:
        return f"event-{self.position}"

    @property
    def key(self) -> str:
        return f"camera:{self.camera}"

    @property
    def data(self) -> Mapping[str, Any]:
        data = {"camera": self.camera, "identity_id": self.identity_id, "name": self.name, "verdict": self.verdict}
        return {key: value for key, value in data.items() if value is not None} | dict(self.details)
