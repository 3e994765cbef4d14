"""Host memory for batches."""

import cv2
import torch


class HostMemory:
    """Host memory from which a device copies batches.

    For a GPU it is page-locked, so that `Tensor.to(device, non_blocking=True)` returns before the copy has finished.
    PyTorch reuses page-locked memory only after the copies from it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def prepare_thread(self) -> None:
        """Prepare a thread that allocates batches: it uses one CPU thread, and the GPU of its process."""
        cv2.setNumThreads(1)
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)  # page-locking would open a context on the first GPU

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Return an array on the host without defined content."""
        return torch.empty(shape, dtype=dtype, pin_memory=self._device.type == "cuda")
