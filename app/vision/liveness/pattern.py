"""Regular patterns on a face: pixels of a screen, dots of a print, and moire of either with the camera's sensor.

They are peaks in the spectrum of the face, which skin does not have (Garcia and de Queiroz, "Face-Spoofing 2D-Detection
Based on Moiré-Pattern Analysis", IEEE TIFS 2015).
"""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Box, Floats, Pixels

_LARGEST_WINDOW = 256  # pixels of a side
_LOWEST_FREQUENCY, _HIGHEST_FREQUENCY = 0.1, 0.5  # cycles per pixel: below is the face itself
_AXIS = 1.5  # steps of frequency next to an axis, where JPEG's blocks are
_PEAKS = 4
_NATURAL = 4.0  # live photos reach 3.4: LFW, London, and LFW compressed, sharpened or with noise (docs/liveness.md)
_MOST_EXCESS = 3.0
_DEVIATION = 1.4826  # standard deviations of a normal distribution in its median absolute deviation


def pattern_strength(pixels: Pixels, box: Box) -> float:
    """Return how far the strongest peaks in the spectrum of a face rise above it, in standard deviations.

    `pixels` (height, width, 3) is RGB; the box overlaps it. Faces without a pattern have 2 to 3.
    """
    window = _window(pixels, box)
    side = len(window)
    if side == 0:
        return 0.0
    taper = np.hanning(side).astype(np.float32)
    spectrum = np.log1p(np.abs(np.fft.rfft2((window - window.mean()) * taper * taper[:, None])))
    rings, is_judged = _grid(side)
    background = np.bincount(rings.ravel(), spectrum.ravel()) / np.bincount(rings.ravel())
    excess = (spectrum - background[rings])[is_judged]
    deviation = _DEVIATION * float(np.median(np.abs(excess)))
    return float(np.partition(excess, -_PEAKS)[-_PEAKS:].mean() / deviation) if deviation > 0 else 0.0


def pattern_excess(pixels: Pixels, box: Box) -> float:
    """Return by how much the pattern of a face is stronger than that of any live face: 0 without one, at most 3.

    It is bounded, so that a veil or a net before a live face does not outweigh all other evidence.
    """
    return min(_MOST_EXCESS, max(0.0, pattern_strength(pixels, box) - _NATURAL))


def _window(pixels: Pixels, box: Box) -> Floats:
    """Return the brightness (side, side) of the middle of a face, with an even side."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = (
        max(0, int(box[0])),
        max(0, int(box[1])),
        min(width, int(box[2])),
        min(height, int(box[3])),
    )
    side = min(_LARGEST_WINDOW, right - left, bottom - top) // 2 * 2
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    if side <= 0:
        return np.zeros((0, 0), np.float32)
    return cv2.cvtColor(pixels[y : y + side, x : x + side], cv2.COLOR_RGB2GRAY).astype(np.float32)


@cache
def _grid(side: int) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return the ring of each frequency of a window, two steps wide, and whether it is judged."""
    down, right = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    radius = np.hypot(down, right)
    is_off_axis = np.minimum(abs(down), right) * side >= _AXIS
    is_judged = (radius > _LOWEST_FREQUENCY) & (radius < _HIGHEST_FREQUENCY) & is_off_axis
    return (radius * side / 2).astype(np.intp), is_judged
