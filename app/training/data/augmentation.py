"""Augmentation of crops: pure functions of the crop and a random generator."""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from app.types import Pixels
from app.vision.alignment import CROP_SIDE

_CENTRE = (CROP_SIDE - 1) / 2
_ERASED_SHARE = (0.02, 0.2)  # of the crop's area
_SMALLEST = 0.25  # smallest share of the side to scale a crop down to

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strength of each augmentation. By default, every second crop is mirrored and nothing else is done.

    `flip`, `blur` and `erase` are probabilities. `blur` either blurs a crop or scales it down and up again; `erase`
    makes a rectangle grey. `colour` is the maximum relative change of brightness, contrast and saturation. `affine` is
    the maximum translation as a share of the side, rotation in radians, and relative change of size.
    """

    flip: Share = 0.5
    colour: Share = 0.0
    affine: Share = 0.0
    blur: Share = 0.0
    erase: Share = 0.0


def augment(crop: Pixels, augmentation: Augmentation, generator: np.random.Generator) -> Pixels:
    """Return the augmented crop (112, 112, 3). It depends only on the crop and the state of the generator."""
    if generator.random() < augmentation.flip:
        crop = crop[:, ::-1]
    if augmentation.affine > 0:
        crop = transform(crop, *generator.uniform(-augmentation.affine, augmentation.affine, 4).tolist())
    if augmentation.colour > 0:
        crop = recolour(crop, *generator.uniform(1 - augmentation.colour, 1 + augmentation.colour, 3).tolist())
    if augmentation.blur > 0 and generator.random() < augmentation.blur:
        crop = blur(crop, strength=float(generator.random()), is_shrunk=bool(generator.random() < 0.5))
    if augmentation.erase > 0 and generator.random() < augmentation.erase:
        crop = erase(crop, generator)
    return crop


def transform(crop: Pixels, right: float, down: float, radians: float, growth: float) -> Pixels:
    """Translate (in shares of the side), rotate and scale a crop about its centre; edge pixels are repeated."""
    matrix = cv2.getRotationMatrix2D((_CENTRE, _CENTRE), float(np.degrees(radians)), 1 + growth)
    matrix[:, 2] += np.array([right, down]) * CROP_SIDE
    warped = cv2.warpAffine(crop, matrix, (CROP_SIDE, CROP_SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def recolour(crop: Pixels, brightness: float, contrast: float, saturation: float) -> Pixels:
    """Multiply the brightness, contrast and saturation of a crop."""
    changed = crop.astype(np.float32) * np.float32(brightness)
    changed = (changed - changed.mean()) * np.float32(contrast) + changed.mean()
    grey = changed.mean(axis=2, keepdims=True)
    changed = (changed - grey) * np.float32(saturation) + grey
    return np.clip(changed, 0, 255).astype(np.uint8)


def blur(crop: Pixels, *, strength: float, is_shrunk: bool) -> Pixels:
    """Remove detail from a crop: scale it down and up again, or blur it. `strength` is 0 to 1."""
    if is_shrunk:
        side = round(CROP_SIDE * (1 - strength * (1 - _SMALLEST)))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        changed = cv2.resize(small, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_LINEAR)
    else:
        changed = cv2.GaussianBlur(crop, (0, 0), 0.3 + 1.7 * strength)
    return np.asarray(changed, np.uint8)


def erase(crop: Pixels, generator: np.random.Generator) -> Pixels:
    """Make a random rectangle of a crop grey (Zhong et al., "Random Erasing", 2020)."""
    area, ratio = generator.uniform(*_ERASED_SHARE) * CROP_SIDE**2, generator.uniform(0.5, 2)
    height, width = (max(1, min(CROP_SIDE, round(side))) for side in (np.sqrt(area * ratio), np.sqrt(area / ratio)))
    top, left = generator.integers(CROP_SIDE - height + 1), generator.integers(CROP_SIDE - width + 1)
    changed = crop.copy()
    changed[top : top + height, left : left + width] = 127
    return changed
