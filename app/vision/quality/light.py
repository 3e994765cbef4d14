"""Components of light and colour, from an aligned crop. Pure."""

import cv2
import numpy as np

from app.types import Floats, Pixels
from app.vision.quality.components import Component, Components
from app.vision.quality.scales import falling, rising

FACE = slice(24, 104), slice(20, 92)  # of the 112x112 crop: brow to chin, cheek to cheek
_LEFT_CHEEK = slice(60, 84), slice(28, 46)
_RIGHT_CHEEK = slice(60, 84), slice(66, 84)
_DARK, _BRIGHT = (50.0, 10.0), (190.0, 250.0)  # luma at which a pixel starts to count, and counts fully
# CIELAB of skin under neutral light, of every origin (ISO/IEC 29794-5, 7.3.10, gives a* 5..25 and b* 5..35).
_SKIN, _SKIN_SPREAD = (13.0, 16.0), (10.0, 12.0)


def light_components(crop: Pixels, luma: Floats) -> Components:
    """Return the components of light of a crop (112, 112, 3), RGB, with luma (112, 112), 0..255."""
    face = luma[FACE]
    left, right = float(np.median(luma[_LEFT_CHEEK])), float(np.median(luma[_RIGHT_CHEEK]))  # without spots and hair
    return {
        Component.ILLUMINATION_UNIFORMITY: falling(
            abs(float(np.log((left + 8) / (right + 8)))), middle=0.7, steepness=1.5
        ),
        Component.LUMINANCE_MEAN: _luminance_mean(float(face.mean()) / 255),
        Component.UNDER_EXPOSURE_PREVENTION: falling(_share(face, _DARK), middle=0.6, steepness=2),
        Component.OVER_EXPOSURE_PREVENTION: falling(_share(face, _BRIGHT), middle=0.6, steepness=2),
        Component.DYNAMIC_RANGE: _dynamic_range(face),
        Component.NATURAL_COLOUR: _natural_colour(crop),
    }


def _share(luma: Floats, ends: tuple[float, float]) -> float:
    """Return the mean weight of pixels: 0 at the first end, 1 at the second."""
    return float(np.clip((luma - ends[0]) / (ends[1] - ends[0]), 0, 1).mean())


def _luminance_mean(mean: float) -> float:
    return rising(mean, middle=0.15, steepness=2.5) * falling(mean, middle=0.9, steepness=16) / 100


def _dynamic_range(luma: Floats) -> float:
    """Return the entropy of the luma's histogram, of which 8 bits are the most (ISO/IEC 29794-5, 7.3.7)."""
    counts = np.bincount(luma.astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / luma.size
    return abs(float((shares * np.log2(shares)).sum())) * 100 / 8


def _natural_colour(crop: Pixels) -> float:
    cheeks = np.concatenate([crop[_LEFT_CHEEK].reshape(-1, 3), crop[_RIGHT_CHEEK].reshape(-1, 3)])
    colour = cheeks.mean(axis=0, dtype=np.float32)[None, None] / np.float32(255)
    _, a, b = cv2.cvtColor(colour, cv2.COLOR_RGB2LAB)[0, 0]
    off = np.hypot((a - _SKIN[0]) / _SKIN_SPREAD[0], (b - _SKIN[1]) / _SKIN_SPREAD[1])
    return falling(float(off), middle=2.5, steepness=2.5)
