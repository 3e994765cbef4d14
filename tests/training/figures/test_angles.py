import math

import numpy as np
import pytest
from figures.angles import BINS, boundary, edge, thetas
from figures.curves import Curve, curve_of

from app.training.losses.spec import LossSpec

THETA = np.linspace(0, math.pi, 181)


def test_a_plain_loss_parts_two_classes_in_the_middle():
    for name in ("softmax", "normface"):
        np.testing.assert_allclose(boundary(curve_of(LossSpec(name)), THETA), THETA, atol=1e-7)
        assert edge(curve_of(LossSpec(name)), math.pi / 2) == pytest.approx(math.pi / 4, abs=1e-3)


def test_arcface_asks_for_a_fixed_angle_more():
    theta = THETA[:150]
    np.testing.assert_allclose(boundary(Curve("arcface", 64, (0.5,)), theta), theta + 0.5, atol=1e-7)
    # In the plane: theta + 0.5 = between - theta.
    assert edge(Curve("arcface", 64, (0.5,)), math.pi / 2) == pytest.approx((math.pi / 2 - 0.5) / 2, abs=1e-3)


def test_cosface_asks_for_a_smaller_cosine():
    theta = THETA[np.cos(THETA) - 0.35 >= -1]
    np.testing.assert_allclose(np.cos(boundary(Curve("cosface", 64, (0.35,)), theta)), np.cos(theta) - 0.35, atol=1e-12)


def test_sphereface_multiplies_the_angle():
    curve = Curve("sphereface", 64, (4,), 0)
    theta = THETA[:46]
    np.testing.assert_allclose(boundary(curve, theta), 4 * theta, atol=1e-7)
    assert edge(curve, math.pi / 2) == pytest.approx(math.pi / 10, abs=1e-3)


def test_there_are_angles_at_which_nothing_is_enough():
    assert np.isnan(boundary(curve_of(LossSpec("cosface")), np.array([math.pi]))).all()


def test_a_margin_that_leaves_no_room_leaves_nothing():
    assert edge(Curve("arcface", 64, (1.5,)), 1.0) == 0


def test_angles_are_counted_apart_for_own_and_other_classes():
    degrees = np.array([[1.0, 91, 179], [121, 61, 31]])
    result = thetas(np.cos(np.radians(degrees)), np.array([0, 2]))
    assert BINS == 90
    assert np.flatnonzero(result.genuine).tolist() == [0, 15]
    assert result.genuine[[0, 15]].tolist() == [0.5, 0.5]
    assert np.flatnonzero(result.impostor).tolist() == [30, 45, 60, 89]
    assert result.impostor.sum() == 1


def test_cosines_beyond_one_by_rounding_are_angles_too():
    result = thetas(np.array([[1 + 1e-7, -1 - 1e-7]]), np.array([0]))
    assert (result.genuine[0], result.impostor[-1]) == (1, 1)
