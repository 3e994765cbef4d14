import numpy as np
import pytest

from app.gallery.index.flat import FlatIndex
from app.gallery.index.recall import Recall, exact, measure, probes_of
from app.types import Floats, Keys
from tests.gallery.index.fakes import faces, units
from tests.gallery.index.oracle import OracleIndex


class Forgetful(OracleIndex):
    """Never finds the keys from `lost` on."""

    lost = 10**9

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        return super().search(vectors, k, among=self.keys()[self.keys() < self.lost] if among is None else among)


def filled(vectors: Floats) -> Forgetful:
    index = Forgetful(vectors.shape[1])
    index.add(np.arange(len(vectors)), vectors)
    return index


def test_an_exact_index_finds_everything():
    vectors = faces(60)
    index = FlatIndex(64)
    index.add(np.arange(300), vectors)
    found = measure(index, probes_of(vectors[::6], 0.6), threshold=0.6)
    assert found == Recall(probes=50, at_1=1, at_10=1, near_threshold=1, near_probes=50, decisions=1)


def test_what_is_lost_is_counted():
    vectors = np.eye(40, dtype=np.float32)
    index = filled(vectors)
    index.lost = 30
    probes = np.float32(0.6) * vectors + np.float32(0.8) * np.roll(vectors, 15, axis=0)  # best: 15 keys before
    found = measure(index, probes, threshold=0.82)
    assert found.at_1 == 30 / 40
    assert (found.near_threshold, found.near_probes) == (30 / 40, 40)
    assert found.decisions == 1  # 0.8 does not reach the threshold, found or not
    assert measure(index, probes, threshold=0.7).decisions == 30 / 40
    assert measure(index, probes, threshold=0.5).near_probes == 0


def test_twins_may_come_in_any_order():
    index = filled(np.repeat(units(20), 2, axis=0))
    assert measure(index, units(20), threshold=0.5).at_1 == 1


@pytest.mark.parametrize(("stored", "probes"), [(0, 3), (3, 0)])
def test_nothing_to_compare_is_no_loss(stored, probes):
    found = measure(filled(units(stored)), units(probes), threshold=0.5)
    assert (found.at_1, found.at_10, found.decisions, found.near_probes) == (1, 1, 1, 0)


def test_exact_search_is_that_of_the_oracle():
    index = filled(units(100))
    similarities, keys = exact(index, units(7, seed=1), 12)
    expected, expected_keys = index.search(units(7, seed=1), 12)
    np.testing.assert_allclose(similarities, expected, atol=1e-6)
    np.testing.assert_array_equal(keys, expected_keys)


@pytest.mark.parametrize("count", [1, 2, 300])
@pytest.mark.parametrize("cosine", [0.4, 0.6, 1.0])
def test_probes_are_at_the_cosine_that_was_asked_for(count, cosine):
    vectors = units(count, dimension=64)
    probes = probes_of(vectors, cosine)
    np.testing.assert_allclose((probes * vectors).sum(axis=1), cosine, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)


def test_the_same_seed_gives_the_same_probes():
    np.testing.assert_array_equal(probes_of(units(9), 0.5), probes_of(units(9), 0.5))
    assert (probes_of(units(9), 0.5) != probes_of(units(9), 0.5, seed=1)).any()
