"""Exchange of small tensors between the processes of a run."""

import torch
from torch import Tensor, distributed


def gather(values: Tensor) -> Tensor:
    """Return the values (n, ...) of all processes, in the order of their ranks, without gradients.

    Every process must call this with the same n. A single process gets its own values.
    """
    values = values.detach()
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    parts = [torch.empty_like(values) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, values.contiguous())
    return torch.cat(parts)
