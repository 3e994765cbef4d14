"""Destinations of events."""

from app.errors.base import ArcidError


class DestinationUnknown(ArcidError):
    """No destination has this id, or it is for other collections than the key."""


class DestinationDisabled(ArcidError):
    """The destination is disabled, so nothing is sent to it."""


class TooManyDestinations(ArcidError):
    """The service has as many destinations of events as it may have."""
