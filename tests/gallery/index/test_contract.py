"""The contract of all indexes. Add a new backend with a line in BACKENDS."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.flat import FlatIndex
from app.gallery.index.gpu import GpuIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.protocol import VectorIndex
from tests.gallery.index.fakes import D, HostDevice, has_gpu, keys_of, units
from tests.gallery.index.milvus_server import ENGINES, EmptyIndexes, lite_address, server_address
from tests.gallery.index.oracle import OracleIndex


def trained(dimension: int, block_rows: int = 32) -> CompressedIndex:
    """Return an index that keeps codes; with so few rows it compares all the same."""
    index = CompressedIndex(dimension, block_rows=block_rows)
    index.train(units(64, seed=9, dimension=dimension))
    return index


def on_a_fake_gpu(dimension: int) -> GpuIndex:
    return GpuIndex(dimension, HostDevice(), block_rows=32)


BACKENDS: dict[str, Callable[[int], VectorIndex]] = {
    "oracle": OracleIndex,
    "flat": FlatIndex,
    "flat, small blocks": partial(FlatIndex, block_rows=8),
    "compressed": trained,
    "compressed, no codes": CompressedIndex,
    "growing": GrowingIndex,
    "growing early": partial(GrowingIndex, limit=20, block_rows=16),
    "gpu, faked": on_a_fake_gpu,
    "gpu": GpuIndex,
}


MILVUS = {"-".join(engine): engine for engine in ENGINES}


@pytest.fixture(scope="module")
def milvus(tmp_path_factory) -> Iterator[Callable[[str], EmptyIndexes]]:
    """Return what opens an engine, each once."""
    opened: dict[str, EmptyIndexes] = {}

    def engine(name: str) -> EmptyIndexes:
        if name not in opened:
            kind, structure = MILVUS[name]
            is_lite = kind == "milvus-lite"
            address = lite_address(tmp_path_factory.mktemp("lite")) if is_lite else server_address()
            opened[name] = EmptyIndexes(address, structure)
        return opened[name]

    yield engine
    for each in opened.values():
        each.close()


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.gpu if name == "gpu" else []) for name in (*BACKENDS, *MILVUS)]
)
def new_index(request, milvus) -> Iterator[Callable[[int], VectorIndex]]:
    if request.param in MILVUS:
        engine = milvus(request.param)
        yield engine.new
        engine.take_back()
        return
    if request.param == "gpu" and not has_gpu():
        pytest.skip("no GPU, or FAISS without its support")
    yield BACKENDS[request.param]


@pytest.fixture
def index(new_index):
    index = new_index(D)
    yield index
    index.close()


def test_an_empty_index_finds_nothing(index):
    similarities, keys = index.search(units(3), 5)
    assert (index.count(), index.dimension) == (0, D)
    assert (similarities.shape, similarities.dtype) == ((3, 0), np.float32)
    assert (keys.shape, keys.dtype) == ((3, 0), np.int64)


def test_no_probe_gets_no_answer(index):
    index.add(keys_of(1, 2), units(2))
    similarities, keys = index.search(units(0), 5)
    assert len(similarities) == len(keys) == 0


def test_what_was_added_is_found_by_itself(index):
    vectors = units(20)
    index.add(np.arange(100, 120), vectors)
    similarities, keys = index.search(vectors, 1)
    assert keys[:, 0].tolist() == list(range(100, 120))
    assert similarities[:, 0] == pytest.approx(1, abs=2e-3)  # float16
    assert (similarities.dtype, keys.dtype) == (np.float32, np.int64)


def test_answers_are_cosines_best_first_as_many_as_asked(index):
    vectors, probes = units(30), units(4, seed=1)
    index.add(np.arange(30), vectors)
    similarities, keys = index.search(probes, 7)
    expected = np.sort(probes @ vectors.T, axis=1)[:, ::-1][:, :7]
    np.testing.assert_allclose(similarities, expected, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(probes @ vectors.T, keys, axis=1), expected, atol=1e-6)


@pytest.mark.parametrize("probes", [1, 40])  # beyond 20, FAISS searches by another way
def test_more_than_there_are_cannot_be_found(index, probes):
    index.add(keys_of(5, 3, 9), units(3))
    similarities, keys = index.search(units(probes, seed=1), 100)
    assert similarities.shape == (probes, 3)
    assert np.sort(keys, axis=1).tolist() == [[3, 5, 9]] * probes


def test_any_whole_number_can_be_a_key(index):
    keys = keys_of(0, 1, 2**62, 7)
    index.add(keys, units(4))
    assert index.search(units(4), 1)[1][:, 0].tolist() == keys.tolist()


def test_what_was_removed_is_not_found(index):
    vectors = units(10)
    index.add(np.arange(10), vectors)
    index.remove(keys_of(2, 7))
    assert index.count() == 8
    assert not {2, 7} & set(index.search(vectors, 10)[1].ravel().tolist())


def test_a_key_that_is_not_there_is_removed_silently(index):
    index.remove(keys_of(1))
    index.add(keys_of(1, 2), units(2))
    index.remove(keys_of(2, 3, 4))
    index.remove(keys_of(2))
    assert index.search(units(1), 5)[1].tolist() == [[1]]


def test_nothing_can_be_added_and_removed(index):
    index.add(keys_of(), units(0))
    index.add(keys_of(1), units(1))
    index.add(keys_of(), units(0))
    index.remove(keys_of())
    assert index.count() == 1


def test_adding_a_key_again_replaces_its_vector(index):
    old, new = units(4), units(4, seed=1)
    index.add(np.arange(4), old)
    index.add(keys_of(2, 8), new[2:])
    assert index.count() == 5
    similarities, keys = index.search(new[2:3], 5)
    assert (keys[0, 0], similarities[0, 0]) == (2, pytest.approx(1, abs=2e-3))
    assert sorted(keys[0].tolist()) == [0, 1, 2, 3, 8]


def test_a_key_comes_back_after_its_removal(index):
    index.add(keys_of(1), units(1))
    index.remove(keys_of(1))
    index.add(keys_of(1), units(1, seed=1))
    assert index.search(units(1, seed=1), 3)[0][0] == pytest.approx([1], abs=2e-3)


def test_the_callers_arrays_are_copied(index):
    keys, vectors = np.arange(3), units(3)
    index.add(keys, vectors)
    keys += 10
    vectors[:] = 0
    np.testing.assert_array_equal(index.vectors(np.arange(3)), units(3))


def test_arrays_in_another_memory_order_are_understood(index):
    vectors = np.asfortranarray(units(6))
    index.add(np.arange(12)[::2], vectors)
    assert index.search(vectors[::-1], 1)[1][:, 0].tolist() == [10, 8, 6, 4, 2, 0]


def test_only_the_keys_that_were_named_are_compared(index):
    vectors, probes = units(40), units(3, seed=1)
    index.add(np.arange(40), vectors)
    similarities, keys = index.search(probes, 4, among=keys_of(31, 2, 2, 999, 17, 5, 8, 39))
    named = np.array([2, 5, 8, 17, 31, 39])
    truth = probes @ vectors[named].T
    order = np.argsort(-truth, axis=1)[:, :4]
    assert keys.tolist() == named[order].tolist()
    np.testing.assert_allclose(similarities, np.take_along_axis(truth, order, axis=1), atol=1e-6)


@pytest.mark.parametrize("among", [[], [7, 8]])
def test_keys_that_are_not_there_are_not_found_among(index, among):
    index.add(keys_of(1, 2), units(2))
    similarities, keys = index.search(units(3), 5, among=keys_of(*among))
    assert similarities.shape == keys.shape == (3, 0)


def test_a_removed_key_is_not_found_among_others(index):
    index.add(np.arange(5), units(5))
    index.remove(keys_of(3))
    assert index.search(units(2), 9, among=keys_of(4, 3))[1].tolist() == [[4], [4]]


def test_keys_come_in_order(index):
    index.add(keys_of(5, 2**62, -4, 9), units(4))
    index.add(keys_of(5, 1), units(2))
    index.remove(keys_of(9))
    assert (index.keys().tolist(), index.keys().dtype) == ([-4, 1, 5, 2**62], np.int64)


def test_vectors_come_back_and_those_that_are_not_there_are_nan(index):
    vectors = units(10)
    index.add(np.arange(10), vectors)
    index.add(keys_of(4), units(1, seed=1))
    index.remove(keys_of(6))
    found = index.vectors(keys_of(4, 6, 0, 70, 9))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[[0, 2, 4]], np.concatenate([units(1, seed=1), vectors[[0, 9]]]))
    assert np.isnan(found[[1, 3]]).all()
    assert index.vectors(keys_of()).shape == (0, D)


def test_similarities_are_those_of_the_stored_vectors(index):
    """Exact to the last bits of float32, because rounding would move thresholds."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, D)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # not float16 numbers
    index.add(np.arange(60), vectors)
    probes = units(5, seed=1)
    similarities, keys = index.search(probes, 60)
    stored = index.vectors(keys.ravel()).reshape(5, 60, D)
    np.testing.assert_allclose(similarities, (stored * probes[:, None]).sum(axis=2), atol=1e-6)
    np.testing.assert_allclose(stored[0], vectors[keys[0]], atol=5e-4)


