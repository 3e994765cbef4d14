import math

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.cosine_head import CosineHead, angles, nearest_centres, normalise
from app.training.losses.spec import LossSpec
from tests.training.losses import formulas


@pytest.mark.parametrize("theta", [0, 1e-6, 1e-4, 1e-2, 1, math.pi / 2, 3, math.pi - 1e-3, math.pi - 1e-5, math.pi])
def test_angles_are_exact_to_the_rounding_of_their_inputs(theta):
    weights = np.random.default_rng(1).normal(size=(20, 1, 512))
    features = formulas.at_angles(weights, np.arange(20), np.full(20, theta), norm=1)
    result = angles(torch.from_numpy(features).float(), normalise(torch.from_numpy(weights[:, 0]).float()))
    np.testing.assert_allclose(result.numpy(), theta, atol=5e-7)


def test_the_slope_of_an_angle_is_one_and_nothing_where_it_has_no_direction():
    one = torch.tensor([[1.0, 0, 0]] * 3)
    other = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0]], requires_grad=True)
    angles(one, other).sum().backward()
    assert torch.linalg.vector_norm(other.grad, dim=1).tolist() == pytest.approx([0, 1, 0])


def test_class_weights_begin_small_and_only_their_direction_counts():
    torch.manual_seed(0)
    head = CosineHead(200, 64, sub_centers=2)
    assert head.weight.shape == (200, 2, 64)
    assert float(head.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    assert abs(float(head.weight.detach().mean())) < 2e-4
    before = head().detach()
    torch.testing.assert_close(torch.linalg.vector_norm(before, dim=2), torch.ones(200, 2))
    with torch.no_grad():
        head.weight *= 37
    torch.testing.assert_close(head().detach(), before)


def test_only_the_classes_that_are_asked_for_are_computed():
    head = CosineHead(10, 4)
    chosen = torch.tensor([7, 2])
    torch.testing.assert_close(head(chosen), head()[chosen])


def test_a_class_is_as_near_as_its_nearest_sub_centre():
    random = np.random.default_rng(4)
    units, centers = formulas.normalise(random.normal(size=(6, 8))), formulas.normalise(random.normal(size=(5, 3, 8)))
    cosines, winners = nearest_centres(torch.from_numpy(units), torch.from_numpy(centers))
    every = np.einsum("nd,ckd->nck", units, centers)
    np.testing.assert_allclose(cosines.numpy(), every.max(axis=2))
    np.testing.assert_array_equal(winners.numpy(), every.argmax(axis=2))


@pytest.mark.parametrize("name", ["normface", "sphereface", "cosface", "arcface", "combined"])
def test_a_face_moves_only_the_sub_centre_that_it_is_nearest_to(name):
    torch.manual_seed(0)
    loss = build_loss(LossSpec(name, sub_centers=3), classes=4, dimension=8)
    feature, label = torch.randn(1, 8), torch.tensor([2])
    loss(feature, label).backward()
    moved = loss.head.weight.grad.abs().sum(dim=2) > 0
    assert moved.sum(dim=1).tolist() == [1, 1, 1, 1]
    expected = nearest_centres(normalise(feature), loss.head())[1][0]
    assert moved.int().argmax(dim=1).tolist() == expected.tolist()
