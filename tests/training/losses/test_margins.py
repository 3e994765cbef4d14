import math

import numpy as np
import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec

_THETA = torch.linspace(0, math.pi, 2001, dtype=torch.float64)


def _target(spec):
    return build_loss(spec, classes=2, dimension=4).target(_THETA)


@pytest.mark.parametrize(
    ("special", "general"),
    [
        (LossSpec("arcface"), LossSpec("combined", m1=1, m2=0.5, m3=0)),
        (LossSpec("cosface"), LossSpec("combined", m1=1, m2=0, m3=0.35)),
        (LossSpec("normface"), LossSpec("combined", m1=1, m2=0, m3=0)),
        (LossSpec("normface"), LossSpec("arcface", margin=0)),
        (LossSpec("normface"), LossSpec("cosface", margin=0)),
        (LossSpec("normface"), LossSpec("sphereface", margin=1)),
        (LossSpec("normface"), LossSpec("w-norm")),
    ],
    ids=str,
)
def test_special_cases(special, general):
    torch.testing.assert_close(_target(special), _target(general))


def test_the_same_special_case_from_end_to_end():
    torch.manual_seed(3)
    features, labels = torch.randn(8, 16), torch.randint(5, (8,))
    arcface = build_loss(LossSpec("arcface", margin=0.4), classes=5, dimension=16)
    combined = build_loss(LossSpec("combined", m1=1, m2=0.4, m3=0), classes=5, dimension=16)
    combined.load_state_dict(arcface.state_dict())
    torch.testing.assert_close(combined(features, labels), arcface(features, labels))


@pytest.mark.parametrize(
    "spec",
    [
        LossSpec("normface"),
        LossSpec("cosface"),
        LossSpec("arcface"),
        LossSpec("arcface", margin=1.5),
        LossSpec("combined"),
        LossSpec("combined", m1=1.5, m2=0.5, m3=0.1),
        LossSpec("combined", m1=2, m2=0, m3=0),
        LossSpec("sphereface", lambda_max=0, lambda_min=0),
        LossSpec("sphereface", margin=3),
    ],
    ids=str,
)
def test_a_wider_angle_is_always_worse(spec):
    assert (_target(spec).diff() < 1e-12).all()
    assert (_target(spec) <= torch.cos(_THETA) + 1e-12).all()


def test_arcface_beyond_pi_minus_m_is_the_authors():
    beyond = torch.gt(_THETA, math.pi - 0.5)
    expected = np.cos(_THETA[beyond].numpy()) - 0.5 * math.sin(math.pi - 0.5)
    np.testing.assert_allclose(_target(LossSpec("arcface"))[beyond].numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(_target(LossSpec("arcface"))[~beyond].numpy(), np.cos(_THETA[~beyond].numpy() + 0.5))


def test_the_gradient_is_the_papers_and_not_that_of_the_plain_cosine():
    """The authors' present code in PyTorch has a factor of 1 here."""
    theta = torch.tensor([math.pi / 4, math.pi / 3], dtype=torch.float64, requires_grad=True)
    build_loss(LossSpec("arcface"), classes=2, dimension=4).target(theta).sum().backward()
    assert (theta.grad / -torch.sin(theta)).tolist() == pytest.approx([1.357, 1.154], abs=0.001)
