"""Sampling of the classes of a step: all, or those of the batch and a random part of the rest."""

import torch
from torch import Tensor, nn

from app.training.losses.gathering import gather

_KEY_BITS = 62
_OWN = 2**_KEY_BITS  # the key of a class of the batch, above all random keys
_GOLDEN, _FIRST, _SECOND = (value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


class ClassSampler(nn.Module):
    """Partial FC: the classes of the batch and random others, together `rate` of all.

    An, Zhu, Gao, Xiao, Zhao, Feng, Wu, Qin, Zhang, Zhang, Fu: "Partial FC: Training 10 Million Identities on a Single
    Machine", 2021. It saves memory and time for the logits. The sample depends only on `seed`, the iteration and the
    batch, and is the same on every device. `seed` is drawn from PyTorch's global generator when the loss is built, and
    saved with it so that a resumed run draws the same classes. The batch is that of all processes, so all draw the same
    classes, and two processes compute the gradient of one with the double batch. Unlike in the paper, every process
    holds all class weights. Weights outside the sample get no gradient, but the optimizer still applies its momentum
    and weight decay to them.

    The host never waits for a GPU here. So the number of classes does not depend on the labels: it is the number of
    photos in the batch if that is more than `rate` of all classes.
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
        batch = gather(labels)
        size = max(self._sample_size, len(batch))
        if size >= self._classes:
            return None, labels
        keys = _random_keys(self._classes, self.seed * 2**31 + iteration).index_fill_(0, batch, _OWN)
        sampled = keys.topk(size, sorted=False).indices.sort().values
        return sampled, torch.searchsorted(sampled, labels)


def _random_keys(count: int, stream: Tensor) -> Tensor:
    """Return the first `count` numbers 0 to 2**62 - 1 of a random stream, int64, on the device of its number.

    Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014 (SplitMix64). Integers of 64 bits
    overflow as there. PyTorch's generators need the number of the stream on the host.
    """
    places = torch.arange(1, count + 1, device=stream.device)
    return _mix(_mix(stream) + places * _GOLDEN) & (2**_KEY_BITS - 1)


def _mix(values: Tensor) -> Tensor:
    """Return the hash of int64 values."""
    values = (values ^ _shifted(values, 30)) * _FIRST
    values = (values ^ _shifted(values, 27)) * _SECOND
    return values ^ _shifted(values, 31)


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Shift to the right with zeros from the left; PyTorch's shift repeats the sign."""
    return (values >> bits) & (2 ** (64 - bits) - 1)
