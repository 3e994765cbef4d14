"""Which crops make up which iteration, and getting them ready while the network works."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from app.alignment import CROP_SIDE
from app.errors import TrainingInvalid
from app.evaluation.values import Ints
from app.training.data.augmentation import Augmentation, augmented
from app.training.data.values import Source

_AHEAD = 2  # batches ready or on their way for each worker
_ORDER, _CHANGES = 0, 1  # what is drawn


@dataclass(frozen=True, slots=True)
class Plan:
    """Which of `samples` crops are in which iteration: a pure function of the seed and the numbers here.

    An iteration takes `batch` crops in each of `processes`: two processes with batches of 64 see together exactly what
    one with 128 sees. What is left over at the end of an epoch waits for another epoch's order.
    """

    samples: int
    batch: int
    seed: int = 0
    process: int = 0
    processes: int = 1

    @property
    def iterations(self) -> int:
        """Return how many make up an epoch; raises TrainingInvalid when there are too few crops for one."""
        count = self.samples // (self.batch * self.processes)
        if count == 0:
            together = f" in {self.processes} processes" if self.processes > 1 else ""
            raise TrainingInvalid(f"a batch of {self.batch}{together} is more than the {self.samples} photos there are")
        return count

    def order(self, epoch: int) -> Ints:
        """Return the order of all crops in an epoch, the same in every process."""
        return _draws(self.seed, _ORDER, epoch).permutation(self.samples)

    def places(self, order: Ints, iteration: int) -> Ints:
        """Return this process's crops (batch,) in an iteration, by an epoch's order."""
        start = ((iteration % self.iterations) * self.processes + self.process) * self.batch
        return order[start : start + self.batch]


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops (n, 112, 112, 3), RGB uint8, and the numbers of their people (n,) int64."""

    crops: torch.Tensor
    labels: torch.Tensor


class Batches:
    """Reads, decodes and augments batches in threads, a few ahead. The same ones whatever the threads."""

    def __init__(self, source: Source, plan: Plan, augmentation: Augmentation, *, workers: int = 1) -> None:
        self._source = source
        self._plan = plan
        self._augmentation = augmentation
        self._workers = workers

    def between(self, first: int, end: int) -> Iterator[Batch]:
        """Yield the batches of the iterations from `first` up to, not including, `end`."""
        iterations = self._iterations(first, end)
        pool = ThreadPoolExecutor(self._workers, "batches", initializer=cv2.setNumThreads, initargs=(1,))
        coming: deque[Future[Batch]] = deque()
        try:
            for epoch, places in iterations:
                coming.append(pool.submit(self._batch, epoch, places))
                if len(coming) >= _AHEAD * self._workers:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _iterations(self, first: int, end: int) -> Iterator[tuple[int, Ints]]:
        epoch, order = -1, np.empty(0, np.intp)
        for iteration in range(first, end):
            if iteration // self._plan.iterations != epoch:
                epoch = iteration // self._plan.iterations
                order = self._plan.order(epoch)
            yield epoch, self._plan.places(order, iteration)

    def _batch(self, epoch: int, places: Ints) -> Batch:
        crops = np.empty((len(places), CROP_SIDE, CROP_SIDE, 3), np.uint8)
        for row, place in zip(crops, places.tolist(), strict=True):
            draws = _draws(self._plan.seed, _CHANGES, epoch, place)
            row[:] = augmented(self._source.crop(place), self._augmentation, draws)
        return Batch(torch.from_numpy(crops), torch.from_numpy(self._source.labels[places]))


def _draws(seed: int, what: int, epoch: int, place: int = 0) -> np.random.Generator:
    """Return a generator of its own for each sample in each epoch: nothing has to be remembered of any."""
    return np.random.Generator(np.random.Philox(key=[seed, what], counter=[0, 0, epoch, place]))
