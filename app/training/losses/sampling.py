"""Which classes take part in a step: all of them, or the batch's own and a random part of the rest."""

import torch
from torch import Tensor, nn


class ClassSampler(nn.Module):
    """Partial FC: the classes of the batch and random others, together `rate` of all.

    An, Zhu, Gao, Xiao, Zhao, Feng, Wu, Qin, Zhang, Zhang, Fu: "Partial FC: Training 10 Million Identities on a Single
    Machine", 2021. It saves the memory and time of the logits. What is drawn is a function of `seed` and the iteration
    only: `seed` comes from PyTorch's global generator when the loss is built, and is saved with it, so that a resumed
    run draws the same. Every process holds all class weights; the random order of the classes is the same on all, the
    batch's own are each process's. Weights of classes that are not drawn get no gradient, but the optimizer's momentum
    and weight decay.
    """

    seed: Tensor

    def __init__(self, classes: int, rate: float) -> None:
        super().__init__()
        self._classes = classes
        self._kept = max(1, round(rate * classes))
        self.register_buffer("seed", torch.randint(2**31, ()))

    def forward(self, labels: Tensor, iteration: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the sorted classes (c,) of a step, None for all, and where in them the labels (n,) are."""
        if self._kept == self._classes:
            return None, labels
        generator = torch.Generator().manual_seed(int(self.seed) * 2**31 + int(iteration))
        order = torch.rand(self._classes, generator=generator).to(labels.device)
        positives = labels.unique()
        order[positives] = 2
        kept = order.topk(max(self._kept, len(positives))).indices.sort().values
        return kept, torch.searchsorted(kept, labels)
