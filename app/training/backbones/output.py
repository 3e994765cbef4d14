"""What follows the last convolution of an IResNet: from its map (n, c, 7, 7) to features (n, d).

The options of Deng, Guo, Zafeiriou: "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", first version,
2018, section 3.2.2: A global average pooling (GP); B GP-FC; C GP-FC-BN; D GP-FC-BN-PReLU; E BN-Dropout-FC-BN on the
whole map, which the paper chose.
"""

from torch import nn

from app.errors import TrainingInvalid
from app.training.backbones.spec import BackboneSpec

SIDE = 7  # of the last map


def output_layers(spec: BackboneSpec, channels: int) -> nn.Sequential:
    """Return the layers of option `spec.output` after a map of `channels`.

    Raises TrainingInvalid for option A where the embedding's dimension is not the number of channels.
    """
    dimension = spec.dimension
    if spec.output == "E":
        return nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Flatten(),
            nn.Dropout(spec.dropout),
            nn.Linear(channels * SIDE * SIDE, dimension),
            feature_norm(dimension),
        )
    pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if spec.output == "A":
        if dimension != channels:
            raise TrainingInvalid(
                f"Backbone {spec.name}: with output A the dimension must be the number of channels, {channels}."
            )
        return nn.Sequential(*pooling)
    after = {"B": [], "C": [feature_norm(dimension)], "D": [feature_norm(dimension), nn.PReLU(dimension)]}
    return nn.Sequential(*pooling, nn.Linear(channels, dimension), *after[spec.output])


def feature_norm(dimension: int) -> nn.BatchNorm1d:
    """Return a BatchNorm whose scale stays 1, as in the authors' code: the loss decides how long features are."""
    norm = nn.BatchNorm1d(dimension)
    norm.weight.requires_grad_(requires_grad=False)
    return norm
