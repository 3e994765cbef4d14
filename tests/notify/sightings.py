"""Sightings and rules for tests."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from app.notify.rules import RuleEvent, SightingRule
from app.notify.sighting import Sighting, SightingVerdict

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
_numbers = count()


def sighting(**changes: Any) -> Sighting:
    """Return a sighting of Ada at the door, on a new track."""
    usual = Sighting(
        camera="door",
        track_id=f"track-{next(_numbers)}",
        collection="people",
        verdict=SightingVerdict.MATCH,
        identity_id="ada",
        name="Ada",
        similarity=0.71234,
        fpir=0.001,
        liveness="live",
        quality=0.8,
        frames=7,
        first_seen=NOON,
        last_seen=NOON,
    )
    return replace(usual, **changes)


def rule(**changes: Any) -> SightingRule:
    """Return a watchlist rule for everything that matches."""
    usual = SightingRule(
        rule_id="rule",
        name="Watchlist",
        event=RuleEvent.WATCHLIST_HIT,
        collections=None,
        cameras=None,
        verdicts=[SightingVerdict.MATCH],
        is_live_required=False,
        quiet_hours=None,
        cooldown_seconds=0,
        send_to=None,
        is_enabled=True,
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(usual, **changes)
