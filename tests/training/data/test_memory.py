import pytest
import torch

from app.training.data.augmentation import Augmentation
from app.training.data.batches import BatchLoader, BatchSampler
from app.training.data.memory import HostMemory
from tests.training.data.test_batches import LABELS, Numbered

CPU = torch.device("cpu")


class CountingMemory(HostMemory):
    """Memory that remembers its arrays and prepared threads."""

    def __init__(self):
        super().__init__(CPU)
        self.arrays = []
        self.threads = 0

    def prepare_thread(self):
        super().prepare_thread()
        self.threads += 1

    def empty(self, shape, dtype):
        self.arrays.append(super().empty(shape, dtype))
        return self.arrays[-1]


def test_batches_lie_in_the_memory_without_a_copy():
    memory = CountingMemory()
    loader = BatchLoader(Numbered(), BatchSampler(LABELS, batch_size=4), Augmentation(), memory=memory)
    batches = list(loader.batches(0, 3))
    places = {array.data_ptr() for array in memory.arrays}
    assert {tensor.data_ptr() for batch in batches for tensor in (batch.crops, batch.labels)} == places
    assert memory.threads == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_memory_for_a_gpu_is_page_locked():
    memory = HostMemory(torch.device("cuda:0"))
    memory.prepare_thread()
    assert memory.empty((2, 3), torch.uint8).is_pinned()
    assert not HostMemory(CPU).empty((2, 3), torch.uint8).is_pinned()
