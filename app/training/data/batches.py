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
from app.training.data.values import Labels, Source

_AHEAD = 2  # batches ready or on their way for each worker
_ORDER, _CHANGES = 0, 1  # what is drawn


@dataclass(frozen=True, slots=True)
class Plan:
    """Which of the crops with `labels` (n,) are in which iteration: a pure function of the seed and the numbers here.

    An iteration takes `batch` crops in each of `processes`: two processes with batches of 64 see together exactly what
    one with 128 sees. With `together`, so many crops of one person follow each other, as triplets need them. What is
    left over at the end of an epoch waits for another epoch's order.
    """

    labels: Labels
    batch: int
    seed: int = 0
    process: int = 0
    processes: int = 1
    together: int = 1

    @property
    def iterations(self) -> int:
        """Return how many make up an epoch; raises TrainingInvalid when there are too few crops for one."""
        if self.batch % self.together:
            raise TrainingInvalid(f"a batch of {self.batch} does not hold {self.together} photos of each person")
        samples = int((np.bincount(self.labels) // self.together * self.together).sum())
        count = samples // (self.batch * self.processes)
        if count == 0:
            each = f" in {self.processes} processes" if self.processes > 1 else ""
            raise TrainingInvalid(f"a batch of {self.batch}{each} is more than the {samples} photos there are")
        return count

    def order(self, epoch: int) -> Ints:
        """Return the order of the crops in an epoch, the same in every process."""
        order = _draws(self.seed, _ORDER, epoch).permutation(len(self.labels))
        return _grouped(order, self.labels, self.together) if self.together > 1 else order

    def places(self, order: Ints, iteration: int) -> Ints:
        """Return this process's crops (batch,) in an iteration of an epoch, from 0, by the epoch's order."""
        start = (iteration * self.processes + self.process) * self.batch
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
        each, known, order = self._plan.iterations, -1, np.empty(0, np.intp)
        for iteration in range(first, end):
            epoch = iteration // each
            if epoch != known:
                known, order = epoch, self._plan.order(epoch)
            yield epoch, self._plan.places(order, iteration % each)

    def _batch(self, epoch: int, places: Ints) -> Batch:
        crops = np.empty((len(places), CROP_SIDE, CROP_SIDE, 3), np.uint8)
        for row, place in zip(crops, places.tolist(), strict=True):
            draws = _draws(self._plan.seed, _CHANGES, epoch, place)
            row[:] = augmented(self._source.crop(place), self._augmentation, draws)
        return Batch(torch.from_numpy(crops), torch.from_numpy(self._source.labels[places]))


def _grouped(order: Ints, labels: Labels, size: int) -> Ints:
    """Bring `size` crops of a person together, groups in the order of their first crops; what is left over goes."""
    people = labels[order]
    by_person = np.argsort(people, kind="stable")  # places in the order: those of each person, in it
    counts = np.bincount(people)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_full = ranks < (counts // size * size)[people[by_person]]
    groups = by_person[is_full].reshape(-1, size)
    return order[groups[np.argsort(groups[:, 0])].ravel()]


def _draws(seed: int, what: int, epoch: int, place: int = 0) -> np.random.Generator:
    """Return a generator of its own for each sample in each epoch: nothing has to be remembered of any."""
    return np.random.Generator(np.random.Philox(key=[seed, what], counter=[0, 0, epoch, place]))
