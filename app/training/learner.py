"""Backbone and loss combined in the module that is trained."""

from typing import Any

import torch
from torch import Tensor, nn

from app.errors import TrainingInvalid
from app.training.backbones.body import checkpoint_activations
from app.training.backbones.building import build_backbone
from app.training.config import MachineConfig, TrainingConfig
from app.training.distillation.loss import DistillationLoss
from app.training.finetune.pretrained import load_pretrained, load_weights, project
from app.training.losses.base import Loss
from app.training.losses.building import build_loss

_CRASHING_CHANNELS = 8
_AUTOCAST = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Learner(nn.Module):
    """Backbone and loss: crops and labels -> mean loss.

    Both are in one module so that DistributedDataParallel also averages the gradients of the class weights.
    """

    def __init__(
        self,
        backbone: nn.Module,
        loss: Loss,
        *,
        share: float = 1.0,
        precision: torch.dtype | None = None,
        is_channels_last: bool = False,
        is_compiled: bool = False,
    ) -> None:
        """Build the module.

        Args:
            backbone: Crops -> raw features.
            loss: Always computed in float32.
            share: Learning rate of the backbone, as a share of the rate of the class weights.
            precision: Autocast type of the backbone; None disables autocast.
            is_channels_last: Use the channels-last memory layout.
            is_compiled: Compile the backbone with TorchInductor.
        """
        super().__init__()
        self.backbone = backbone.to(memory_format=torch.channels_last) if is_channels_last else backbone
        if is_compiled:
            self.backbone.compile()  # in place: names of weights stay
        self.loss = loss
        self._share = share
        self._precision = precision
        self._format = torch.channels_last if is_channels_last else torch.contiguous_format

    def forward(self, crops: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of crops (n, 112, 112, 3), RGB uint8, with labels (n,) int64."""
        with torch.autocast(crops.device.type, self._precision, enabled=self._precision is not None):
            features = self.backbone(as_input(crops, self._format))
        loss: Tensor = self.loss(features.float(), labels)
        return loss

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the optimizer's parameter groups; the learning rate of a group is multiplied by its `share`."""
        if self._share == 1:
            return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad], "share": 1.0}]
        parts = (self.backbone, self._share), (self.loss, 1.0)
        groups = [
            {"params": [parameter for parameter in part.parameters() if parameter.requires_grad], "share": share}
            for part, share in parts
        ]
        return [group for group in groups if group["params"]]


def as_input(crops: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Convert uint8 crops (n, 112, 112, 3) to the backbone's input (n, 3, 112, 112): (pixel - 127.5) / 128."""
    planes = crops.permute(0, 3, 1, 2).to(torch.float32, memory_format=memory_format)
    return planes.sub_(127.5).div_(128)


def build_learner(config: TrainingConfig, classes: int) -> Learner:
    """Build backbone and loss, with weights drawn from the seed or loaded from the pack or run to start from.

    With a teacher, the loss still lacks the teacher's embeddings, and `classes` is not used.

    Raises TrainingInvalid if the pack's network or this memory layout cannot be trained.
    """
    torch.manual_seed(config.seed)
    start, teacher = config.start, config.teacher
    backbone, dimension = (
        (build_backbone(config.backbone), config.backbone.dimension) if start is None else load_pretrained(start)
    )
    if config.weights is not None:
        load_weights(backbone, config.weights)
    if teacher is not None and teacher.cosine:
        backbone = project(backbone, dimension, teacher.dimension)
    if config.machine.checkpoint_activations:
        checkpoint_activations(backbone)
    _check_layout(backbone, config.machine)
    return Learner(
        backbone,
        build_loss(config.loss, classes=classes, dimension=dimension)
        if teacher is None
        else DistillationLoss(cosine=teacher.cosine, relation=teacher.relation),
        share=1.0 if start is None or teacher is not None else start.rate,
        precision=_AUTOCAST[config.machine.amp],
        is_channels_last=config.machine.channels_last,
        is_compiled=config.machine.compile,
    )


def _check_layout(backbone: nn.Module, machine: MachineConfig) -> None:
    """Refuse the layout in which PyTorch 2.13 ends the process with a segmentation fault, in the backward pass.

    It concerns strided 1x1 convolutions of 8 channels in float32 on the CPU, channels last.
    """
    if not machine.channels_last or machine.device != "cpu" or machine.amp != "off":
        return
    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    if any(
        each.in_channels <= _CRASHING_CHANNELS and each.kernel_size == (1, 1) and each.stride != (1, 1)
        for each in convolutions
    ):
        raise TrainingInvalid(
            "machine.channels_last: PyTorch crashes with so few channels in float32 on the CPU; "
            "use a larger backbone.width, machine.amp=bf16, or the default layout"
        )
