import math

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from app.training.losses.sphereface import Annealing


@pytest.mark.parametrize("iteration", [0, 1, 10, 100, 1000, 1658, 1659, 100_000])
def test_lambda_falls_as_the_authors_have_it(iteration):
    result = Annealing(1000, 0.12, 5).at(torch.tensor(iteration))
    assert float(result) == pytest.approx(max(5, 1000 / (1 + 0.12 * iteration)))


def test_psi_is_continuous_and_falls_from_one_to_one_minus_two_m():
    loss = build_loss(LossSpec("sphereface", lambda_max=0, lambda_min=0), classes=2, dimension=4)
    theta = torch.linspace(0, math.pi, 10_001, dtype=torch.float64)
    psi = loss.target(theta)
    assert psi[0] == 1
    assert float(psi[-1]) == pytest.approx(-7)
    assert float(psi.diff().abs().max()) < 4 * math.pi / 10_000 * 1.001
    borders = torch.arange(5) * math.pi / 4
    assert loss.target(borders.double()).tolist() == pytest.approx([1, -1, -3, -5, -7])


def test_each_step_brings_the_margin_in_and_is_saved():
    loss = build_loss(LossSpec("sphereface"), classes=2, dimension=4)
    theta = torch.tensor([1.0])
    before = float(loss.target(theta))
    assert before == pytest.approx(math.cos(1), abs=5e-3)
    for _ in range(20):
        loss.step()
    assert float(loss.target(theta)) < before
    resumed = build_loss(LossSpec("sphereface"), classes=2, dimension=4)
    resumed.load_state_dict(loss.state_dict())
    assert int(resumed.iteration) == 20
    assert torch.equal(resumed.target(theta), loss.target(theta))


def test_the_features_norm_is_the_scale_unless_they_are_normalised():
    random = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 4))).float()
    labels = torch.tensor([0, 1, 1])
    kept = build_loss(LossSpec("sphereface"), classes=2, dimension=4)
    torch.testing.assert_close(kept.logits(3 * random, labels), 3 * kept.logits(random, labels))
    normalised = build_loss(LossSpec("sphereface", is_feature_normalised=True, scale=30), classes=2, dimension=4)
    normalised.load_state_dict(kept.state_dict())
    torch.testing.assert_close(normalised.logits(3 * random, labels), normalised.logits(random, labels))
    norms = torch.linalg.vector_norm(random, dim=1, keepdim=True)
    torch.testing.assert_close(normalised.logits(random, labels) / 30, kept.logits(random, labels) / norms)
