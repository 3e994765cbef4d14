"""Gradients are bit-identical on every run, also with several threads, so a resumed run ends in the same weights."""

import pytest
import torch

from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec

_SIZE = 512, 128  # large enough for PyTorch to use several threads


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("spec", "classes"),
    [
        (LossSpec("softmax"), 3),
        (LossSpec("arcface"), 3),
        (LossSpec("sphereface", sub_centers=3), 3),
        (LossSpec("cosface", sample_rate=0.5), 50),
        (LossSpec("adaface"), 3),
        (LossSpec("magface", sample_rate=0.5), 50),
        (LossSpec("center"), 3),
        (LossSpec("contrastive"), 30),
        (LossSpec("triplet", margin=3), 30),
    ],
    ids=str,
)
def test_gradients_are_the_same_bits_every_time(spec, classes, four_threads):
    torch.manual_seed(0)
    loss = build_loss(spec, classes=classes, dimension=_SIZE[1]).eval()  # no averages that change with each batch
    features, labels = torch.randn(_SIZE), torch.randint(classes, _SIZE[:1])

    def slopes():
        loss.zero_grad()
        given = features.clone().requires_grad_()
        loss(given, labels).backward()
        return [given.grad, *(weight.grad.clone() for weight in loss.parameters())]

    first = slopes()
    for _ in range(8):
        assert all(torch.equal(one, other) for one, other in zip(slopes(), first, strict=True))
