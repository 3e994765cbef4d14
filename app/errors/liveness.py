"""Challenges of liveness, and the frames that answer them."""

from app.errors.base import ArcidError


class ChallengeUnknown(ArcidError):
    """No liveness challenge of this collection has this id and nonce."""


class ChallengeExpired(ArcidError):
    """The liveness challenge was not answered in time."""


class ChallengeUsed(ArcidError):
    """The liveness challenge was answered before; each counts once."""


class FramesInvalid(ArcidError):
    """The frames are not those that were taken for the challenge: in another order, changed, or sent twice."""


class FramesReplayed(ArcidError):
    """A frame of the answer was in an earlier answer to a liveness challenge."""
