"""Photos made worse on purpose, the same way each time: does the quality know it? Pure."""

import hashlib
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Pixels
from app.vision.imaging.decode import Limits, decode


class Kind(StrEnum):
    """What is done to a photo."""

    NONE = "none"
    BLURRED = "blurred"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    SMALL = "small"


_SHARES = {Kind.NONE: 1 / 3, Kind.BLURRED: 1 / 6, Kind.DARK: 1 / 6, Kind.OVEREXPOSED: 1 / 6, Kind.SMALL: 1 / 6}

# From the mildest to the most severe, which are equally likely to be drawn.
_SIGMA = 1, 6  # of the Gaussian blur, in pixels of a photo whose longer side is ...
_SIDE = 250  # ... as long as an LFW photo's
_DARK_GAIN = 0.5, 0.02
_NOISE = 2.5  # standard deviation of a dark photo's sensor noise, in levels
_BRIGHT_GAIN, _BRIGHT_OFFSET = (1.5, 5.5), (0, 20)
_SHRUNK = 1.5, 9.5  # times


def drawn(data: bytes) -> tuple[Kind, float, np.random.Generator]:
    """Draw what is done to a photo and how severe it is (0..1), by the SHA-256 of its bytes; and what draws noise."""
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()))
    kind = Kind(generator.choice(list(_SHARES), p=list(_SHARES.values())))
    return kind, float(generator.uniform()), generator


def degraded(data: bytes, limits: Limits, *, is_size_kept: bool = False) -> bytes:
    """Return a photo made worse, as a PNG; one third stay as they are. With `is_size_kept` a shrunk one is enlarged.

    Raises what `decode` raises.
    """
    pixels = decode(data, limits).pixels
    kind, severity, generator = drawn(data)
    worse = worsened(pixels, kind, severity, generator)
    if is_size_kept and worse.shape != pixels.shape:
        height, width = pixels.shape[:2]
        worse = cv2.resize(worse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return cv2.imencode(".png", worse[:, :, ::-1])[1].tobytes()


def worsened(pixels: Pixels, kind: Kind, severity: float, generator: np.random.Generator) -> Pixels:
    """Return a photo (height, width, 3) made worse; a shrunk one is smaller."""
    height, width = pixels.shape[:2]
    match kind:
        case Kind.BLURRED:
            sigma = _between(_SIGMA, severity) * max(height, width) / _SIDE
            return cv2.GaussianBlur(pixels, (0, 0), sigma).astype(np.uint8, copy=False)
        case Kind.DARK:
            noise = generator.normal(0, _NOISE, pixels.shape)
            return _levels(pixels * _between(_DARK_GAIN, severity) + noise)
        case Kind.OVEREXPOSED:
            return _levels(pixels * _between(_BRIGHT_GAIN, severity) + _between(_BRIGHT_OFFSET, severity))
        case Kind.SMALL:
            times = _between(_SHRUNK, severity)
            size = max(1, round(width / times)), max(1, round(height / times))
            return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        case Kind.NONE:
            return pixels


def _levels(values: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _between(ends: tuple[float, float], severity: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * severity
