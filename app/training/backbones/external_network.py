"""Any other backbone, by the name of its class."""

import torch
from torch import Tensor, nn

from app.errors import TrainingInvalid
from app.training.backbones.spec import BackboneSpec
from app.training.external import import_class
from app.vision.alignment import CROP_SIDE


def build_external_network(spec: BackboneSpec) -> nn.Module:
    """Construct the class with `dimension` and the options, and try it on two crops.

    Raises TrainingInvalid if the class does not exist, or if its features are not (n, dimension).
    """
    kind = import_class(spec.name, nn.Module)
    try:
        network: nn.Module = kind(dimension=spec.dimension, **spec.options)
        network.eval()
        with torch.no_grad():
            features = network(torch.zeros(2, 3, CROP_SIDE, CROP_SIDE))
    except (RuntimeError, TypeError, ValueError) as error:
        raise TrainingInvalid(
            f"backbone {spec.name} does not work with dimension, backbone.options and crops (2, 3, 112, 112): {error}"
        ) from error
    if not isinstance(features, Tensor) or features.shape != (2, spec.dimension):
        shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise TrainingInvalid(f"backbone {spec.name} must return features (2, {spec.dimension}), not {shape}")
    return network.train()
