"""Architectures of InsightFace's arcface_torch, and the names that it gives to their layers.

Its IResNet is the one of `app.training.backbones.iresnet`. Its MobileFaceNet (`mbf`) is wider than the published one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from app.training.backbones.building import build_backbone
from app.training.backbones.iresnet import UNITS
from app.training.backbones.mobilefacenet import Bottleneck, conv_block, depthwise_output
from app.training.backbones.spec import BackboneSpec

_RESIDUAL = ("bn1", "conv1", "bn2", "prelu", "conv2", "bn3")
_MBF_STAGES = (  # channels, hidden channels, units; a stage of one unit has stride 2 and no shortcut
    (128, 128, 1),
    (128, 128, 4),
    (256, 256, 1),
    (256, 256, 6),
    (256, 512, 1),
    (256, 256, 2),
)
_MBF_STEM, _MBF_STEM_GROUPS, _MBF_LAST = 128, 64, 512


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture of arcface_torch.

    Args:
        layers: Names of the layers with weights, in the order of execution.
        fully_connected: Name of the layer whose outputs are the dimensions of the embedding.
        build: Function dimension -> new network.
    """

    layers: tuple[str, ...]
    fully_connected: str
    build: Callable[[int], nn.Module]


class WideMobileFaceNet(nn.Module):
    """arcface_torch's `mbf`: crops (n, 3, 112, 112) -> `body` -> (n, 512, 7, 7) -> `output` -> features (n, d)."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        stem = _MBF_STEM
        layers = [*conv_block(3, stem, 3, stride=2), *conv_block(stem, stem, 3, groups=_MBF_STEM_GROUPS)]
        channels = stem
        for out_channels, hidden, units in _MBF_STAGES:
            stride = 2 if units == 1 else 1
            layers += [Bottleneck(channels, out_channels, hidden, stride=stride) for _ in range(units)]
            channels = out_channels
        self.body = nn.Sequential(*layers, *conv_block(channels, _MBF_LAST, 1))
        self.output = depthwise_output(_MBF_LAST, dimension)

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        features: Tensor = self.output(self.body(crops))
        return features


def _iresnet(name: str) -> Architecture:
    def names() -> Iterator[str]:
        yield from ("conv1", "bn1", "prelu")
        for stage, units in enumerate(UNITS[name], 1):
            for unit in range(units):
                yield from (f"layer{stage}.{unit}.{part}" for part in _RESIDUAL)
                if unit == 0:
                    yield from (f"layer{stage}.0.downsample.{index}" for index in range(2))
        yield from ("bn2", "fc", "features")

    return Architecture(tuple(names()), "fc", lambda dimension: build_backbone(BackboneSpec(name, dimension=dimension)))


def _mobilefacenet() -> Architecture:
    def names() -> Iterator[str]:
        for block in ("layers.0", "layers.1"):
            yield from (f"{block}.layers.{part}" for part in range(3))
        for place, (_, _, units) in enumerate(_MBF_STAGES, 2):
            for unit in range(units):
                prefix = f"layers.{place}" if units == 1 else f"layers.{place}.layers.{unit}"
                for group, parts in enumerate((3, 3, 2)):
                    yield from (f"{prefix}.layers.{group}.layers.{part}" for part in range(parts))
        yield from (f"conv_sep.layers.{part}" for part in range(3))
        yield from ("features.layers.0.layers.0", "features.layers.0.layers.1")
        yield from ("features.layers.2", "features.layers.3")

    return Architecture(tuple(names()), "features.layers.2", WideMobileFaceNet)


ARCHITECTURES: Final[dict[str, Architecture]] = {**{name: _iresnet(name) for name in UNITS}, "mbf": _mobilefacenet()}
