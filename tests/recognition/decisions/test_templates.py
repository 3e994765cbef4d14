import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recognition.decisions.calibration.error_rates import DEFAULT_STRETCH, CalibrationOrigin
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.decisions.calibration.templates import (
    TemplateComparisons,
    TemplateScale,
    comparisons_among,
    independent_faces,
    stranger_rate,
)
from app.recognition.decisions.scoring import AS_STORED
from app.types import Floats
from tests.recognition.fakes import calibration

DIMENSION = 64
ORIGIN = CalibrationOrigin("", "", "", is_flip_averaged=True, people=0, faces=0, pairs=0, source="")


def crowd(seed: int, people: int, photos: int) -> Floats:
    """Return unit vectors (people, photos, d) that have a direction in common; people differ in fewer dimensions."""
    rng = np.random.default_rng(seed)
    widths = np.linspace(2, 0.2, DIMENSION)
    persons = rng.standard_normal((people, 1, DIMENSION)) * widths
    raw = 0.35 + persons + 0.8 * rng.standard_normal((people, photos, DIMENSION))
    return np.asarray(raw / np.linalg.norm(raw, axis=2, keepdims=True), np.float32)


def template_of(faces: Floats) -> Floats:
    means = faces.mean(axis=1)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def fitted():
    faces = crowd(1, 800, 2)
    names = np.repeat(np.arange(len(faces)), 2).astype(str).tolist()
    norms = np.ones(len(names), np.float32)
    return calibrate(faces.reshape(-1, DIMENSION), names, ORIGIN, norms=norms, scoring=AS_STORED)


@pytest.mark.parametrize(("faces", "probes"), [(1, 1), (2, 1), (8, 1), (2, 2), (3, 5), (8, 8)])
@pytest.mark.parametrize("fmr", [1e-2, 1e-3])
def test_people_never_seen_reach_templates_at_the_rate_asked_for(fitted, faces, probes, fmr):
    people = crowd(2, 1500, 16)
    similarities = template_of(people[:, :faces]) @ template_of(people[:, 8 : 8 + probes]).T
    scale = TemplateScale.of(fitted, TemplateComparisons(1, faces, probes))
    threshold = scale.to_templates(fitted.threshold(fmr))
    strangers = similarities[~np.eye(len(people), dtype=bool)]
    assert (strangers >= threshold).mean() / fmr == pytest.approx(1, abs=0.15)
    if faces * probes > 4:
        assert (strangers >= fitted.threshold(fmr)).mean() / fmr > 1.3
    assert stranger_rate(fitted, threshold, TemplateComparisons(1, faces, probes)) == pytest.approx(fmr)


def test_few_people_with_several_photos_leave_the_stretch_near_the_default():
    faces = crowd(1, 800, 1).reshape(-1, DIMENSION)
    names = np.arange(len(faces)).astype(str).tolist()
    norms = np.ones(len(names), np.float32)
    assert calibrate(faces, names, ORIGIN, norms=norms).template_stretch == DEFAULT_STRETCH
    names[1] = names[0]
    assert calibrate(faces, names, ORIGIN, norms=norms).template_stretch == DEFAULT_STRETCH


@given(st.floats(-1, 1), st.integers(1, 50), st.integers(1, 50))
def test_the_scale_is_a_line_and_its_inverse(similarity, faces, probes):
    scale = TemplateScale.of(calibration(), TemplateComparisons(1, faces, probes))
    there = scale.to_templates(similarity)
    assert there == 1 or scale.to_single(there) == pytest.approx(similarity, abs=1e-9)
    if faces == probes == 1:
        assert there == similarity


def test_a_search_counts_the_mean_number_of_faces():
    assert comparisons_among(4, 10, 3) == TemplateComparisons(4, 2.5, 3)
    assert comparisons_among(0, 0) == TemplateComparisons(0, 1, 1)


# Faces that are not independent


@pytest.mark.parametrize("faces", [1, 2, 5, 10])
def test_copies_of_a_face_are_one_independent_face(faces):
    vectors = np.tile(np.eye(4, dtype=np.float32)[0] * 3, (faces, 1))  # the length does not matter
    assert independent_faces(vectors, np.full(faces, 0.5, np.float32)) == pytest.approx(1)


@pytest.mark.parametrize("faces", [2, 5, 10])
def test_photos_of_a_person_are_as_many_independent_faces(faces):
    """Each face is the person (a similarity of 0.7 between two of them) and a separate part."""
    vectors = np.hstack([np.full((faces, 1), 0.7**0.5), 0.3**0.5 * np.eye(faces)]).astype(np.float32)
    assert independent_faces(vectors, np.full(faces, 0.5, np.float32)) == pytest.approx(faces, rel=1e-3)


def test_faces_of_one_scene_are_in_between():
    vectors = np.hstack([np.full((10, 1), 0.9**0.5), 0.1**0.5 * np.eye(10)]).astype(np.float32)
    qualities = np.full(10, 0.5, np.float32)
    assert 1 < independent_faces(vectors, qualities) < 2
    unlike = np.eye(10, dtype=np.float32)
    assert independent_faces(unlike, qualities) == pytest.approx(10)


def test_repeated_comparisons_count_as_more():
    assert TemplateComparisons(8, 2, 3).repeated(1.5) == TemplateComparisons(12, 2, 3)
