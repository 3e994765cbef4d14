import math

import numpy as np
import pytest
import torch
from figures.curves import target_logit

from app.errors import TrainingInvalid
from app.training.losses import LossSpec, build_loss
from tests.training.losses import formulas

_THETA = np.linspace(0, math.pi, 300)  # none of them at the jump beyond pi - m
_SPECS = [
    LossSpec("softmax"),
    LossSpec("normface"),
    LossSpec("sphereface"),
    LossSpec("sphereface", margin=3, is_feature_normalised=True),
    LossSpec("cosface"),
    LossSpec("arcface"),
    LossSpec("combined"),
    LossSpec("combined", m1=1.4, m2=0.3, m3=0.1, scale=30),
]


@pytest.mark.parametrize("spec", _SPECS, ids=str)
def test_curves_are_what_the_losses_do(spec):
    loss = build_loss(spec, classes=2, dimension=16)
    loss.iteration.fill_(10**7)
    with torch.no_grad():
        loss.head.weight /= torch.linalg.vector_norm(loss.head.weight, dim=2, keepdim=True)
    labels = np.zeros(len(_THETA), np.int64)
    features = formulas.at_angles(loss.head.weight.detach().double().numpy(), labels, _THETA, norm=12)
    logits = loss.logits(torch.from_numpy(features), torch.from_numpy(labels)).detach().numpy()
    curve = target_logit(spec, _THETA, norm=12)
    assert curve.dtype == np.float64
    np.testing.assert_allclose(logits[:, 0], curve, atol=2e-4)


def test_the_figures_curves_meet_where_the_paper_has_them():
    at = np.array([0, math.pi / 2])
    assert target_logit(LossSpec("softmax"), at) == pytest.approx([64, 0])
    assert target_logit(LossSpec("cosface"), at) == pytest.approx([64 * 0.65, -64 * 0.35])
    assert target_logit(LossSpec("arcface"), at) == pytest.approx([64 * math.cos(0.5), -64 * math.sin(0.5)])
    assert target_logit(LossSpec("sphereface"), at) == pytest.approx([64, 64 * -3 / 6])


def test_triplets_have_no_curve():
    with pytest.raises(TrainingInvalid):
        target_logit(LossSpec("triplet"), _THETA)
