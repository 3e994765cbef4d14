"""Deterministic degradation of photos, for testing the quality measure. Pure."""

import hashlib
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Pixels
from app.vision.imaging.decode import Limits, decode


class Degradation(StrEnum):
    """A kind of degradation."""

    NONE = "none"
    BLURRED = "blurred"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    SMALL = "small"


_SHARES = {
    Degradation.NONE: 1 / 3,
    Degradation.BLURRED: 1 / 6,
    Degradation.DARK: 1 / 6,
    Degradation.OVEREXPOSED: 1 / 6,
    Degradation.SMALL: 1 / 6,
}

# Ranges from the mildest to the most severe; the severity is drawn uniformly.
_SIGMA = 1, 6  # of the Gaussian blur, in pixels for a longer side of _SIDE
_SIDE = 250  # side of an LFW photo
_DARK_GAIN = 0.5, 0.02
_NOISE = 2.5  # standard deviation of the sensor noise of a dark photo, in levels
_BRIGHT_GAIN, _BRIGHT_OFFSET = (1.5, 5.5), (0, 20)
_SHRINK_FACTOR = 1.5, 9.5  # times


def draw_degradation(data: bytes) -> tuple[Degradation, float, np.random.Generator]:
    """Return kind, severity (0..1) and noise generator for a photo; all depend only on the SHA-256 of its bytes."""
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()))
    kind = Degradation(generator.choice(list(_SHARES), p=list(_SHARES.values())))
    return kind, float(generator.uniform()), generator


def degrade(data: bytes, limits: Limits, *, is_size_kept: bool = False) -> bytes:
    """Return a degraded photo as a PNG; one third of all photos are unchanged. Raises the errors of `decode`.

    With `is_size_kept`, a shrunk photo is scaled up to its original size.
    """
    pixels = decode(data, limits).pixels
    kind, severity, generator = draw_degradation(data)
    degraded = apply_degradation(pixels, kind, severity, generator)
    if is_size_kept and degraded.shape != pixels.shape:
        height, width = pixels.shape[:2]
        degraded = cv2.resize(degraded, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return cv2.imencode(".png", degraded[:, :, ::-1])[1].tobytes()


def apply_degradation(pixels: Pixels, kind: Degradation, severity: float, generator: np.random.Generator) -> Pixels:
    """Degrade a photo (height, width, 3); a shrunk one is smaller."""
    height, width = pixels.shape[:2]
    match kind:
        case Degradation.BLURRED:
            sigma = _interpolate(_SIGMA, severity) * max(height, width) / _SIDE
            return cv2.GaussianBlur(pixels, (0, 0), sigma).astype(np.uint8, copy=False)
        case Degradation.DARK:
            noise = generator.normal(0, _NOISE, pixels.shape)
            return _levels(pixels * _interpolate(_DARK_GAIN, severity) + noise)
        case Degradation.OVEREXPOSED:
            return _levels(pixels * _interpolate(_BRIGHT_GAIN, severity) + _interpolate(_BRIGHT_OFFSET, severity))
        case Degradation.SMALL:
            factor = _interpolate(_SHRINK_FACTOR, severity)
            size = max(1, round(width / factor)), max(1, round(height / factor))
            return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        case Degradation.NONE:
            return pixels


def _levels(values: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _interpolate(bounds: tuple[float, float], severity: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * severity
