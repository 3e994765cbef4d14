"""Rules for sightings, and the events that these become."""

from app.errors.base import ArcidError


class RuleUnknown(ArcidError):
    """No rule has this id, or the key may not see it."""


class EventImageUnknown(ArcidError):
    """The event has no image, or the key may not see it."""
