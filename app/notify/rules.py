"""Rules for sightings: which of them make which events, and where these are sent. Pure.

Without rules, each sighting makes one event, named by its verdict, for every destination that subscribes to it. Rules
with the event `sighting` restrict where that event is sent. Each rule with the event `watchlist.hit` adds an event.
"""

from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.database.outbox import EventKind
from app.notify.sighting import Sighting, SightingVerdict

_KINDS = {
    SightingVerdict.MATCH: EventKind.PERSON_RECOGNISED,
    SightingVerdict.POSSIBLE: EventKind.PERSON_POSSIBLE,
    SightingVerdict.UNKNOWN: EventKind.PERSON_UNKNOWN,
    SightingVerdict.ATTACK: EventKind.ATTACK_SUSPECTED,
}
_LIVE = "live"


class RuleEvent(StrEnum):
    """The event of a rule: that of the sighting itself, or an additional one."""

    SIGHTING = "sighting"
    WATCHLIST_HIT = EventKind.WATCHLIST_HIT.value


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of each day, from `start` until before `end`, by the clock of a time zone; may include midnight.

    Where clocks change, an hour that is missing or comes twice counts by what the clock shows.
    """

    start: time
    end: time
    time_zone: str

    def include(self, moment: datetime) -> bool:
        """Return whether an aware moment is in the quiet hours."""
        clock = moment.astimezone(ZoneInfo(self.time_zone)).time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


@dataclass(frozen=True, slots=True)
class SightingRule:
    """A stored rule.

    Attributes:
        rule_id: Its id.
        name: A name for people.
        event: The event that it makes or sends.
        collections: The collections concerned; None: all.
        cameras: The cameras concerned; None: all.
        verdicts: The verdicts concerned.
        is_live_required: Whether only faces that were found live count.
        quiet_hours: Hours in which it sends nothing.
        cooldown_seconds: Least time between two events about one person on one camera; 0: none.
        send_to: Ids of the destinations; None: every destination that subscribes to the event.
        is_enabled: Whether it applies.
        created_at: Time of its creation.
        updated_at: Time of its last change.
    """

    rule_id: str
    name: str
    event: RuleEvent
    collections: Sequence[str] | None
    cameras: Sequence[str] | None
    verdicts: Sequence[SightingVerdict]
    is_live_required: bool
    quiet_hours: QuietHours | None
    cooldown_seconds: int
    send_to: Sequence[str] | None
    is_enabled: bool
    created_at: datetime
    updated_at: datetime

    def covers(self, sighting: Sighting) -> bool:
        """Return whether the rule applies to the sighting's camera and collection."""
        is_there = self.collections is None or sighting.collection in self.collections
        return self.is_enabled and is_there and (self.cameras is None or sighting.camera in self.cameras)

    def matches(self, sighting: Sighting) -> bool:
        """Return whether the sighting meets the rule's conditions, apart from its cooldown."""
        if not self.covers(sighting) or sighting.verdict not in self.verdicts:
            return False
        if self.is_live_required and sighting.liveness != _LIVE:
            return False
        return self.quiet_hours is None or not self.quiet_hours.include(sighting.last_seen)


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """An event to append, with the rule that makes it and the destinations (None: those that subscribe)."""

    kind: EventKind
    send_to: Sequence[str] | None
    rule: SightingRule | None = None


def planned_events(rules: Iterable[SightingRule], firing: AnyOf[str], sighting: Sighting) -> list[PlannedEvent]:
    """Return the events of a sighting: first its own one, then the hits of watchlists.

    `firing`: ids of the rules that match the sighting and are not in their cooldown. The own event is always recorded,
    so that streams show it; rules decide only where it is sent.
    """
    covering = [rule for rule in rules if rule.covers(sighting)]
    senders = [rule for rule in covering if rule.event is RuleEvent.SIGHTING]
    send_to = _destinations([rule for rule in senders if rule.rule_id in firing]) if senders else None
    hits = [rule for rule in covering if rule.event is RuleEvent.WATCHLIST_HIT and rule.rule_id in firing]
    own = PlannedEvent(_KINDS[sighting.verdict], send_to)
    return [own, *(PlannedEvent(EventKind.WATCHLIST_HIT, rule.send_to, rule) for rule in hits)]


def _destinations(rules: Sequence[SightingRule]) -> list[str] | None:
    """Return the destinations of several rules; None if one of them sends to all that subscribe."""
    chosen: dict[str, None] = {}
    for rule in rules:
        if rule.send_to is None:
            return None
        chosen |= dict.fromkeys(rule.send_to)
    return list(chosen)
