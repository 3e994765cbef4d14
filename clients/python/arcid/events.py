"""Values of events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arcid.parsing import Value


@dataclass(frozen=True, slots=True)
class Event(Value):
    """An event: `kind` is such as `person.recognised`, `data` has its details, `position` orders all events."""

    id: str
    position: int | None
    kind: str
    key: str
    collection: str | None
    data: Mapping[str, Any]
    has_image: bool
    at: datetime
