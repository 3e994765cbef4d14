"""Prompts of a liveness challenge, and whether a face follows them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.vision.liveness.motion import Motion

_LEAST_GROWTH: Final = 1.3
_LEAST_MS: Final = 300
"""Time between two movements: nobody follows a prompt sooner."""


class Prompt(StrEnum):
    """A movement that a person is asked for. Left and right are the person's own.

    A flat photo can also come closer, so a challenge has prompts for movements that show depth.
    """

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    LOOK_UP = "look_up"
    COME_CLOSER = "come_closer"

    def is_followed(self, motion: Motion) -> bool:
        """Return whether a motion, from the first frame on, is this movement."""
        if self is Prompt.COME_CLOSER:
            return motion.growth >= _LEAST_GROWTH
        if self is Prompt.LOOK_UP:
            return motion.has_depth and -motion.along > abs(motion.across)
        towards = motion.across if self is Prompt.TURN_LEFT else -motion.across
        return motion.has_depth and towards > abs(motion.along)


@dataclass(frozen=True, slots=True)
class TimedMotion:
    """The motion from the first frame to another: the number of that frame, and its milliseconds from the start."""

    frame: int
    at_ms: int
    motion: Motion


def followed(prompts: Sequence[Prompt], motions: Sequence[TimedMotion], start_ms: int) -> list[int | None]:
    """Return the frame in which each prompt is followed, in the order of the prompts; None from the first unmet one.

    Args:
        prompts: In the order in which the person saw them.
        motions: In the order of their times.
        start_ms: Time of the first frame.
    """
    frames: list[int | None] = [None] * len(prompts)
    rest, before = iter(motions), start_ms
    for place, prompt in enumerate(prompts):
        met = next((each for each in rest if _is_met(prompt, each, before)), None)
        if met is None:
            break
        frames[place], before = met.frame, met.at_ms
    return frames


def is_flat(motions: Sequence[TimedMotion]) -> bool:
    """Return whether a face moves like a flat photo: it tilts far in some frame, and shows no depth in any."""
    return any(each.motion.is_flat for each in motions) and not any(each.motion.has_depth for each in motions)


def _is_met(prompt: Prompt, timed: TimedMotion, before: int) -> bool:
    return timed.at_ms >= before + _LEAST_MS and prompt.is_followed(timed.motion)
