"""Liveness challenges and their verdicts, with the names of the API."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from arcid.answers import Liveness, VerifyAnswer
from arcid.parsing import Value
from arcid.photos import File

LivenessVerdict = Literal["live", "uncertain", "attack"]
Prompt = Literal["turn_left", "turn_right", "look_up", "come_closer"]
"""A movement of the head. Left and right are the person's own."""


@dataclass(frozen=True, slots=True)
class LivenessChallenge(Value):
    """A challenge: the person follows the `prompts` in this order, before it expires."""

    challenge_id: str
    nonce: str = field(repr=False)
    collection: str
    prompts: tuple[Prompt, ...]
    expires_at: datetime
    most_frames: int


@dataclass(frozen=True, slots=True)
class ChallengeFrame:
    """A photo of the person, and when it was taken, in milliseconds since the challenge arrived."""

    photo: File
    at_ms: int


@dataclass(frozen=True, slots=True)
class PromptResult(Value):
    """Whether the person followed a prompt; `frame` is the index of the frame that shows it."""

    prompt: Prompt
    followed: bool
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class FrameResult(Value):
    """Whether a frame was used. If it was not, `code` is the reason, such as `no_face`."""

    frame: int
    used: bool
    code: str | None = None


@dataclass(frozen=True, slots=True)
class ChallengeVerdict(Value):
    """The verdict on an answer, with the `reasons` against a live person, such as `flat_motion`.

    `passive` is None if the service has no networks for it. `verification` compares the best frame with an identity.
    """

    verdict: LivenessVerdict
    reasons: tuple[str, ...]
    prompts: tuple[PromptResult, ...]
    frames: tuple[FrameResult, ...]
    best_frame: int | None
    passive: Liveness | None = None
    verification: VerifyAnswer | None = None
