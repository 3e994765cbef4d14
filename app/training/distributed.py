"""One process or several: PyTorch's DistributedDataParallel, started by its own `torchrun`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from app.errors import TrainingUnavailable
from app.training.config import Machine

# Others wait while the first process aligns photos or evaluates; torchrun ends them when one of them dies.
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process stands among the others, and on which device it works."""

    device: torch.device
    process: int = 0
    processes: int = 1

    @property
    def is_first(self) -> bool:
        """Say whether this process writes and shows what all of them do."""
        return self.process == 0

    def joined(self, module: nn.Module) -> nn.Module:
        """Return the module so that its gradients are the mean over all processes.

        On CUDA, batch normalisation then counts over all of them too; on the CPU PyTorch has none that does.
        """
        if self.processes == 1:
            return module
        if self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(module)
            return DistributedDataParallel(module, device_ids=[self.device.index])
        return DistributedDataParallel(module)

    def mean(self, value: float) -> float:
        """Return the mean of every process's value; all of them call this together."""
        return self._reduced(value, distributed.ReduceOp.SUM) / self.processes

    def is_true_anywhere(self, value: bool) -> bool:  # noqa: FBT001 - it is the question
        """Say whether the value is true in any process; all of them call this together."""
        return self._reduced(float(value), distributed.ReduceOp.MAX) > 0

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Let the first process do this before the others, which find done what it kept."""
        if not self.is_first:
            distributed.barrier()
        yield
        if self.is_first and self.processes > 1:
            distributed.barrier()

    def _reduced(self, value: float, how: distributed.ReduceOp) -> float:
        if self.processes == 1:
            return value
        shared: Tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared, how)
        return shared.item()


@contextmanager
def placed(machine: Machine) -> Iterator[Place]:
    """Join the processes that torchrun started, if it did; raises TrainingUnavailable for a device that is not there.

    Under torchrun `cuda` is the GPU of the process's own number.
    """
    torch.set_num_threads(machine.threads)
    if not distributed.is_torchelastic_launched():
        yield Place(_device(machine.device, 0))
        return
    device = _device(machine.device, distributed.get_node_local_rank())
    distributed.init_process_group("gloo" if device.type == "cpu" else "nccl", timeout=_LONGEST_WAIT)
    try:
        yield Place(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _device(name: str, number: int) -> torch.device:
    """Return the device of a name, of `cuda` the one with a number; never another."""
    if name == "cpu":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise TrainingUnavailable(f"{name} was asked for, but PyTorch {torch.__version__} finds no usable GPU here")
    device = torch.device(f"cuda:{number}" if name == "cuda" else name)
    if (device.index or 0) >= torch.cuda.device_count():
        raise TrainingUnavailable(f"{device} was asked for, but there are {torch.cuda.device_count()} GPUs")
    torch.cuda.set_device(device)
    return device
