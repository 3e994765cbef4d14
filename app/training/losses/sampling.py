"""Sampling of the classes of a step: all, or those of the batch and a random part of the rest."""

import torch
from torch import Tensor, nn

from app.training.losses.gathering import gather


class ClassSampler(nn.Module):
    """Partial FC: the classes of the batch and random others, together `rate` of all.

    An, Zhu, Gao, Xiao, Zhao, Feng, Wu, Qin, Zhang, Zhang, Fu: "Partial FC: Training 10 Million Identities on a Single
    Machine", 2021. It saves memory and time for the logits. The sample depends only on `seed`, the iteration and the
    batch. `seed` is drawn from PyTorch's global generator when the loss is built, and saved with it so that a resumed
    run draws the same classes. The batch is that of all processes, so all draw the same classes, and two processes
    compute the gradient of one with the double batch. Unlike in the paper, every process holds all class weights.
    Weights outside the sample get no gradient, but the optimizer still applies its momentum and weight decay to them.
    """

    seed: Tensor

    def __init__(self, classes: int, rate: float) -> None:
        super().__init__()
        self._classes = classes
        self._sample_size = max(1, round(rate * classes))
        self.register_buffer("seed", torch.randint(2**31, ()))

    def forward(self, labels: Tensor, iteration: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the sorted classes (c,) of a step, or None for all, and the index of each label (n,) among them."""
        if self._sample_size == self._classes:
            return None, labels
        generator = torch.Generator().manual_seed(int(self.seed) * 2**31 + int(iteration))
        order = torch.rand(self._classes, generator=generator).to(labels.device)
        positives = gather(labels).unique()
        order[positives] = 2
        sampled = order.topk(max(self._sample_size, len(positives))).indices.sort().values
        return sampled, torch.searchsorted(sampled, labels)
