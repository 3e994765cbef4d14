"""Attributes of analysed faces, for those requests that ask for them. They never change a match."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from app.errors import AttributeDisabled
from app.observability.stages import stage
from app.recognition.analysis import Face
from app.types import Attribute, Pixels
from app.vision.attributes import NETWORK_ATTRIBUTES, AgeGenderEstimator, FaceAttributes, head_pose
from app.vision.attributes.coverings import covering
from app.vision.quality import Component


class AttributeService:
    """Describes faces. Opens the networks of age and gender when they are first needed; thread-safe."""

    def __init__(self, allowed: Collection[Attribute], open_age_gender: Callable[[], AgeGenderEstimator]) -> None:
        """`allowed` are the attributes that requests may ask for."""
        self.allowed = frozenset(allowed)
        self._open_age_gender = open_age_gender
        self._estimator: AgeGenderEstimator | None = None
        self._opening = threading.Lock()

    def require_allowed(self, wanted: Collection[Attribute]) -> None:
        """Raise AttributeDisabled if the settings do not allow one of the attributes."""
        if closed := sorted(frozenset(wanted) - self.allowed):
            raise AttributeDisabled(
                f"the attribute {closed[0].value!r} is switched off here; the operator can add it to ARCID_ATTRIBUTES"
            )

    def describe(self, faces: Sequence[Face], wanted: Collection[Attribute]) -> list[FaceAttributes]:
        """Return the wanted attributes of each face.

        Raises AttributeDisabled, and NetworkMissing (with the command that pulls it) or NetworkCorrupt for the networks
        of age and gender.
        """
        self.require_allowed(wanted)
        if not faces or not wanted:
            return [FaceAttributes()] * len(faces)
        with stage("attributes"):
            described = [_from_analysis(face, wanted) for face in faces]
            if NETWORK_ATTRIBUTES.isdisjoint(wanted):
                return described
            return self._with_networks(described, crops_of(faces), wanted)

    def _with_networks(
        self, described: list[FaceAttributes], crops: Pixels, wanted: Collection[Attribute]
    ) -> list[FaceAttributes]:
        """Return the attributes with those that networks estimate from the aligned crops."""
        estimator = self._opened()
        if Attribute.AGE in wanted:
            with stage("age"):
                ages = estimator.ages(crops)
            described = [replace(each, age=age) for each, age in zip(described, ages, strict=True)]
        if Attribute.GENDER in wanted:
            with stage("gender"):
                genders = estimator.genders(crops)
            described = [replace(each, gender=gender) for each, gender in zip(described, genders, strict=True)]
        return described

    def _opened(self) -> AgeGenderEstimator:
        with self._opening:
            if self._estimator is None:
                self._estimator = self._open_age_gender()
            return self._estimator


def _from_analysis(face: Face, wanted: Collection[Attribute]) -> FaceAttributes:
    """Return the attributes that follow from what every analysis measures."""
    components = face.measures.components
    return FaceAttributes(
        pose=head_pose(face.detection.landmarks) if Attribute.POSE in wanted else None,
        mask=covering(components, Component.MOUTH_OCCLUSION_PREVENTION) if Attribute.MASK in wanted else None,
        eyes=covering(components, Component.EYES_VISIBLE) if Attribute.EYES in wanted else None,
    )


def crops_of(faces: Sequence[Face]) -> Pixels:
    """Return the aligned crops (n, 112, 112, 3) of analysed faces."""
    crops = [face.crop for face in faces if face.crop is not None]
    assert len(crops) == len(faces)  # noqa: S101 - an analysed face has its crop
    return np.stack(crops)
