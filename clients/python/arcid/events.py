"""Values of events, and of the rules for sightings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

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


RuleEvent = Literal["sighting", "watchlist.hit"]
Verdict = Literal["match", "possible", "unknown", "attack"]


@dataclass(frozen=True, slots=True)
class QuietHours(Value):
    """Hours of each day, such as `22:00` to `06:00`, by the clock of a time zone such as `Europe/Berlin`."""

    start: str
    end: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Rule(Value):
    """A rule for sightings. None in `collections` and `cameras`: all; in `send_to`: those that subscribe."""

    rule_id: str
    name: str
    event: RuleEvent
    collections: tuple[str, ...] | None
    cameras: tuple[str, ...] | None
    verdicts: tuple[Verdict, ...]
    is_live_required: bool
    quiet_hours: QuietHours | None
    cooldown_seconds: int
    send_to: tuple[str, ...] | None
    is_enabled: bool
    created_at: datetime
    updated_at: datetime
