"""Rules for sightings."""

from app.errors.base import ArcidError


class RuleUnknown(ArcidError):
    """No rule has this id, or the key may not see it."""
