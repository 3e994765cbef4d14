"""SphereFace-20: the residual network with 20 convolutions of SphereFace and AM-Softmax, without batch normalisation.

Liu, Wen, Yu, Li, Raj, Song: "SphereFace: Deep Hypersphere Embedding for Face Recognition", 2017, table 2. Layers and
initial weights are those of the authors' code. There, biases learn at twice the rate and without weight decay, and
photos are 112x96 instead of 112x112.
"""

from torch import Tensor, nn

from app.training.backbones.body import BackboneBody
from app.training.backbones.spec import BackboneSpec

_STAGES = ((64, 1), (128, 2), (256, 4), (512, 1))  # channels, number of residual units
_SIDE = 7  # of the last feature map
_INITIAL_STD = 0.01  # of the convolutions in residual units


class Sphere20(nn.Module):
    """SphereFace-20: crops (n, 3, 112, 112) -> `body` -> (n, 512 * width, 7, 7) -> `output` -> (n, dimension)."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for published, units in _STAGES:
            out_channels = spec.channels(published)
            layers += [_scaled(nn.Conv2d(channels, out_channels, 3, stride=2, padding=1)), nn.PReLU(out_channels)]
            layers += [_SphereUnit(out_channels) for _ in range(units)]
            channels = out_channels
        self.body = BackboneBody(*layers)
        self.output = nn.Sequential(nn.Flatten(), _scaled(nn.Linear(channels * _SIDE * _SIDE, spec.dimension)))

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        return self.output(self.body(crops))


class _SphereUnit(nn.Module):
    """Residual unit Conv-PReLU-Conv-PReLU without biases, and the sum with its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            nn.init.normal_(convolution.weight, 0, _INITIAL_STD)
            layers += [convolution, nn.PReLU(channels)]
        self.residual = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.residual(maps)


def _scaled(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """Draw the weights uniformly with the variance 1 / inputs (Caffe's xavier), and set the bias to 0."""
    nn.init.kaiming_uniform_(layer.weight, mode="fan_in", nonlinearity="linear")
    nn.init.zeros_(layer.bias)
    return layer
