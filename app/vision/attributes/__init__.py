"""Attributes of faces: estimates for people to read, never used in a match (docs/attributes.md)."""

from app.vision.attributes.age_gender import (
    AGE_ERROR,
    AGE_SHARE,
    AgeEstimate,
    AgeGenderEstimator,
    Gender,
    GenderEstimate,
)
from app.vision.attributes.coverings import Covering, CoveringEstimate
from app.vision.attributes.face_attributes import NETWORK_ATTRIBUTES, FaceAttributes
from app.vision.attributes.head_pose import HeadPose, head_pose

__all__ = [
    "AGE_ERROR",
    "AGE_SHARE",
    "NETWORK_ATTRIBUTES",
    "AgeEstimate",
    "AgeGenderEstimator",
    "Covering",
    "CoveringEstimate",
    "FaceAttributes",
    "Gender",
    "GenderEstimate",
    "HeadPose",
    "head_pose",
]
