"""IResNet: the ResNet of the ArcFace paper, with improved residual units and a stem that keeps the resolution.

Deng, Guo, Xue, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019; the unit is
from Han, Kim, Kim: "Deep Pyramidal Residual Networks", 2017. The first version of the ArcFace paper (2018) compares it
with the stem of 7x7 and with the plain unit of He, Zhang, Ren, Sun: "Deep Residual Learning for Image Recognition",
2016; both are as in the authors' code for MXNet.
"""

from torch import Tensor, nn

from app.training.backbones.body import BackboneBody
from app.training.backbones.output import output_layers
from app.training.backbones.spec import BackboneSpec

UNITS = {
    "iresnet18": (2, 2, 2, 2),
    "iresnet34": (3, 4, 6, 3),
    "iresnet50": (3, 4, 14, 3),
    "iresnet100": (3, 13, 30, 3),
}
_STEM = 64
_STAGES = (64, 128, 256, 512)
_INITIAL_STD = 0.1  # standard deviation of the convolutions' initial weights, as in the authors' code
_SQUEEZE = 16
_POSITIONS = {"3x3": 7 * 7, "7x7": 4 * 4}  # of the last map, by stem


class IResNet(nn.Module):
    """IResNet: crops (n, 3, 112, 112) -> `body` -> (n, 512 * width, 7, 7) -> `output` -> features (n, dimension).

    With the stem of 7x7, the last map is 4x4.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        channels = spec.channels(_STEM)
        stem = _conv3x3(3, channels) if spec.stem == "3x3" else nn.Conv2d(3, channels, 7, 2, 3, bias=False)
        layers = [stem, nn.BatchNorm2d(channels), nn.PReLU(channels)]
        unit = _PlainUnit if spec.unit == "plain" else _ResidualUnit
        for published, units in zip(_STAGES, UNITS[spec.name], strict=True):
            out_channels = spec.channels(published)
            layers.append(unit(channels, out_channels, stride=2, has_se=spec.has_se))
            layers += [unit(out_channels, out_channels, stride=1, has_se=spec.has_se) for _ in range(units - 1)]
            channels = out_channels
        self.body = BackboneBody(*layers)
        self.output = output_layers(spec, channels, _POSITIONS[spec.stem])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, _INITIAL_STD)

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        return self.output(self.body(crops))


class _ResidualUnit(nn.Module):
    """Residual unit BN-Conv-BN-PReLU-Conv-BN, optionally with SE; 1x1 Conv-BN on the shortcut if the shape changes."""

    def __init__(self, channels: int, out_channels: int, *, stride: int, has_se: bool) -> None:
        super().__init__()
        layers = [
            nn.BatchNorm2d(channels),
            _conv3x3(channels, out_channels),
            nn.BatchNorm2d(out_channels),
            nn.PReLU(out_channels),
            _conv3x3(out_channels, out_channels, stride=stride),
            nn.BatchNorm2d(out_channels),
        ]
        if has_se:
            layers.append(_SqueezeExcitation(out_channels))
        self.residual = nn.Sequential(*layers)
        self.shortcut = _shortcut(channels, out_channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        return self.residual(maps) + self.shortcut(maps)


class _PlainUnit(nn.Module):
    """Residual unit Conv-BN-PReLU-Conv-BN, optionally with SE, and PReLU after the sum with the shortcut."""

    def __init__(self, channels: int, out_channels: int, *, stride: int, has_se: bool) -> None:
        super().__init__()
        layers = [
            _conv3x3(channels, out_channels, stride=stride),
            nn.BatchNorm2d(out_channels),
            nn.PReLU(out_channels),
            _conv3x3(out_channels, out_channels),
            nn.BatchNorm2d(out_channels),
        ]
        if has_se:
            layers.append(_SqueezeExcitation(out_channels))
        self.residual = nn.Sequential(*layers)
        self.shortcut = _shortcut(channels, out_channels, stride)
        self.activation = nn.PReLU(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(self.residual(maps) + self.shortcut(maps))


class _SqueezeExcitation(nn.Module):
    """Channel weights computed from the averages of all channels.

    Hu, Shen, Sun: "Squeeze-and-Excitation Networks", 2018; with PReLU, as in the authors' SE-IResNet.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // _SQUEEZE, 1)
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.PReLU(hidden),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.weights(maps)


def _shortcut(channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels))


def _conv3x3(channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1, bias=False)
