"""Destinations of events."""

from app.errors.base import ArcidError


class DestinationUnknown(ArcidError):
    """There is no destination of this id, or it is for collections that are not the key's."""


class DestinationDisabled(ArcidError):
    """The destination is disabled, so nothing is sent to it."""


class TooManyDestinations(ArcidError):
    """The service has as many destinations of events as it may have."""
