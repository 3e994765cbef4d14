import math

import numpy as np
import pytest
import torch
from figures.curves import Curve, curve_of, parse_curve

from app.errors import TrainingInvalid
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
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
    curve = curve_of(spec, norm=12).target_logit(_THETA)
    assert curve.dtype == np.float64
    np.testing.assert_allclose(logits[:, 0], curve, atol=2e-4)


def test_the_figures_curves_meet_where_the_paper_has_them():
    at = np.array([0, math.pi / 2])
    assert curve_of(LossSpec("softmax")).target_logit(at) == pytest.approx([64, 0])
    assert curve_of(LossSpec("cosface")).target_logit(at) == pytest.approx([64 * 0.65, -64 * 0.35])
    assert curve_of(LossSpec("arcface")).target_logit(at) == pytest.approx([64 * math.cos(0.5), -64 * math.sin(0.5)])
    assert curve_of(LossSpec("sphereface")).target_logit(at) == pytest.approx([64, 64 * -3 / 6])


def test_triplets_have_no_curve():
    with pytest.raises(TrainingInvalid):
        curve_of(LossSpec("triplet"))


def test_a_fractional_margin_of_sphereface_has_no_jump():
    logits = Curve("sphereface", 1, (1.5,), 0).target_logit(np.linspace(0, math.pi, 10_001))
    assert logits[[0, -1]] == pytest.approx([1, -2])  # cos(0); -cos(1.5 pi) - 2
    assert (np.diff(logits) <= 0).all()
    assert np.abs(np.diff(logits)).max() < 1e-3


def test_arcface_is_continued_from_the_papers_angle():
    assert Curve("arcface", 64, (0.5,)).last == pytest.approx(math.radians(151.35), abs=1e-4)
    assert Curve("cosface", 64, (0.35,)).last is None


@pytest.mark.parametrize(
    ("text", "curve", "label"),
    [
        ("softmax", Curve("softmax", 64), "Softmax (|x| = 64)"),
        ("softmax:s=30", Curve("softmax", 30), "Softmax (|x| = 30)"),
        ("normface", Curve("normface", 64), "NormFace (s = 64)"),
        ("arcface:m=0.3,s=30", Curve("arcface", 30, (0.3,)), "ArcFace (s = 30; m = 0.3)"),
        ("sphereface:m=1.5,lambda=0", Curve("sphereface", 64, (1.5,), 0), "SphereFace (|x| = 64; m = 1.5; λ = 0)"),
        ("combined:m1=1,m2=0.5", Curve("combined", 64, (1, 0.5, 0.2)), "Combined (s = 64; m = 1, 0.5, 0.2)"),
    ],
)
def test_losses_are_written_as_name_and_parameters(text, curve, label):
    assert parse_curve(text) == curve
    assert curve.label == label


@pytest.mark.parametrize(
    "text",
    ["triplet", "nothing", "arcface:m", "arcface:margin=1", "arcface:m=x", "arcface:lambda=1", "sphereface:m=0.5"],
)
def test_other_texts_are_refused(text):
    with pytest.raises(TrainingInvalid):
        parse_curve(text)
