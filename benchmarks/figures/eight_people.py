"""Eight people embedded in two dimensions by each loss (ArcFace, 2019, figure 3)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.training.data.source import CropSource, Labels
from app.training.losses.base import Loss
from app.training.losses.building import build_loss
from app.training.losses.spec import LossSpec
from app.types import Pixels
from figures.drawing import Plane

PEOPLE = 8
# Eight classes in a plane are at most 45 degrees apart; the papers' scale and margin are for many dimensions.
LOSSES = {
    "softmax": LossSpec("softmax"),
    "normface": LossSpec("normface", scale=16),
    "sphereface": LossSpec("sphereface", margin=2, lambda_min=1),
    "cosface": LossSpec("cosface", scale=16, margin=0.1),
    "arcface": LossSpec("arcface", scale=16, margin=0.2),
}
_MOST = 60  # photos of one person
_SIDE = 56  # pixels
_BATCH = 32
_RATE = 2e-3


@dataclass(frozen=True, slots=True)
class EightPeople:
    """Crops (n, 112, 112, 3) of eight people, their numbers (n,) 0..7 and names."""

    crops: Pixels
    labels: Labels
    people: tuple[str, ...]


def eight_of(source: CropSource) -> EightPeople:
    """Return the eight people with the most photos, equally many of each; raises TrainingInvalid for fewer people."""
    counts = np.bincount(source.labels, minlength=len(source.classes))
    if (counts > 1).sum() < PEOPLE:
        raise TrainingInvalid(f"the picture needs {PEOPLE} people with two photos or more")
    chosen = np.argsort(-counts, kind="stable")[:PEOPLE]
    most = min(_MOST, int(counts[chosen].min()))
    places = [np.flatnonzero(source.labels == each)[:most] for each in chosen]
    crops = np.stack([source.crop(int(place)) for own in places for place in own])
    return EightPeople(crops, np.repeat(np.arange(PEOPLE), most), tuple(source.classes[each] for each in chosen))


def arranged(
    eight: EightPeople,
    spec: LossSpec,
    *,
    epochs: int = 60,
    seed: int = 0,
    advance: Advance = lambda _: None,
) -> Plane:
    """Train a tiny network with a loss on all photos and return their features; `advance` is called after each epoch.

    The features have length 1 if the loss takes unit-norm features.
    """
    torch.manual_seed(seed)
    inputs, labels = _input(eight.crops), torch.from_numpy(eight.labels)
    network, loss = _tiny(), build_loss(spec, classes=PEOPLE, dimension=2)
    _spread(loss)
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], _RATE)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    order = torch.Generator().manual_seed(seed)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=order).split(_BATCH):
            if len(batch) == 1:
                continue  # BatchNorm cannot use a single photo
            optimiser.zero_grad()
            loss(network(inputs[batch]), labels[batch]).backward()
            optimiser.step()
            loss.step()
        rates.step()
        advance(1)
    network.eval()
    with torch.no_grad():
        features = network(inputs)
        if spec.name not in {"softmax", "sphereface"} or spec.is_feature_normalised:
            features = functional.normalize(features)
    return Plane(features.numpy(), eight.labels, _centres(loss))


def _tiny() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.PReLU(outputs)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * (_SIDE // 8) ** 2, 2), nn.BatchNorm1d(2))


def _input(crops: Pixels) -> Tensor:
    planes = torch.from_numpy(crops).permute(0, 3, 1, 2).float().sub(127.5).div(128)
    return functional.interpolate(planes, (_SIDE, _SIDE), mode="area")


def _spread(loss: Loss) -> None:
    """Place the classes around the circle, for every loss alike: in a plane they cannot move past each other."""
    angles = torch.arange(PEOPLE) * (2 * torch.pi / PEOPLE)
    with torch.no_grad():
        loss.head.weight.copy_(torch.stack([angles.cos(), angles.sin()], 1)[:, None])


def _centres(loss: Loss) -> np.typing.NDArray[np.float32] | None:
    head = getattr(loss, "head", None)
    return None if head is None else head.weight.detach()[:, 0].numpy()
