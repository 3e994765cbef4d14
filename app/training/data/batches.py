"""Batches of crops: their selection per iteration, and their preparation in background threads."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from app.errors import PhotosDamaged, TrainingInvalid
from app.evaluation.values import Bools, Ints
from app.training.data.augmentation import Augmentation, augment
from app.training.data.damage import DamagedCrops
from app.training.data.memory import HostMemory
from app.training.data.source import CropSource, Labels
from app.types import Pixels
from app.vision.alignment import CROP_SIDE

_PREFETCH = 2  # batches that each worker prepares ahead
_ORDER, _AUGMENTATION = 0, 1  # purposes of a random generator


@dataclass(frozen=True, slots=True)
class BatchSampler:
    """Selection of the crops of each iteration, which depends only on the fields.

    Two processes with batches of 64 together see exactly the crops that one process sees with batches of 128. Each
    person of a batch has `per_person` consecutive crops, as triplets need them; it divides `batch_size`. An incomplete
    batch at the end of an epoch is dropped.
    """

    labels: Labels
    batch_size: int
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    per_person: int = 1

    @property
    def iterations(self) -> int:
        """Return the number of iterations per epoch; raises TrainingInvalid if there are too few crops for one."""
        samples = int((np.bincount(self.labels) // self.per_person * self.per_person).sum())
        count = samples // (self.batch_size * self.world_size)
        if count == 0:
            processes = f" in each of {self.world_size} processes" if self.world_size > 1 else ""
            raise TrainingInvalid(
                f"a batch of {self.batch_size}{processes} is more than the {samples} photos available; "
                "lower schedule.batch_size"
            )
        return count

    def order(self, epoch: int) -> Ints:
        """Return the order of the crops in an epoch; it is the same in every process."""
        order = _generator(self.seed, _ORDER, epoch).permutation(len(self.labels))
        return _group_by_person(order, self.labels, self.per_person) if self.per_person > 1 else order

    def indices(self, order: Ints, iteration: int) -> Ints:
        """Return the crops (batch_size,) of this process in an iteration of an epoch, counted from 0."""
        start = (iteration * self.world_size + self.rank) * self.batch_size
        return order[start : start + self.batch_size]


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops (n, 112, 112, 3), RGB uint8, and their labels (n,) int64."""

    crops: torch.Tensor
    labels: torch.Tensor


class BatchLoader:
    """Reads, decodes and augments batches ahead of time in threads. The batches do not depend on the threads."""

    def __init__(
        self,
        source: CropSource,
        sampler: BatchSampler,
        augmentation: Augmentation,
        *,
        workers: int = 1,
        max_damaged: float = 0.0,
        memory: HostMemory | None = None,
    ) -> None:
        """Build a loader.

        Args:
            source: The crops.
            sampler: The crops of each iteration.
            augmentation: Changes of each crop.
            workers: Number of threads.
            max_damaged: Share of the crops that may be damaged.
            memory: Memory of the batches; by default that of the CPU.
        """
        self.damaged = DamagedCrops(len(source.labels), max_damaged)
        self._source = source
        self._sampler = sampler
        self._augmentation = augmentation
        self._workers = workers
        self._memory = memory or HostMemory(torch.device("cpu"))

    def batches(self, first: int, end: int) -> Iterator[Batch]:
        """Yield the batches of the iterations from `first` to `end`, which is excluded.

        Raises PhotosDamaged if more photos are damaged than allowed.
        """
        iterations = self._iterations(first, end)
        pool = ThreadPoolExecutor(self._workers, "batches", initializer=self._memory.prepare_thread)
        pending: deque[Future[Batch]] = deque()
        try:
            for epoch, indices in iterations:
                pending.append(pool.submit(self._batch, epoch, indices))
                if len(pending) >= _PREFETCH * self._workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _iterations(self, first: int, end: int) -> Iterator[tuple[int, Ints]]:
        per_epoch, current, order = self._sampler.iterations, -1, np.empty(0, np.intp)
        for iteration in range(first, end):
            epoch = iteration // per_epoch
            if epoch != current:
                current, order = epoch, self._sampler.order(epoch)
            yield epoch, self._sampler.indices(order, iteration % per_epoch)

    def _batch(self, epoch: int, indices: Ints) -> Batch:
        batch = Batch(
            self._memory.empty((len(indices), CROP_SIDE, CROP_SIDE, 3), torch.uint8),
            self._memory.empty((len(indices),), torch.int64),
        )
        crops, labels = batch.crops.numpy(), batch.labels.numpy()
        labels[:] = self._source.labels[indices]
        is_damaged = np.zeros(len(indices), np.bool_)
        for place, index in enumerate(indices.tolist()):
            generator = _generator(self._sampler.seed, _AUGMENTATION, epoch, index)
            try:
                crops[place] = augment(self._source.crop(index), self._augmentation, generator)
            except TrainingInvalid as error:
                is_damaged[place] = True
                self.damaged.add(index, str(error))
        _replace_damaged(crops, labels, is_damaged)
        return batch


def _replace_damaged(crops: Pixels, labels: Labels, is_damaged: Bools) -> None:
    """Copy the next readable crop of the batch, and its label, to each damaged place: the batch keeps its size.

    Raises PhotosDamaged if no crop of the batch is readable.
    """
    readable = np.flatnonzero(~is_damaged)
    if not len(readable):
        raise PhotosDamaged(f"none of the {len(crops)} photos of a batch can be read")
    places = np.flatnonzero(is_damaged)
    others = readable[np.searchsorted(readable, places) % len(readable)]
    crops[places], labels[places] = crops[others], labels[others]


def _group_by_person(order: Ints, labels: Labels, size: int) -> Ints:
    """Group the crops of each person by `size`, ordered by the first crop of a group; drop incomplete groups."""
    people = labels[order]
    by_person = np.argsort(people, kind="stable")  # positions in the order, sorted by person
    counts = np.bincount(people)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_full = ranks < (counts // size * size)[people[by_person]]
    groups = by_person[is_full].reshape(-1, size)
    return order[groups[np.argsort(groups[:, 0])].ravel()]


def _generator(seed: int, purpose: int, epoch: int, index: int = 0) -> np.random.Generator:
    """Return an independent generator for each crop and epoch, so that no state must be saved."""
    return np.random.Generator(np.random.Philox(key=[seed, purpose], counter=[0, 0, epoch, index]))
