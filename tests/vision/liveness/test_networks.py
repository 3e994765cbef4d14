import numpy as np
import pytest

from app.types import Pixels
from app.vision.liveness.crops import CropKind
from app.vision.liveness.networks import LivenessInput, LivenessNetwork
from tests.vision.liveness.fakes import SIDE, brightness_session


def grey(value: int) -> Pixels:
    return np.full((100, 100, 3), value, np.uint8)


def network(classes: int, live_class: int, *, divisor: float = 100.0) -> LivenessNetwork:
    form = LivenessInput(CropKind.SHIFTED, 2.7, SIDE, is_bgr=False, divisor=divisor, live_class=live_class)
    return LivenessNetwork(brightness_session(classes), form)


BOX = (30.0, 30.0, 69.0, 69.0)


def test_two_classes_give_the_difference_of_their_logits():
    assert network(2, 1).log_odds(grey(50), [BOX]) == pytest.approx([0.5])
    assert network(2, 0).log_odds(grey(50), [BOX]) == pytest.approx([-0.5])


def test_several_classes_give_the_log_odds_of_the_live_one():
    logits = np.array([0.5, 1.0, 1.5])
    share = np.exp(logits) / np.exp(logits).sum()
    odds = network(3, 1).log_odds(grey(50), [BOX])
    assert odds == pytest.approx([np.log(share[1] / (1 - share[1]))], rel=1e-5)


def test_large_logits_do_not_overflow():
    assert np.isfinite(network(3, 0, divisor=0.01).log_odds(grey(255), [BOX])).all()


def test_each_face_of_a_photo_is_judged():
    photo = np.zeros((100, 300, 3), np.uint8)
    photo[:, 200:] = 200
    odds = network(2, 1).log_odds(photo, [(30.0, 30.0, 49.0, 69.0), (240.0, 30.0, 259.0, 69.0)])
    assert odds == pytest.approx([0, 2], abs=0.01)
