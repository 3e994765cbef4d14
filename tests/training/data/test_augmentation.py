import numpy as np
import pytest

from app.training.data.augmentation import Augmentation, augment, blur, erase, recolour, transform
from tests.training.people import crops_of

EVERYTHING = Augmentation(flip=0.5, colour=0.3, affine=0.1, blur=0.5, erase=0.5)


@pytest.fixture(scope="module")
def crop():
    return crops_of(person=1, count=1)[0]


def draws(seed):
    return np.random.default_rng(seed)


def test_the_default_mirrors_half_of_all_crops(crop):
    changed = [augment(crop, Augmentation(), draws(seed)) for seed in range(200)]
    mirrored = sum(np.array_equal(each, crop[:, ::-1]) for each in changed)
    assert 70 < mirrored < 130
    assert mirrored + sum(np.array_equal(each, crop) for each in changed) == 200


def test_the_same_draws_change_a_crop_in_the_same_way(crop):
    before = crop.copy()
    for seed in range(20):
        one, other = (augment(crop, EVERYTHING, draws(seed)) for _ in range(2))
        assert one.shape == (112, 112, 3)
        assert one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(crop, before)
    assert not np.array_equal(augment(crop, EVERYTHING, draws(1)), augment(crop, EVERYTHING, draws(2)))


def test_moved(crop):
    np.testing.assert_array_equal(transform(crop, 0, 0, 0, 0), crop)
    np.testing.assert_array_equal(transform(crop, 14 / 112, 7 / 112, 0, 0)[7:, 14:], crop[:-7, :-14])
    np.testing.assert_array_equal(transform(crop, 0, 0, np.pi, 0), crop[::-1, ::-1])


def test_recoloured(crop):
    np.testing.assert_allclose(recolour(crop, 1, 1, 1), crop, atol=1)
    assert recolour(crop, 0.8, 1, 1).mean() == pytest.approx(crop.mean() * 0.8, abs=1)
    assert recolour(crop, 1, 0.5, 1).std() == pytest.approx(crop.std() * 0.5, rel=0.05)
    assert np.ptp(recolour(crop, 1, 1, 0).astype(int), axis=2).max() <= 1


def test_blurred_loses_detail(crop):
    def detail(pixels):
        return np.abs(np.diff(pixels.astype(float), axis=1)).mean()

    for is_shrunk in (True, False):
        little, much = (blur(crop, strength=strength, is_shrunk=is_shrunk) for strength in (0.1, 1))
        assert detail(crop) > detail(little) > 2 * detail(much)
        assert much.mean() == pytest.approx(crop.mean(), abs=3)


def test_erased_is_a_grey_rectangle(crop):
    for seed in range(20):
        changed = (erase(crop, draws(seed)) != crop).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1) / 112**2
        assert 0.01 < area < 0.25
        assert changed.sum() > 0.95 * area * 112**2
