"""Networks of the package timm (PyTorch Image Models), with the output layers of the ArcFace paper."""

from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn

from app.errors import TrainingInvalid, TrainingUnavailable
from app.training.backbones.output import output_layers
from app.training.backbones.spec import TIMM, BackboneSpec
from app.training.near_names import unknown_name
from app.vision.alignment import CROP_SIDE


class TimmNetwork(nn.Module):
    """A convolutional network of timm without its classifier: crops -> `body` -> map -> `output` -> features.

    Weights are random. The last map is smaller than IResNet's: most networks shrink 112x112 crops to 4x4. Raises
    TrainingInvalid if timm does not have the network or it ends in something else than a map, and TrainingUnavailable
    if timm is not installed.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        timm, name = _import_timm(), spec.name.removeprefix(TIMM)
        try:
            self.body = timm.create_model(name, pretrained=False, num_classes=0, global_pool="", **spec.options)
        except (RuntimeError, TypeError, ValueError) as error:
            known = timm.list_models()
            if name.partition(".")[0] not in known:  # a tag of weights may follow a name
                message = unknown_name("network of timm", name, known, otherwise="timm.list_models() lists all")
                raise TrainingInvalid(message) from error
            raise TrainingInvalid(f"backbone {spec.name} cannot be constructed: {error}") from error
        try:
            shape = tuple(_output_of(self.body).shape[1:])
        except (AssertionError, RuntimeError, ValueError) as error:  # vision transformers assert the size of photos
            raise TrainingInvalid(f"backbone {spec.name} does not take crops of 112x112: {error}") from error
        if len(shape) != 3 or shape[0] != self.body.num_features:
            raise TrainingInvalid(f"backbone {spec.name} gives {shape}, not a map of channels, height and width")
        self.output = output_layers(spec, shape[0], positions=shape[1] * shape[2])

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        return self.output(self.body(crops))


def _import_timm() -> ModuleType:
    try:
        return import_module("timm")
    except ImportError as error:
        raise TrainingUnavailable(f"networks of timm need {error.name}, not installed here; run: make timm") from error
    except RuntimeError as error:  # torchvision's operators are those of another build of PyTorch
        raise TrainingUnavailable(
            f"timm cannot be imported: {error}; install the build of torchvision that fits PyTorch {torch.__version__}"
        ) from error


def _output_of(body: nn.Module) -> Tensor:
    """Run the network in evaluation mode, which changes neither its statistics nor its weights."""
    body.eval()
    with torch.no_grad():
        output: Tensor = body(torch.zeros(1, 3, CROP_SIDE, CROP_SIDE))
    body.train()
    return output
