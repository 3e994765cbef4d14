"""Output layers of IResNet and of networks of timm: feature map (n, c, h, w) -> features (n, d).

The options of Deng, Guo, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", first version,
2018, section 3.2.2: A global average pooling (GP); B GP-FC; C GP-FC-BN; D GP-FC-BN-PReLU; E BN-Dropout-FC-BN on the
whole map, the choice of the paper.
"""

from torch import nn

from app.errors import TrainingInvalid
from app.training.backbones.spec import BackboneSpec


def output_layers(spec: BackboneSpec, channels: int, positions: int = 7 * 7) -> nn.Sequential:
    """Return the layers of option `spec.output` for a feature map with `channels` at each of `positions`.

    Raises TrainingInvalid if option A is used with a dimension other than `channels`.
    """
    dimension = spec.dimension
    if spec.output == "E":
        return nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Flatten(),
            nn.Dropout(spec.dropout),
            nn.Linear(channels * positions, dimension),
            feature_norm(dimension),
        )
    pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if spec.output == "A":
        if dimension != channels:
            raise TrainingInvalid(
                f"backbone {spec.name}: with output A, the dimension must equal the number of channels, {channels}"
            )
        return nn.Sequential(*pooling)
    head = {"B": [], "C": [feature_norm(dimension)], "D": [feature_norm(dimension), nn.PReLU(dimension)]}
    return nn.Sequential(*pooling, nn.Linear(channels, dimension), *head[spec.output])


def feature_norm(dimension: int) -> nn.BatchNorm1d:
    """Return a BatchNorm with a fixed scale of 1, as in the authors' code: the loss determines the feature norm."""
    norm = nn.BatchNorm1d(dimension)
    norm.weight.requires_grad_(requires_grad=False)
    return norm
