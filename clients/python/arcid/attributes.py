"""Attributes of faces, as `detect(photo, attributes=...)` returns them. They never change a match."""

from dataclasses import dataclass
from typing import Literal

from arcid.parsing import Value

AttributeName = Literal["age", "gender", "pose", "mask", "eyes"]


@dataclass(frozen=True, slots=True)
class Age(Value):
    """Apparent age in years, and the range in which the age of nine of ten people was when it was measured."""

    years: float
    range: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Gender(Value):
    """Apparent gender: how the face looks to the network, not who somebody is. `confidence` is from 0.5 to 1."""

    value: Literal["female", "male"]
    confidence: float


@dataclass(frozen=True, slots=True)
class HeadPose(Value):
    """Rotation of the head in degrees: `yaw` to the right edge of the photo, `pitch` up, `roll` clockwise."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Covering(Value):
    """Whether something covers a part of the face. `confidence` is from 0.5 to 1."""

    value: Literal["covered", "visible"]
    confidence: float


@dataclass(frozen=True, slots=True)
class Attributes(Value):
    """Attributes of a face; None for each that was not requested. `mask` is about the mouth, `eyes` about the eyes."""

    age: Age | None = None
    gender: Gender | None = None
    pose: HeadPose | None = None
    mask: Covering | None = None
    eyes: Covering | None = None
