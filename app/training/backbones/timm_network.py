"""Networks of the package timm (PyTorch Image Models), with the output layers of the ArcFace paper."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from app.errors import TrainingInvalid, TrainingUnavailable
from app.training.backbones.output import output_layers
from app.training.backbones.spec import TIMM, BackboneSpec
from app.vision.alignment import CROP_SIDE


class TimmNetwork(nn.Module):
    """A convolutional network of timm without its classifier: crops -> `body` -> map -> `output` -> features.

    Weights are random. The last map is smaller than IResNet's: most networks shrink 112x112 crops to 4x4. Raises
    TrainingInvalid if timm does not have the network or it ends in something else than a map, and TrainingUnavailable
    if timm is not installed.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        try:
            self.body = _create_model()(
                spec.name.removeprefix(TIMM), pretrained=False, num_classes=0, global_pool="", **spec.options
            )
        except (RuntimeError, TypeError, ValueError) as error:
            raise TrainingInvalid(f"backbone {spec.name} cannot be constructed: {error}") from error
        shape = tuple(_output_of(self.body).shape[1:])
        if len(shape) != 3 or shape[0] != self.body.num_features:
            raise TrainingInvalid(f"backbone {spec.name} gives {shape}, not a map of channels, height and width")
        self.output = output_layers(spec, shape[0], positions=shape[1] * shape[2])

    def forward(self, crops: Tensor) -> Tensor:
        """Return raw features."""
        return self.output(self.body(crops))


def _create_model() -> Callable[..., nn.Module]:
    try:
        from timm import create_model  # noqa: PLC0415 - optional
    except ImportError as error:
        raise TrainingUnavailable(f"networks of timm need {error.name}, not installed here; run: make timm") from error
    except RuntimeError as error:  # torchvision's operators are those of another build of PyTorch
        raise TrainingUnavailable(
            f"timm cannot be imported: {error}; install the build of torchvision that fits PyTorch {torch.__version__}"
        ) from error
    return create_model


def _output_of(body: nn.Module) -> Tensor:
    """Run the network in evaluation mode, which changes neither its statistics nor its weights."""
    body.eval()
    with torch.no_grad():
        output: Tensor = body(torch.zeros(1, 3, CROP_SIDE, CROP_SIDE))
    body.train()
    return output
