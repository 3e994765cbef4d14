"""Tracker: which face of a frame continues which track, by its place. Pure.

As in ByteTrack (Zhang et al., ECCV 2022), certain detections are matched first, then uncertain ones with the remaining
tracks, so that a blurred or half covered face does not end its track. Boxes are predicted at constant velocity. Faces
that place alone cannot assign are returned as `new`; their embeddings decide.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.types import Box, Detection

_LEAST_OVERLAP = 0.2  # of the predicted box, for certain detections
_LEAST_OVERLAP_UNCERTAIN = 0.4
_STEADY_S = 1.0  # for so long a lost face is expected to keep its velocity
_SMOOTHING = 0.5  # weight of the last step in the velocity
_NEAR = 1.5  # sides of the box that a face moves within `_STEADY_S`
_LARGEST_GROWTH = 1.6  # of a side between two frames

PATIENCE_S: Final = 2.0
"""Seconds without a face after which a track ends."""


@dataclass(slots=True)
class TrackedFace:
    """A track: its last box, its velocity in pixels a second, and the seconds at which it was last seen."""

    key: int
    box: Box
    last: float
    frames: int = 1
    velocity: tuple[float, float] = (0.0, 0.0)

    def predicted(self, seconds: float) -> Box:
        """Return where the face is expected."""
        elapsed = min(max(seconds - self.last, 0.0), _STEADY_S)
        x, y = self.velocity[0] * elapsed, self.velocity[1] * elapsed
        left, top, right, bottom = self.box
        return left + x, top + y, right + x, bottom + y

    def move(self, box: Box, seconds: float) -> None:
        """Move the track to a face of a newer frame, and update its velocity."""
        elapsed = seconds - self.last
        if elapsed > 0:
            (x, y), (old_x, old_y) = _centre(box), _centre(self.box)
            step = ((x - old_x) / elapsed, (y - old_y) / elapsed)
            weight = 1.0 if self.frames == 1 else _SMOOTHING
            self.velocity = (
                weight * step[0] + (1 - weight) * self.velocity[0],
                weight * step[1] + (1 - weight) * self.velocity[1],
            )
        self.box, self.last, self.frames = box, seconds, self.frames + 1


@dataclass(frozen=True, slots=True)
class Association:
    """Result of a frame: faces by the key of their track, faces without a track, and the tracks that ended."""

    continued: dict[int, Detection]
    new: list[Detection]
    ended: list[TrackedFace]


@dataclass(slots=True)
class Tracker:
    """The tracks of one camera; not safe under concurrent calls.

    `certain` is the score from which a detection may start a track.
    """

    patience: float = PATIENCE_S
    tracks: dict[int, TrackedFace] = field(default_factory=dict)
    _next: int = 0

    def associate(self, detections: Sequence[Detection], seconds: float, *, certain: float = 0.0) -> Association:
        """Continue tracks with the detections of a frame, in any order."""
        ended = [each for each in self.tracks.values() if seconds - each.last > self.patience]
        for each in ended:
            del self.tracks[each.key]
        high = [each for each in detections if each.score >= certain]
        low = [each for each in detections if each.score < certain]
        continued = self._matched(high, list(self.tracks.values()), seconds, _LEAST_OVERLAP)
        idle = [each for key, each in self.tracks.items() if key not in continued]
        continued |= self._matched(low, idle, seconds, _LEAST_OVERLAP_UNCERTAIN)
        for key, detection in continued.items():
            self.tracks[key].move(detection.box, seconds)
        taken = {id(each) for each in continued.values()}
        return Association(continued, [each for each in high if id(each) not in taken], ended)

    def start(self, detection: Detection, seconds: float) -> int:
        """Start a track and return its key."""
        key, self._next = self._next, self._next + 1
        self.tracks[key] = TrackedFace(key, detection.box, seconds)
        return key

    def resume(self, key: int, detection: Detection, seconds: float) -> None:
        """Continue a track that lost its face."""
        self.tracks[key].move(detection.box, seconds)

    def release(self, key: int, seconds: float) -> None:
        """Treat a track as not seen at `seconds`: the face that matched it was another person's."""
        self.tracks[key].last = math.nextafter(seconds, -math.inf)

    def idle(self, seconds: float) -> Iterator[TrackedFace]:
        """Yield the tracks without a face in the frame at `seconds`."""
        return (each for each in list(self.tracks.values()) if each.last < seconds)

    def end(self) -> list[TrackedFace]:
        """End all tracks and return them."""
        ended = list(self.tracks.values())
        self.tracks.clear()
        return ended

    def rest(self, since: float, seconds: float) -> None:
        """Keep the tracks with a face at `since` where they are until `seconds`: nothing moved."""
        for each in self.tracks.values():
            if each.last >= since:
                each.last, each.velocity = seconds, (0.0, 0.0)

    @staticmethod
    def _matched(
        detections: Sequence[Detection], tracks: Sequence[TrackedFace], seconds: float, least: float
    ) -> dict[int, Detection]:
        """Return the detection of each track, the largest overlap first."""
        overlaps = [
            (overlap, place, track.key)
            for track in tracks
            for place, detection in enumerate(detections)
            if (overlap := box_overlap(track.predicted(seconds), detection.box)) >= least
        ]
        matched: dict[int, Detection] = {}
        taken: set[int] = set()
        for _, place, key in sorted(overlaps, reverse=True):
            if place not in taken and key not in matched:
                matched[key] = detections[place]
                taken.add(place)
        return matched


def is_near(track: TrackedFace, detection: Detection, seconds: float) -> bool:
    """Return whether a face can have moved to a detection since its last frame, by its distance and its size."""
    predicted, (left, top, right, bottom) = track.predicted(seconds), detection.box
    side, last = max(right - left, bottom - top), max(track.box[2] - track.box[0], track.box[3] - track.box[1])
    if not last or not 1 / _LARGEST_GROWTH <= side / last <= _LARGEST_GROWTH:
        return False
    return math.dist(_centre(predicted), _centre(detection.box)) <= _NEAR * max(side, last)


def box_overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (_area(one) + _area(other) - common)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
