"""Liveness challenges: a person in front of a camera follows prompts."""

import hashlib
from collections.abc import Sequence

from arcid.calls import Body, Call, form, path, value_reader
from arcid.liveness import ChallengeFrame, ChallengeVerdict, LivenessChallenge
from arcid.photos import bytes_of


def create(*, collection: str = "default") -> Call[LivenessChallenge]:
    """Create a challenge. Show its prompts one after another, and take frames of that."""
    body = Body(json={"collection": collection})
    return Call("POST", "/liveness/challenges", value_reader(LivenessChallenge), body=body, is_repeatable=True)


def answer(
    challenge: LivenessChallenge, frames: Sequence[ChallengeFrame], *, identity_id: str | None = None
) -> Call[ChallengeVerdict]:
    """Answer a challenge with 2 to 10 frames, in the order of their times; it can be answered once.

    The first frame shows the person before the first prompt, looking into the camera. With `identity_id`, a live
    person is compared with that identity. Raises Conflict if the challenge was answered before or a frame was sent
    before, Gone if the challenge has expired, and the errors of `arcid.photos.bytes_of`.
    """
    photos = [bytes_of(each.photo) for each in frames]
    taken = [
        {"at_ms": each.at_ms, "sha256": hashlib.sha256(photo).hexdigest()}
        for each, photo in zip(frames, photos, strict=True)
    ]
    members = {"nonce": challenge.nonce, "taken": taken, "collection": challenge.collection, "identity_id": identity_id}
    return Call(
        "POST",
        path("/liveness/challenges/{challenge_id}/answers", challenge_id=challenge.challenge_id),
        value_reader(ChallengeVerdict),
        body=form(members, [("frames", photo) for photo in photos]),
    )
