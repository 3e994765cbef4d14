import numpy as np
import pytest
import torch

from app.errors import PhotosDamaged, TrainingInvalid
from app.training.data.augmentation import Augmentation
from app.training.data.batches import BatchLoader, BatchSampler
from app.vision.imaging.lossless import encode_png

LABELS = np.repeat(np.arange(5), [9, 4, 3, 2, 1])
EVERYTHING = Augmentation(flip=0.5, colour=0.3, affine=0.1, blur=0.5, erase=0.5)


class Numbered:
    """A data set whose crops show their index as brightness."""

    labels = LABELS
    classes = tuple("abcde")

    def name(self, index):
        return str(index)

    def crop(self, index):
        return np.full((112, 112, 3), 50 + index * 5, np.uint8)

    def encoded(self, index):
        return encode_png(self.crop(index))


def indices_of(sampler, epoch):
    return [sampler.indices(sampler.order(epoch), iteration).tolist() for iteration in range(sampler.iterations)]


def test_an_epoch_has_every_crop_at_most_once():
    sampler = BatchSampler(LABELS, batch_size=4)
    seen = [index for batch in indices_of(sampler, 0) for index in batch]
    assert sampler.iterations == 4
    assert len(set(seen)) == 16
    assert indices_of(sampler, 0) == indices_of(BatchSampler(LABELS, batch_size=4), 0) != indices_of(sampler, 1)
    assert indices_of(sampler, 0) != indices_of(BatchSampler(LABELS, batch_size=4, seed=1), 0)


def test_two_processes_see_what_one_with_the_double_batch_sees():
    first, second = (indices_of(BatchSampler(LABELS, batch_size=2, rank=each, world_size=2), 3) for each in (0, 1))
    assert [one + other for one, other in zip(first, second, strict=True)] == indices_of(
        BatchSampler(LABELS, batch_size=4), 3
    )


def test_photos_of_a_person_together():
    sampler = BatchSampler(LABELS, batch_size=4, per_person=2)
    assert sampler.iterations == 4  # 8 + 4 + 2 + 2 crops; single crops are dropped
    for batch in indices_of(sampler, 0) + indices_of(sampler, 1):
        people = LABELS[batch].reshape(-1, 2)
        assert (people[:, 0] == people[:, 1]).all()
        assert len(set(batch)) == 4
    assert indices_of(sampler, 0) != indices_of(sampler, 1)


def test_what_cannot_be_a_batch_is_refused():
    with pytest.raises(TrainingInvalid, match="batch of 20"):
        _ = BatchSampler(LABELS, batch_size=20).iterations
    with pytest.raises(TrainingInvalid, match="batch of 8 in each of 3 processes"):
        _ = BatchSampler(LABELS, batch_size=8, world_size=3).iterations


def test_batches_are_the_same_whatever_the_threads_and_the_start():
    sampler = BatchSampler(LABELS, batch_size=4, seed=5)
    whole = list(BatchLoader(Numbered(), sampler, EVERYTHING).batches(0, 10))
    parts = list(BatchLoader(Numbered(), sampler, EVERYTHING, workers=3).batches(3, 10))
    assert len(whole) == 10
    for one, other in zip(whole[3:], parts, strict=True):
        assert torch.equal(one.crops, other.crops)
        assert torch.equal(one.labels, other.labels)
    assert whole[0].crops.dtype == torch.uint8
    assert whole[0].crops.shape == (4, 112, 112, 3)
    assert whole[0].labels.tolist() == LABELS[indices_of(sampler, 0)[0]].tolist()


def test_a_crop_is_changed_otherwise_in_another_epoch():
    sampler = BatchSampler(np.array([0, 0]), batch_size=2)
    first, second = BatchLoader(Numbered(), sampler, Augmentation(colour=0.5)).batches(0, 2)
    shades = [sorted(batch.crops.float().mean((1, 2, 3)).tolist()) for batch in (first, second)]
    assert len({shade for each in shades for shade in each}) == 4


class Broken(Numbered):
    """A data set with unreadable crops."""

    def __init__(self, *damaged):
        self.damaged = damaged

    def crop(self, index):
        if index in self.damaged:
            raise TrainingInvalid(f"crop {index} is damaged")
        return super().crop(index)


def loader(source, share, workers=1):
    return BatchLoader(
        source, BatchSampler(LABELS, batch_size=4, seed=5), EVERYTHING, workers=workers, max_damaged=share
    )


def test_a_damaged_crop_is_replaced_by_the_next_of_the_batch_and_counted():
    whole, reader = list(loader(Numbered(), 0).batches(0, 8)), loader(Broken(3, 11), 0.11)
    parts = list(reader.batches(0, 8))
    assert reader.damaged.reasons == {index: f"crop {index} is damaged" for index in (3, 11)}
    sampler = BatchSampler(LABELS, batch_size=4, seed=5)
    for iteration, (one, other) in enumerate(zip(whole, parts, strict=True)):
        indices = sampler.indices(sampler.order(iteration // 4), iteration % 4)
        for place, index in enumerate(indices.tolist()):
            source = place
            while indices[source] in {3, 11}:
                source = (source + 1) % 4
            assert torch.equal(other.crops[place], one.crops[source])
            assert other.labels[place] == LABELS[indices[source]]
            assert (source != place) == (index in {3, 11})
    for one, other in zip(parts[3:], loader(Broken(3, 11), 0.11, workers=3).batches(3, 8), strict=True):
        assert torch.equal(one.crops, other.crops)


def test_more_damaged_crops_than_allowed_stop_the_run():
    with pytest.raises(PhotosDamaged, match=r"2 of 19 photos cannot be read, more than data.max_damaged = 0.01"):
        list(loader(Broken(3, 11), 0.01).batches(0, 8))
    with pytest.raises(PhotosDamaged, match=r"crop 3 is damaged.*--check"):
        list(loader(Broken(3), 0).batches(0, 8))
    with pytest.raises(PhotosDamaged, match="none of the 4 photos of a batch"):
        list(loader(Broken(*range(19)), 1).batches(0, 8))
