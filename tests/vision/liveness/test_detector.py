from dataclasses import replace

import numpy as np
import pytest

from app.types import Box, Detection, Floats, Pixels
from app.vision.liveness import AttackSign, LivenessEvidence
from app.vision.liveness.crops import CropKind
from app.vision.liveness.detector import SMALLEST_SIDE, FusedDetector, WeightedNetwork, obstacles
from app.vision.liveness.networks import LivenessInput, LivenessNetwork
from app.vision.liveness.upright import turned, turned_box
from tests.vision.liveness.fakes import SIDE, brightness_session

PHOTO = np.zeros((200, 1500, 3), np.uint8)
PHOTO[:, 700:] = 100


def face(left: float, top: float = 50, width: float = 80, height: float = 100) -> Detection:
    return Detection((left, top, left + width, top + height), 0.9, np.zeros((5, 2), np.float32))


def weighted(weight: float, live_class: int = 1) -> WeightedNetwork:
    form = LivenessInput(CropKind.REFLECTED_SQUARE, 1.5, SIDE, is_bgr=True, divisor=100.0, live_class=live_class)
    return WeightedNetwork(LivenessNetwork(brightness_session(), form), weight)


def logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def test_the_score_is_the_logistic_function_of_the_weighted_log_odds():
    detector = FusedDetector([weighted(2), weighted(0.5, live_class=0)], bias=-1)
    dark, bright = detector.evidence(PHOTO, [face(100), face(1000)])
    assert dark.score == pytest.approx(logistic(-1))
    assert bright.score == pytest.approx(logistic(2 - 0.5 - 1))
    assert (dark.signs, bright.signs) == ((AttackSign.NETWORK,), ())


@pytest.mark.parametrize(("weight", "score"), [(-1e6, 0), (1e6, 1)])
def test_extreme_log_odds_do_not_overflow(weight, score):
    (found,) = FusedDetector([weighted(weight)]).evidence(PHOTO, [face(1000)])
    assert found.score == score


def test_a_pattern_lowers_the_score_and_is_the_first_reason_if_it_weighs_most():
    photo = np.full((200, 300, 3), 60, np.uint8)
    across = 127 + 60 * (np.sin(np.arange(300) * 1.3) * np.cos(np.arange(200) * 1.1)[:, None])
    screen = np.repeat(across[..., None], 3, axis=2).astype(np.uint8)
    detector = FusedDetector([weighted(1, live_class=0)], pattern_weight=2)
    (plain,) = detector.evidence(photo, [face(100)])
    (shown,) = detector.evidence(screen, [face(100)])
    assert plain.signs == (AttackSign.NETWORK,)
    assert shown.signs == (AttackSign.REGULAR_PATTERN, AttackSign.NETWORK)
    assert shown.score == pytest.approx(logistic(-1.27 - 2 * 3), rel=0.05)


def test_a_face_that_cannot_be_judged_is_neither_live_nor_an_attack():
    faces = [face(-40), face(1000), face(300, width=SMALLEST_SIDE - 1)]
    cut, judged, small = FusedDetector([weighted(1)]).evidence(PHOTO, faces)
    assert cut == LivenessEvidence(0.5, (AttackSign.FACE_CUT_OFF,), is_usable=False)
    assert small == LivenessEvidence(0.5, (AttackSign.FACE_TOO_SMALL,), is_usable=False)
    assert judged.is_usable
    assert judged.score > 0.7


def test_turned_faces_are_judged_upright():
    photo: Pixels = np.random.default_rng(5).integers(0, 256, (300, 200, 3), np.uint8)
    landmarks = np.array([[60, 80], [100, 80], [80, 100], [65, 125], [95, 125]], np.float32)
    upright = Detection((40.0, 50.0, 120.0, 150.0), 0.9, landmarks)
    detector = FusedDetector([weighted(1), shifted()])
    (expected,) = detector.evidence(photo, [upright])
    for turns in (1, 2, 3):
        on_side = replace(
            upright, box=turned_box(upright.box, photo.shape, turns), landmarks=left_turned(landmarks, turns)
        )
        (judged,) = detector.evidence(turned(photo, turns), [on_side])
        assert judged.score == pytest.approx(expected.score, rel=1e-5)


def left_turned(landmarks: Floats, turns: int) -> Floats:
    width, height = 200, 300
    for _ in range(turns):
        landmarks = np.stack([landmarks[:, 1], width - landmarks[:, 0]], axis=1)
        width, height = height, width
    return landmarks


def test_a_crowd_is_judged_in_order():
    lefts = np.linspace(0, 1400, 50)
    scores = [each.score for each in FusedDetector([weighted(1)]).evidence(PHOTO, [face(left) for left in lefts])]
    assert scores == sorted(scores)
    assert FusedDetector([weighted(1)]).evidence(PHOTO, []) == []


@pytest.mark.parametrize(
    ("box", "sign"),
    [
        ((0.0, 0.0, 60.0, 80.0), None),
        ((0.0, 0.0, 59.9, 80.0), AttackSign.FACE_TOO_SMALL),
        ((10.0, 10.0, 5.0, 90.0), AttackSign.FACE_TOO_SMALL),
        ((-9.0, 0.0, 91.0, 80.0), None),
        ((-11.0, 0.0, 89.0, 80.0), AttackSign.FACE_CUT_OFF),
        ((500.0, 500.0, 600.0, 600.0), AttackSign.FACE_CUT_OFF),
    ],
)
def test_small_faces_and_those_cut_off_cannot_be_judged(box: Box, sign: AttackSign | None):
    assert obstacles(box, (200, 300, 3)) == (() if sign is None else (sign,))


def test_every_size_and_place_of_a_usable_face_can_be_cropped():
    rng = np.random.default_rng(4)
    detector = FusedDetector([weighted(1), shifted()])
    for _ in range(200):
        height, width = rng.integers(70, 400, 2)
        size = rng.uniform(60, [width, height])
        left, top = rng.uniform(-0.04 * size, [width, height] - 0.96 * size)  # less than a tenth is beyond the edges
        photo: Pixels = np.zeros((height, width, 3), np.uint8)
        (found,) = detector.evidence(photo, [face(left, top, size[0], size[1])])
        assert found == LivenessEvidence(0.5)  # of a black photo


def shifted() -> WeightedNetwork:
    form = LivenessInput(CropKind.SHIFTED, 4.0, SIDE, is_bgr=False, divisor=1.0, live_class=0)
    return WeightedNetwork(LivenessNetwork(brightness_session(), form), 1)
