"""Gradient accumulation: a batch in several parts, for one optimizer step."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from app.training.data.batches import Batch


def accumulate_gradients(
    module: nn.Module, batch: Batch, *, device: torch.device, scaler: torch.amp.GradScaler, parts: int = 1
) -> Tensor:
    """Add the gradients of a batch's mean loss to the weights; return the mean loss, detached.

    Only one of `parts` equal parts of the batch is on the device at a time. Batch normalisation uses the statistics of
    each part. Several processes exchange their gradients once, with the last part.
    """
    losses = []
    pairs = list(zip(batch.crops.chunk(parts), batch.labels.chunk(parts), strict=True))
    for index, (crops, labels) in enumerate(pairs, 1):
        is_kept_back = isinstance(module, DistributedDataParallel) and index < len(pairs)
        with module.no_sync() if is_kept_back else nullcontext():
            loss = module(crops.to(device, non_blocking=True), labels.to(device, non_blocking=True)) / len(pairs)
            scaler.scale(loss).backward()
        losses.append(loss.detach())
    return torch.stack(losses).sum()
