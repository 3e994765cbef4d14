"""Construction of a backbone from its specification."""

from torch import nn

from app.training.backbones.external_network import build_external_network
from app.training.backbones.iresnet import IResNet
from app.training.backbones.mobilefacenet import MobileFaceNet
from app.training.backbones.spec import BackboneSpec
from app.training.backbones.sphere20 import Sphere20
from app.training.backbones.timm_network import TimmNetwork
from app.training.external import is_external


def build_backbone(spec: BackboneSpec) -> nn.Module:
    """Return a new backbone: crops (n, 3, 112, 112) float32, RGB, (pixel - 127.5) / 128 -> raw features (n, dimension).

    Weights are drawn from PyTorch's global generator. In training mode, a batch needs at least two crops. Raises
    TrainingInvalid if the output layers do not fit the dimension or a network of another package does not fit, and
    TrainingUnavailable if its package is not installed.
    """
    if spec.is_timm:
        return TimmNetwork(spec)
    if is_external(spec.name):
        return build_external_network(spec)
    kinds: dict[str, type[nn.Module]] = {"mobilefacenet": MobileFaceNet, "sphere20": Sphere20}
    return kinds.get(spec.name, IResNet)(spec)
