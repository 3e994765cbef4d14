"""Photos that lie on a side or upside down, without a word of it in their metadata: any detector, all orientations."""

from collections.abc import Sequence

import numpy as np

from app.types import Detection, Floats, Pixels
from app.vision.detection.found import Detector
from app.vision.detection.views import fitted

# Upright photos of LFW give 0.9 or more; of the same photos turned, what is found in them as if they were upright gives
# rarely as much as 0.85 (benchmarks/turned.py, docs/benchmarks.md).
ENOUGH = 0.85
"""Evidence of upright faces from which on other orientations are not looked at, and that another one needs."""

_BETTER = 0.1  # a close-up had 0.79 upright and, wrongly, 0.89 upside down
_SURE = 0.9  # of any turned photo; one had 0.85 wrongly, and 0.93 when it was turned back
_TURNS = (1, 3, 2)  # by 90 degrees counter-clockwise; upside down is the rarest
_ROOM = 2  # a turned copy has at most so many pixels a side for each one that detection looks at


class Turned:
    """See `Detector`. Where nothing good is found upright, the photo is looked at in the three other orientations.

    `scout` has a cheap look at each; `detector` then looks at the orientation in which most speaks for upright faces.
    What it finds there is returned, in pixels of the photo as it is, if more speaks for it than for what is found
    upright.
    """

    def __init__(self, detector: Detector, scout: Detector, longest_side: int) -> None:
        """`longest_side` of a photo is what `detector` shrinks it to."""
        self._detector = detector
        self._scout = scout
        self._longest_side = longest_side

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        upright = self._detector.detect(pixels)
        least = _strongest(upright)
        if least >= ENOUGH:
            return upright
        view = fitted(pixels, self._longest_side * _ROOM, grid=1)
        small = fitted(view.pixels, self._longest_side // 2, grid=1).pixels
        seen = {turn: _strongest(self._scout.detect(_turned(small, turn))) for turn in _TURNS}
        best = max(_TURNS, key=lambda turn: seen[turn])
        needed = max(ENOUGH, min(least + _BETTER, _SURE))
        if seen[best] < needed:
            return upright
        found = self._detector.detect(_turned(view.pixels, best))
        if _strongest(found) < needed:
            return upright
        return [_as_it_is(each, best, view.pixels.shape).scaled(1 / view.scale) for each in found]


def evidence(found: Detection) -> float:
    """Return what speaks for an upright face: its score, less by the cosine of its tilt, 0 from 90 degrees on."""
    down = found.landmarks[3:].mean(axis=0) - found.landmarks[:2].mean(axis=0)
    length = float(np.hypot(*down))
    return found.score * max(0.0, float(down[1]) / length) if length else 0.0


def _strongest(found: Sequence[Detection]) -> float:
    return max(map(evidence, found), default=0.0)


def _turned(pixels: Pixels, turn: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, turn))


def _as_it_is(found: Detection, turn: int, shape: tuple[int, ...]) -> Detection:
    """Return what was found in a photo of `shape` (height, width, ...) after so many turns, in its own pixels."""
    corners = _turned_back(np.array(found.box, np.float32).reshape(2, 2), turn, shape)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    landmarks = _turned_back(found.landmarks, turn, shape)
    return Detection((left, top, right, bottom), found.score, landmarks)


def _turned_back(points: Floats, turn: int, shape: tuple[int, ...]) -> Floats:
    """Return points (n, 2) of a photo turned counter-clockwise by `turn` times 90 degrees, in the photo as it is."""
    height, width = shape[:2]
    x, y = points.T
    back = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(back[turn], axis=1)
