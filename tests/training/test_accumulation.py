import pytest
import torch
from torch import nn

from app.training.accumulation import accumulate_gradients
from app.training.data.batches import Batch
from app.training.learner import Learner
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec

CPU = torch.device("cpu")


def learner():
    """Build a learner whose features of a photo do not depend on the rest of the batch."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.Linear(48, 8))
    return Learner(backbone, build_loss(LossSpec("arcface", scale=8), classes=4, dimension=8))


def gradients(parts):
    generator = torch.Generator().manual_seed(1)
    crops = torch.randint(0, 256, (8, 112, 112, 3), generator=generator, dtype=torch.uint8)
    module = learner()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    loss = accumulate_gradients(module, Batch(crops, torch.arange(8) % 4), device=CPU, scaler=scaler, parts=parts)
    return loss, [weight.grad for weight in module.parameters()]


@pytest.mark.parametrize("parts", [2, 8])
def test_parts_of_a_batch_have_the_gradient_of_the_batch(parts):
    (whole, expected), (loss, result) = gradients(1), gradients(parts)
    torch.testing.assert_close(loss, whole)
    for one, other in zip(result, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
