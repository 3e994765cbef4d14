"""Backbone and loss as the one module that is trained."""

from typing import Any

import torch
from torch import Tensor, nn

from app.training.backbones import build_backbone
from app.training.config import TrainingConfig
from app.training.finetune.starting import started
from app.training.losses import Loss, build_loss

_AUTOCAST = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Learner(nn.Module):
    """Crops and the numbers of their people in, their mean loss out.

    One module, so that DistributedDataParallel averages the gradients of the class weights as well.
    """

    def __init__(
        self,
        backbone: nn.Module,
        loss: Loss,
        *,
        share: float = 1.0,
        precision: torch.dtype | None = None,
        is_channels_last: bool = False,
    ) -> None:
        """Run the backbone in `precision` where one is given; the loss is always in float32.

        `share` is the backbone's learning rate as a share of that of the class weights.
        """
        super().__init__()
        self.backbone = backbone.to(memory_format=torch.channels_last) if is_channels_last else backbone
        self.loss = loss
        self._share = share
        self._precision = precision
        self._format = torch.channels_last if is_channels_last else torch.contiguous_format

    def forward(self, crops: Tensor, labels: Tensor) -> Tensor:
        """Take crops (n, 112, 112, 3), RGB uint8, and labels (n,) int64; return the loss, a scalar."""
        with torch.autocast(crops.device.type, self._precision, enabled=self._precision is not None):
            features = self.backbone(as_input(crops, self._format))
        loss: Tensor = self.loss(features.float(), labels)
        return loss

    def groups(self) -> list[dict[str, Any]]:
        """Return what is trained, for an optimizer; `share` is what a group's learning rate is multiplied by."""
        if self._share == 1:
            return [{"params": [each for each in self.parameters() if each.requires_grad], "share": 1.0}]
        parts = (self.backbone, self._share), (self.loss, 1.0)
        groups = [
            {"params": [each for each in part.parameters() if each.requires_grad], "share": share}
            for part, share in parts
        ]
        return [group for group in groups if group["params"]]


def as_input(crops: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Turn crops (n, 112, 112, 3), uint8, into the backbone's input (n, 3, 112, 112): (pixel - 127.5) / 128."""
    planes = crops.permute(0, 3, 1, 2).to(torch.float32, memory_format=memory_format)
    return planes.sub_(127.5).div_(128)


def learner_of(config: TrainingConfig, classes: int) -> Learner:
    """Build backbone and loss; their weights are drawn from the seed, or the pack's to start with.

    Raises TrainingInvalid.
    """
    torch.manual_seed(config.seed)
    start = config.start
    backbone, dimension = (
        (build_backbone(config.backbone), config.backbone.dimension) if start is None else started(start)
    )
    return Learner(
        backbone,
        build_loss(config.loss, classes=classes, dimension=dimension),
        share=1.0 if start is None else start.rate,
        precision=_AUTOCAST[config.machine.amp],
        is_channels_last=config.machine.channels_last,
    )
