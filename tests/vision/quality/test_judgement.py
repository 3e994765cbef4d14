"""Each reason on a crop that has it. The score falls with each flaw."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.quality import Measures, Reason, judge, measure

GOOD = Measures(size=112, sharpness=0.64, brightness=120, clipped=0, turn=0)
TYPICAL = 10.0


def textured(seed=0):
    """A mid-grey crop with detail of every size, like a sharp photo."""
    generator = np.random.default_rng(seed)
    layers = [
        weight * cv2.resize(generator.normal(size=(side, side)), (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_CUBIC)
        for side, weight in ((14, 24), (28, 18), (56, 14), (112, 12))
    ]
    grey = np.clip(sum(layers) + 120, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def measured(crop, landmarks=ARCFACE_TEMPLATE):
    return measure(crop, landmarks)


def judged(crop, landmarks=ARCFACE_TEMPLATE, norm=TYPICAL):
    return judge(measured(crop, landmarks), norm, TYPICAL)


def turned(by):
    """Landmarks with the nose `by` eye distances to the right of the middle."""
    landmarks = ARCFACE_TEMPLATE.copy()
    left_eye, right_eye = landmarks[:2]
    landmarks[2] = (left_eye + right_eye) / 2 + by * (right_eye - left_eye) + np.array([0, 20], np.float32)
    return landmarks


def test_a_good_crop_has_a_good_score_and_no_reason():
    found = judged(textured())
    assert found.reasons == ()
    assert found.score > 0.7


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: judged(textured(), ARCFACE_TEMPLATE * np.float32(0.2)), Reason.TOO_SMALL),
        (lambda: judged(cv2.GaussianBlur(textured(), (0, 0), 3)), Reason.BLURRED),
        (lambda: judged((textured() * 0.2).astype(np.uint8)), Reason.DARK),
        (lambda: judged(np.clip(textured() * 3.0, 0, 255).astype(np.uint8)), Reason.OVEREXPOSED),
        (lambda: judged(textured(), turned(0.6)), Reason.TURNED_AWAY),
        (lambda: judged(textured(), turned(-0.6)), Reason.TURNED_AWAY),
        (lambda: judged(textured(), norm=0.7 * TYPICAL), Reason.OCCLUDED_OR_UNCERTAIN),
    ],
)
def test_each_reason_alone(made, reason):
    found = made()
    assert found.reasons == (reason,)
    assert found.score < judged(textured()).score


def test_reasons_come_together_and_explain_a_low_norm():
    dark_and_small = judged((textured() * 0.2).astype(np.uint8), ARCFACE_TEMPLATE * np.float32(0.2), norm=1)
    assert set(dark_and_small.reasons) == {Reason.TOO_SMALL, Reason.DARK}


def test_what_is_measured():
    crop = textured()
    found = measured(crop)
    assert found.size == pytest.approx(CROP_SIDE, rel=0.01)
    assert measured(crop, ARCFACE_TEMPLATE * 3 + 50).size == pytest.approx(3 * CROP_SIDE, rel=0.01)
    assert found.brightness == pytest.approx(120, abs=10)
    assert found.clipped < 0.01
    assert abs(found.turn) < 0.02
    assert measured(crop, turned(0.5)).turn == pytest.approx(0.5, abs=0.02)
    assert measured(crop, turned(-0.5)).turn == pytest.approx(-0.5, abs=0.02)


def test_blur_is_seen_as_it_grows():
    sharpness = [measured(cv2.GaussianBlur(textured(), (0, 0), sigma)).sharpness for sigma in (0.5, 1, 2, 3, 4)]
    assert sharpness == sorted(sharpness, reverse=True)


number = st.floats(0, 1e6)
looks = st.builds(
    Measures,
    size=number,
    sharpness=st.floats(0, 10),
    brightness=st.floats(0, 255),
    clipped=st.floats(0, 1),
    turn=st.floats(-1e3, 1e3),
)


@given(looks, number, st.none() | st.floats(0, 1e6))
def test_a_score_is_a_share_and_a_reason_is_named_once(measures, norm, typical):
    found = judge(measures, norm, typical)
    assert 0 <= found.score <= 1
    assert len(set(found.reasons)) == len(found.reasons)


@given(looks, number, number)
def test_a_higher_norm_is_never_worse(measures, one, other):
    low, high = sorted((one, other))
    assert judge(measures, low, TYPICAL).score <= judge(measures, high, TYPICAL).score


@pytest.mark.parametrize(
    ("name", "ascending"),
    [
        ("size", (0, 8, 16, 32, 45, 200, 4000)),
        ("sharpness", (0, 0.25, 0.4, 0.55, 0.7)),
        ("brightness", (0, 10, 40, 120)),
        ("clipped", (1, 0.6, 0.2, 0)),
        ("turn", (2, 1, 0.5, 0.3, 0)),
        ("turn", (-2, -1, -0.5, -0.3, 0)),
    ],
)
def test_the_better_a_measure_the_better_the_score(name, ascending):
    values = {field: getattr(GOOD, field) for field in Measures.__dataclass_fields__}
    scores = [judge(Measures(**{**values, name: value}), TYPICAL, TYPICAL).score for value in ascending]
    assert scores == sorted(scores)
    assert scores[0] == 0
    assert scores[-1] == pytest.approx(judge(GOOD, TYPICAL, TYPICAL).score)


def test_without_a_typical_norm_what_can_be_seen_decides_alone():
    assert judge(GOOD, 0.1, None) == judge(GOOD, 100, None)
    assert judge(GOOD, 0.1, None).score == pytest.approx(0.75)
    assert judge(GOOD, 0.1, None).reasons == ()
    assert judge(GOOD, 0.1, TYPICAL).score == 0


@given(
    arrays.arrays(np.uint8, (CROP_SIDE, CROP_SIDE, 3), elements=st.integers(0, 255), fill=st.integers(0, 255)),
    arrays.arrays(np.float32, (5, 2), elements=st.floats(-1e4, 1e4, width=32)),
    st.floats(0, 100),
)
def test_any_crop_and_any_landmarks_have_a_score(crop, landmarks, norm):
    found = measure(crop, landmarks)
    numbers = [getattr(found, field) for field in Measures.__dataclass_fields__ if field != "components"]
    assert all(map(math.isfinite, numbers))
    assert all(0 <= value <= 100 for value in found.components.values())
    assert 0 <= judge(found, norm, TYPICAL).score <= 1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_landmarks_in_one_point_and_a_flat_crop(level):
    flat = np.full((CROP_SIDE, CROP_SIDE, 3), level, np.uint8)
    found = measured(flat, np.full((5, 2), 7, np.float32))
    assert (found.size, found.sharpness, found.turn) == (0, 0, 0)
    assert judge(found, TYPICAL, TYPICAL).score == 0
    assert {Reason.TOO_SMALL, Reason.BLURRED} <= set(judge(found, TYPICAL, TYPICAL).reasons)
