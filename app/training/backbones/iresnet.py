"""IResNet: the ResNet of the ArcFace paper, with improved residual units and a stem that keeps the resolution.

Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019; the unit is of Han,
Kim, Kim: "Deep Pyramidal Residual Networks", 2017.
"""

from torch import Tensor, nn

from app.training.backbones.output import output_layers
from app.training.backbones.spec import BackboneSpec

_UNITS = {
    "iresnet18": (2, 2, 2, 2),
    "iresnet34": (3, 4, 6, 3),
    "iresnet50": (3, 4, 14, 3),
    "iresnet100": (3, 13, 30, 3),
}
_STEM = 64
_STAGES = (64, 128, 256, 512)
_SPREAD = 0.1  # of the convolutions' initial weights, as in the authors' code
_SQUEEZE = 16


class IResNet(nn.Module):
    """Crops (n, 3, 112, 112) -> `body` -> map (n, 512 * width, 7, 7) -> `output` -> features (n, dimension)."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        channels = spec.channels(_STEM)
        layers = [_conv3x3(3, channels), nn.BatchNorm2d(channels), nn.PReLU(channels)]
        for published, units in zip(_STAGES, _UNITS[spec.name], strict=True):
            wider = spec.channels(published)
            layers.append(_Unit(channels, wider, stride=2, has_se=spec.has_se))
            layers += [_Unit(wider, wider, stride=1, has_se=spec.has_se) for _ in range(units - 1)]
            channels = wider
        self.body = nn.Sequential(*layers)
        self.output = output_layers(spec, channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, _SPREAD)

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        return self.output(self.body(crops))


class _Unit(nn.Module):
    """BN-Conv-BN-PReLU-Conv-BN, optionally SE, plus the input; 1x1 Conv-BN on the shortcut where the shape changes."""

    def __init__(self, channels: int, wider: int, *, stride: int, has_se: bool) -> None:
        super().__init__()
        layers = [
            nn.BatchNorm2d(channels),
            _conv3x3(channels, wider),
            nn.BatchNorm2d(wider),
            nn.PReLU(wider),
            _conv3x3(wider, wider, stride=stride),
            nn.BatchNorm2d(wider),
        ]
        if has_se:
            layers.append(_SqueezeExcitation(wider))
        self.residual = nn.Sequential(*layers)
        self.shortcut = nn.Identity()
        if stride != 1 or channels != wider:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, wider, 1, stride=stride, bias=False), nn.BatchNorm2d(wider)
            )

    def forward(self, maps: Tensor) -> Tensor:
        return self.residual(maps) + self.shortcut(maps)


class _SqueezeExcitation(nn.Module):
    """Weighs each channel by what all of them are on average.

    Hu, Shen, Sun: "Squeeze-and-Excitation Networks", 2018; with PReLU, as in the authors' SE-IResNet.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(channels // _SQUEEZE, 1)
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.PReLU(squeezed),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.weights(maps)


def _conv3x3(channels: int, wider: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False)
