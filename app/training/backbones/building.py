"""Construction of a backbone from its specification."""

from torch import nn

from app.training.backbones.iresnet import IResNet
from app.training.backbones.mobilefacenet import MobileFaceNet
from app.training.backbones.spec import BackboneSpec


def build_backbone(spec: BackboneSpec) -> nn.Module:
    """Return a new backbone: crops (n, 3, 112, 112) float32, RGB, (pixel - 127.5) / 128 -> raw features (n, dimension).

    Weights are drawn from PyTorch's global generator. In training mode, a batch needs at least two crops. Raises
    TrainingInvalid if the output layers do not fit the dimension.
    """
    return MobileFaceNet(spec) if spec.name == "mobilefacenet" else IResNet(spec)
