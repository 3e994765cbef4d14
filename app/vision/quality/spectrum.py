"""Power spectrum of a crop in rings and sectors, from which motion blur is seen. Pure."""

from typing import Final

import cv2
import numpy as np

from app.types import Floats, Pixels
from app.vision.alignment import CROP_SIDE

_SIDE = 96  # of the middle of the crop
SECTORS = 12
_RINGS: Final = np.array(
    [0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.18, 0.22, 0.27, 0.33, 0.42, 0.5]
)  # cycles / pixel
SPECTRUM_SIZE = (len(_RINGS) - 1) * SECTORS

_WINDOW: Final[Floats] = np.outer(np.hanning(_SIDE), np.hanning(_SIDE)).astype(np.float32)


def _bins() -> np.ndarray:
    """Return the bin of each frequency of a real transform, or -1."""
    down, across = np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.rfftfreq(_SIDE), indexing="ij")
    ring = np.digitize(np.hypot(down, across), _RINGS) - 1
    sector = np.round(np.mod(np.arctan2(down, across), np.pi) / np.pi * SECTORS).astype(int) % SECTORS
    return np.where((ring >= 0) & (ring < len(_RINGS) - 1), ring * SECTORS + sector, -1)


_BINS: Final = _bins()
_IS_BINNED: Final = _BINS >= 0
_BINNED: Final = _BINS[_IS_BINNED]
_COUNTS: Final = np.maximum(np.bincount(_BINNED, minlength=SPECTRUM_SIZE), 1)


def spectrum(crop: Pixels) -> Floats:
    """Return the log power (144,) of a crop (112, 112, 3), RGB, for 12 rings (slowest) times 12 sectors.

    Motion blur suppresses the frequencies along its direction (Cannon, "Blind deconvolution of spatially invariant
    image blurs with phase", 1976).
    """
    edge = (CROP_SIDE - _SIDE) // 2
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[edge:-edge, edge:-edge].astype(np.float32)
    windowed = (luma - (luma * _WINDOW).sum() / _WINDOW.sum()) * _WINDOW
    power = np.abs(np.fft.rfft2(windowed)) ** 2
    sums = np.bincount(_BINNED, power[_IS_BINNED], minlength=SPECTRUM_SIZE)
    return np.log(sums / _COUNTS + 1).astype(np.float32)