def test_searches_run_beside_a_writer(index):
    """Key n always has the vector n % 50: whatever a search sees, keys and similarities belong together."""
    steady, probes = units(50), units(3, seed=1)
    index.add(np.arange(50), steady)
    truth = probes @ steady.T
    done = threading.Event()

    def read() -> int:
        searches = 0
        while not (done.is_set() and searches):
            similarities, keys = index.search(probes, 60)
            expected = np.take_along_axis(truth, keys % 50, axis=1)
            np.testing.assert_allclose(similarities, expected, atol=1e-5)
            assert (np.diff(similarities, axis=1) <= 0).all()
            assert all(len(set(row)) == len(row) for row in keys.tolist())
            if keys.shape[1] < 60:
                assert set(range(50)) <= set(keys[0].tolist())
            searches += 1
        return searches

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for turn in range(100):
                passing = np.arange(50 + turn % 7, 70 + turn % 11)
                index.add(passing, steady[passing % 50])
                index.remove(passing)
        finally:
            done.set()
        assert all(reader.result(timeout=60) for reader in readers)
    assert index.count() == 50


def test_writers_wait_for_each_other(index):
    def write(first: int) -> None:
        for key in range(first, first + 20):
            index.add(keys_of(key), units(1, seed=key))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, 160, 20)))
    probes = np.concatenate([units(1, seed=key) for key in range(160)])
    assert index.search(probes, 1)[1][:, 0].tolist() == list(range(160))
