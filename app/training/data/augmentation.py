"""Changes to crops that keep the person: pure functions of the crop and of a random generator."""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from app.alignment import CROP_SIDE
from app.faces import Pixels

_MIDDLE = (CROP_SIDE - 1) / 2
_ERASED_SHARE = (0.02, 0.2)  # of the crop's area
_SMALLEST = 0.25  # a blurred crop's side, as a share, before it is enlarged again

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often a crop is mirrored, and how much else is done to it. The default mirrors every second crop, no more.

    `colour` is the greatest change of brightness, contrast and saturation (0.2: a fifth more or less), `affine` the
    greatest move as a share of the side (with it up to as many radians of rotation, and as much in size), `blur` and
    `erase` the probabilities that a crop is shrunk and enlarged again or blurred, and that a part of it is made grey.
    """

    flip: Share = 0.5
    colour: Share = 0.0
    affine: Share = 0.0
    blur: Share = 0.0
    erase: Share = 0.0


def augmented(crop: Pixels, augmentation: Augmentation, draws: np.random.Generator) -> Pixels:
    """Return a changed crop (112, 112, 3); the same for the same draws."""
    if draws.random() < augmentation.flip:
        crop = crop[:, ::-1]
    if augmentation.affine > 0:
        crop = moved(crop, *draws.uniform(-augmentation.affine, augmentation.affine, 4).tolist())
    if augmentation.colour > 0:
        crop = recoloured(crop, *draws.uniform(1 - augmentation.colour, 1 + augmentation.colour, 3).tolist())
    if augmentation.blur > 0 and draws.random() < augmentation.blur:
        crop = blurred(crop, strength=float(draws.random()), is_shrunk=bool(draws.random() < 0.5))
    if augmentation.erase > 0 and draws.random() < augmentation.erase:
        crop = erased(crop, draws)
    return crop


def moved(crop: Pixels, right: float, down: float, radians: float, growth: float) -> Pixels:
    """Return the crop moved (in shares of its side), turned and enlarged about its middle; edges are repeated."""
    matrix = cv2.getRotationMatrix2D((_MIDDLE, _MIDDLE), float(np.degrees(radians)), 1 + growth)
    matrix[:, 2] += np.array([right, down]) * CROP_SIDE
    warped = cv2.warpAffine(crop, matrix, (CROP_SIDE, CROP_SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def recoloured(crop: Pixels, brightness: float, contrast: float, saturation: float) -> Pixels:
    """Return the crop with its brightness, contrast and saturation multiplied."""
    changed = crop.astype(np.float32) * np.float32(brightness)
    changed = (changed - changed.mean()) * np.float32(contrast) + changed.mean()
    grey = changed.mean(axis=2, keepdims=True)
    changed = (changed - grey) * np.float32(saturation) + grey
    return np.clip(changed, 0, 255).astype(np.uint8)


def blurred(crop: Pixels, *, strength: float, is_shrunk: bool) -> Pixels:
    """Return the crop with less detail, the more so the nearer `strength` is to 1: shrunk and enlarged, or blurred."""
    if is_shrunk:
        side = round(CROP_SIDE * (1 - strength * (1 - _SMALLEST)))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        changed = cv2.resize(small, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_LINEAR)
    else:
        changed = cv2.GaussianBlur(crop, (0, 0), 0.3 + 1.7 * strength)
    return np.asarray(changed, np.uint8)


def erased(crop: Pixels, draws: np.random.Generator) -> Pixels:
    """Return the crop with a random rectangle in grey (Zhong et al., "Random Erasing", 2020)."""
    area, ratio = draws.uniform(*_ERASED_SHARE) * CROP_SIDE**2, draws.uniform(0.5, 2)
    height, width = (max(1, min(CROP_SIDE, round(side))) for side in (np.sqrt(area * ratio), np.sqrt(area / ratio)))
    top, left = draws.integers(CROP_SIDE - height + 1), draws.integers(CROP_SIDE - width + 1)
    changed = crop.copy()
    changed[top : top + height, left : left + width] = 127
    return changed
