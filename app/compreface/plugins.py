"""CompreFace's face plugins that describe a face, with the shapes and words of its answers."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field

from app.types import Attribute
from app.vision.attributes import AGE_SHARE, AgeEstimate, Covering, CoveringEstimate, Gender, GenderEstimate, HeadPose

PLUGINS = frozenset({Attribute.AGE, Attribute.GENDER, Attribute.MASK, Attribute.POSE})
"""Attributes that CompreFace has a plugin for; the names are the same."""

Probability = Annotated[float, Field(ge=0, le=1), AfterValidator(lambda value: round(value, 5))]
Degrees = Annotated[float, AfterValidator(lambda value: round(value, 2))]


class PluginAge(BaseModel):
    """Range of the apparent age in years. The probability is that of an age in it, as measured: docs/attributes.md."""

    probability: Probability
    high: int
    low: int

    @classmethod
    def of(cls, estimate: AgeEstimate | None) -> Self | None:
        """Return the answer of the plugin `age`."""
        if estimate is None:
            return None
        low, high = estimate.range
        return cls(probability=AGE_SHARE, high=round(high), low=round(low))


class PluginGender(BaseModel):
    """Apparent gender."""

    probability: Probability
    value: Gender

    @classmethod
    def of(cls, estimate: GenderEstimate | None) -> Self | None:
        """Return the answer of the plugin `gender`."""
        return None if estimate is None else cls(probability=estimate.confidence, value=estimate.value)


class PluginMask(BaseModel):
    """Whether a mask or another thing covers the mouth."""

    probability: Probability
    value: Literal["with_mask", "without_mask"]

    @classmethod
    def of(cls, estimate: CoveringEstimate | None) -> Self | None:
        """Return the answer of the plugin `mask`."""
        if estimate is None:
            return None
        value: Literal["with_mask", "without_mask"] = (
            "with_mask" if estimate.value is Covering.COVERED else "without_mask"
        )
        return cls(probability=estimate.confidence, value=value)


class PluginPose(BaseModel):
    """Rotation of the head in degrees, with the signs of docs/attributes.md."""

    pitch: Degrees
    roll: Degrees
    yaw: Degrees

    @classmethod
    def of(cls, pose: HeadPose | None) -> Self | None:
        """Return the answer of the plugin `pose`."""
        return None if pose is None else cls(pitch=pose.pitch, roll=pose.roll, yaw=pose.yaw)
