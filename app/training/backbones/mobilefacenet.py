"""MobileFaceNet: 0.99 million parameters with folded BatchNorms (128-d).

Chen, Liu, Gao, Han: "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices", 2018,
table 1. The inverted residual bottlenecks are from Sandler, Howard, Zhu, Zhmoginov, Chen: "MobileNetV2", 2018.
"""

from torch import Tensor, nn

from app.training.backbones.body import BackboneBody
from app.training.backbones.spec import BackboneSpec

_STEM, _LAST = 64, 512
_SIDE = 7  # of the last feature map
_BOTTLENECKS = (  # expansion, channels, number of units, stride of the first
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
)


class MobileFaceNet(nn.Module):
    """MobileFaceNet: crops (n, 3, 112, 112) -> `body` -> (n, 512 * width, 7, 7) -> `output` -> features (n, dimension).

    The output is a global depthwise convolution, which weights every position of the map, and a linear layer.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        channels, last = spec.channels(_STEM), spec.channels(_LAST)
        layers = [*conv_block(3, channels, 3, stride=2), *conv_block(channels, channels, 3, groups=channels)]
        for expansion, published, units, stride in _BOTTLENECKS:
            for unit in range(units):
                out_channels = spec.channels(published)
                layers.append(Bottleneck(channels, out_channels, expansion * channels, stride=1 if unit else stride))
                channels = out_channels
        self.body = BackboneBody(*layers, *conv_block(channels, last, 1))
        self.output = depthwise_output(last, spec.dimension)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        return self.output(self.body(crops))


class Bottleneck(nn.Module):
    """Inverted residual bottleneck: expand, filter each channel, project without activation, add a matching input."""

    def __init__(self, channels: int, out_channels: int, expanded: int, *, stride: int) -> None:
        super().__init__()
        self.is_residual = stride == 1 and channels == out_channels
        self.layers = nn.Sequential(
            *conv_block(channels, expanded, 1),
            *conv_block(expanded, expanded, 3, stride=stride, groups=expanded),
            nn.Conv2d(expanded, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (n, out_channels, h / stride, w / stride) of maps (n, channels, h, w)."""
        residual = self.layers(maps)
        return maps + residual if self.is_residual else residual


def depthwise_output(channels: int, dimension: int) -> nn.Sequential:
    """Return the layers from the last feature map (n, channels, 7, 7) to features (n, dimension)."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, _SIDE, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.Flatten(),
        nn.Linear(channels, dimension, bias=False),
        nn.BatchNorm1d(dimension),
    )


def conv_block(channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return a convolution that keeps the size, except for its stride, with BN and PReLU."""
    convolution = nn.Conv2d(
        channels, out_channels, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
    )
    return [convolution, nn.BatchNorm2d(out_channels), nn.PReLU(out_channels)]
