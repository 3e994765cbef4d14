"""Simulated frames of a camera that films a person: a photo, small, moved, blurred, noisy and compressed. Pure.

The result depends only on the bytes of the photo and on the number of the frame. The numbers were chosen before any
measurement: faces as small as on cameras at doors and in halls, and JPEGs as cameras send them.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.evaluation.values import Photo
from app.types import Box, Pixels
from app.vision.imaging.decode import Limits, decode

VERSION: Final = 1
"""Changes with everything below that changes frames."""
FRAME_SIDE: Final = 320
FRAMES_A_SECOND: Final = 5.0

# Of the whole track, drawn uniformly between two ends.
_FACE_SIDE = 24, 96  # pixels of the longer side of the box; on a logarithmic scale
_GAIN = 0.4, 1.2  # of the light
_NOISE = 2, 10  # levels, one standard deviation
_QUALITY = 30, 80  # of the JPEG
_FOCUS = 0, 1.5  # pixels, one standard deviation of the blur

# From frame to frame; the place, the turn and the size are an autoregressive walk.
_KEPT = 0.7  # share of the last frame's
_SHIFT, _TURN, _GROWTH = 0.15, 4.0, 0.08  # one standard deviation: sides of the face, degrees, logarithm of the size
_MOTION = 0.06  # blurred path in sides of the face, one standard deviation
_FAST, _SHARE_FAST = 4.0, 0.2  # times as long, for this share of the frames
_REFOCUS = 0.5  # pixels, one standard deviation


@dataclass(frozen=True, slots=True)
class FramePlacement:
    """Where a face is in a frame: its centre (x, y), the side of its box in pixels, and its turn in degrees."""

    x: float
    y: float
    side: float
    turn: float


@dataclass(frozen=True)
class Take:
    """One simulated track: `data` is the photo, `box` its face in pixels of it."""

    data: bytes
    box: Box
    frames: int

    def frame(self, number: int) -> bytes:
        """Return a frame as a JPEG; raises the errors of `decode`."""
        generator = np.random.default_rng([self._seed, number])
        face = self._placements[number]
        pixels = _drawn(decode(self.data, Limits()).pixels, self.box, face)
        pixels = _blurred(pixels, self._focus, face.side, generator)
        levels = pixels * self._gain + generator.normal(0, self._noise, pixels.shape)
        bgr = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[:, :, ::-1]
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality])[1].tobytes()

    @cached_property
    def _seed(self) -> int:
        return int.from_bytes(hashlib.sha256(self.data).digest())

    @cached_property
    def _track(self) -> NDArray[np.float64]:
        """Five numbers of 0..1 that hold for the whole track."""
        return np.random.default_rng(self._seed).uniform(size=5)

    @property
    def _gain(self) -> float:
        return _between(_GAIN, self._track[1])

    @property
    def _noise(self) -> float:
        return _between(_NOISE, self._track[2])

    @property
    def _jpeg_quality(self) -> int:
        return round(_between(_QUALITY, self._track[3]))

    @property
    def _focus(self) -> float:
        return _between(_FOCUS, self._track[4])

    @cached_property
    def _placements(self) -> Sequence[FramePlacement]:
        side = math.exp(_between((math.log(_FACE_SIDE[0]), math.log(_FACE_SIDE[1])), self._track[0]))
        generator = np.random.default_rng([self._seed, self.frames])
        walk, steps = np.zeros(4), []
        for step in generator.normal(size=(self.frames, 4)):
            walk = _KEPT * walk + math.sqrt(1 - _KEPT**2) * step
            x, y = FRAME_SIDE / 2 + _SHIFT * side * walk[:2]
            steps.append(FramePlacement(x, y, side * math.exp(_GROWTH * walk[2]), _TURN * walk[3]))
        return steps


@dataclass(frozen=True, slots=True)
class SimulatedFrame(Photo):
    """A frame of a take; it is drawn when it is read."""

    take: Take
    number: int

    def read(self) -> bytes:
        """Return the JPEG."""
        return self.take.frame(self.number)


def frames_of(photo: Photo, box: Box, frames: int) -> list[SimulatedFrame]:
    """Return the frames of a take of a photo with a face in `box`."""
    take = Take(photo.read(), box, frames)
    return [SimulatedFrame(f"{photo.name}#{number}", b"", photo.person, take, number) for number in range(frames)]


def _drawn(photo: Pixels, box: Box, face: FramePlacement) -> Pixels:
    """Return the frame in which the face of a photo has its place; beyond the photo its border is repeated."""
    left, top, right, bottom = box
    scale = face.side / max(right - left, bottom - top)
    while scale < 0.5 and min(photo.shape[:2]) > 1:  # the warp alone would skip pixels
        photo = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        left, top, right, bottom, scale = left / 2, top / 2, right / 2, bottom / 2, 2 * scale
    matrix = cv2.getRotationMatrix2D(((left + right) / 2, (top + bottom) / 2), face.turn, scale)
    matrix[:, 2] += np.array([face.x - (left + right) / 2, face.y - (top + bottom) / 2])
    size = (FRAME_SIDE, FRAME_SIDE)
    drawn = cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


def _blurred(pixels: Pixels, focus: float, side: float, generator: np.random.Generator) -> Pixels:
    """Return a frame out of focus, and blurred along the path of the face."""
    sigma = abs(focus + generator.normal(0, _REFOCUS))
    if sigma > 0.1:
        pixels = cv2.GaussianBlur(pixels, (0, 0), sigma).astype(np.uint8, copy=False)
    length = abs(generator.normal(0, _MOTION)) * side * (_FAST if generator.uniform() < _SHARE_FAST else 1)
    angle = generator.uniform(0, math.pi)
    if length < 1:
        return pixels
    return np.asarray(cv2.filter2D(pixels, -1, _path(length, angle), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _path(length: float, angle: float) -> NDArray[np.float32]:
    """Return the kernel of a straight path of `length` pixels."""
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for along in np.linspace(-length / 2, length / 2, 4 * reach + 1):
        kernel[round(reach + along * math.sin(angle)), round(reach + along * math.cos(angle))] += 1
    return np.asarray(kernel / kernel.sum(), np.float32)


def _between(ends: tuple[float, float], share: float) -> float:
    return float(ends[0] + (ends[1] - ends[0]) * share)
