"""Data-parallel training in several processes: DistributedDataParallel, started with `torchrun`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from app.errors import TrainingUnavailable
from app.training.config import MachineConfig

# The other processes wait while the main one aligns photos or evaluates; torchrun stops all when one dies.
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DistributedContext:
    """This process's device and its rank among `world_size` processes."""

    device: torch.device
    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Return whether this is the main process, which writes the files and the output of the run."""
        return self.rank == 0

    def parallelise(self, module: nn.Module, *, is_norm_shared: bool = True) -> nn.Module:
        """Wrap a module so that its gradients are averaged over all processes.

        With `is_norm_shared`, batch normalisation on CUDA also uses the statistics of all processes.
        """
        if self.world_size == 1:
            return module
        if is_norm_shared:
            self.share_batch_norm(module)
        return DistributedDataParallel(module, device_ids=None if self.device.type == "cpu" else [self.device.index])

    def share_batch_norm(self, module: nn.Module) -> None:
        """Replace the batch normalisation in a module by SyncBatchNorm, which PyTorch has for CUDA only."""
        if self.device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(module)

    def mean(self, value: float) -> float:
        """Return the mean of the value over all processes. Every process must call this."""
        return self._all_reduce(value, distributed.ReduceOp.SUM) / self.world_size

    def is_true_anywhere(self, value: bool) -> bool:  # noqa: FBT001 - it is the question
        """Return whether the value is true in any process. Every process must call this."""
        return self._all_reduce(float(value), distributed.ReduceOp.MAX) > 0

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Run the block in the main process first; the other processes then find its results on disk."""
        if not self.is_main:
            distributed.barrier()
        yield
        if self.is_main and self.world_size > 1:
            distributed.barrier()

    def _all_reduce(self, value: float, operation: distributed.ReduceOp) -> float:
        if self.world_size == 1:
            return value
        shared: Tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared, operation)
        return shared.item()


@contextmanager
def distributed_context(machine: MachineConfig) -> Iterator[DistributedContext]:
    """Join the process group if torchrun started this process. Under torchrun, `cuda` is the GPU of the local rank.

    Raises TrainingUnavailable if the device does not exist.
    """
    torch.set_num_threads(machine.threads)
    if not distributed.is_torchelastic_launched():
        yield DistributedContext(_device(machine.device, 0))
        return
    device = _device(machine.device, distributed.get_node_local_rank())
    distributed.init_process_group("gloo" if device.type == "cpu" else "nccl", timeout=_LONGEST_WAIT)
    try:
        yield DistributedContext(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _device(name: str, local_rank: int) -> torch.device:
    """Return the named device; `cuda` means the GPU of the local rank. Another device is never used instead."""
    if name == "cpu":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise TrainingUnavailable(f"{name} was requested, but PyTorch {torch.__version__} finds no usable GPU")
    device = torch.device(f"cuda:{local_rank}" if name == "cuda" else name)
    if (device.index or 0) >= torch.cuda.device_count():
        raise TrainingUnavailable(f"{device} was requested, but there are only {torch.cuda.device_count()} GPUs")
    torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = True  # all batches have the same size
    return device
