"""Shots: the embedded faces of a track, and the choice of the best ones. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.recognition.analysis import Face

MOST_SHOTS: Final = 10
"""Shots that a track keeps. More of them add little: they look alike."""

_SHORT_S = 1.0  # shots that are further apart in time look different
_SMALL_TURN = 0.2  # and so do those whose turn (`Measures.turn`) differs by more; about 20 degrees
_REDUNDANT = 0.5  # share of its value that the copy of a better shot loses


@dataclass(frozen=True, slots=True)
class Shot:
    """A face of a track that was embedded by the network `model`.

    `quality`: 0..1. `glance`: the quality that was known before it was embedded (`TrackIdentification.glance`).
    `seconds`: its time on any clock. A shot that is kept has no crop.
    """

    face: Face
    quality: float
    glance: float
    seconds: float
    model: str

    @property
    def turn(self) -> float:
        """See `Measures.turn`."""
        return self.face.measures.turn

    def kept(self) -> "Shot":
        """Return the shot without pixels, which take hundred times the memory of all else."""
        return replace(self, face=replace(self.face, crop=None, portrait=None))


def best_shots(shots: Sequence[Shot], most: int = MOST_SHOTS) -> list[Shot]:
    """Return at most `most` shots of high quality, spread over time and pose, in their order.

    The shot with the lowest value is removed until few enough are left. The value is the quality, of which a shot loses
    up to a half if a better shot is near it in time and pose.
    """
    kept = list(shots)
    while len(kept) > most:
        values = [_value(place, kept) for place in range(len(kept))]
        del kept[values.index(min(values))]
    return kept


def _value(place: int, shots: Sequence[Shot]) -> float:
    one = shots[place]
    better = (
        other for index, other in enumerate(shots) if index != place and (other.quality, -index) > (one.quality, -place)
    )
    return one.quality * (1 - _REDUNDANT * max((_likeness(one, other) for other in better), default=0.0))


def _likeness(one: Shot, other: Shot) -> float:
    """Return how alike two shots look by their time and pose: 1 for the same ones, towards 0."""
    apart = abs(one.seconds - other.seconds) / _SHORT_S + abs(one.turn - other.turn) / _SMALL_TURN
    return math.exp(-apart)
