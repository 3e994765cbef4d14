"""What every index promises. A new backend joins by a line in BACKENDS."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import IndexUnusable
from app.faces import Floats
from app.index.files import write_whole
from app.index.flat import FlatIndex
from app.index.oracle import OracleIndex
from app.index.protocol import Keys, VectorIndex

BACKENDS: dict[str, Callable[[int], VectorIndex]] = {"oracle": OracleIndex, "flat": FlatIndex}
D = 8


@pytest.fixture(params=BACKENDS)
def new_index(request: pytest.FixtureRequest) -> Callable[[int], VectorIndex]:
    return BACKENDS[request.param]


@pytest.fixture
def index(new_index):
    return new_index(D)


def units(count: int, *, seed: int = 0, dimension: int = D) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def keys_of(*keys: int) -> Keys:
    return np.array(keys, np.int64)


def content(index: VectorIndex, probes: Floats) -> tuple[int, list[list[int]], list[list[float]]]:
    similarities, keys = index.search(probes, index.count())
    return index.count(), keys.tolist(), similarities.tolist()


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
    assert similarities[:, 0] == pytest.approx(1, abs=1e-6)
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
    assert (keys[0, 0], similarities[0, 0]) == (2, pytest.approx(1, abs=1e-6))
    assert sorted(keys[0].tolist()) == [0, 1, 2, 3, 8]


def test_a_key_comes_back_after_its_removal(index):
    index.add(keys_of(1), units(1))
    index.remove(keys_of(1))
    index.add(keys_of(1), units(1, seed=1))
    assert index.search(units(1, seed=1), 3)[0][0] == pytest.approx([1], abs=1e-6)


def test_the_callers_arrays_are_copied(index):
    keys, vectors = np.arange(3), units(3)
    index.add(keys, vectors)
    before = content(index, units(2, seed=1))
    keys += 10
    vectors[:] = 0
    assert content(index, units(2, seed=1)) == before


def test_arrays_in_another_memory_order_are_understood(index):
    vectors = np.asfortranarray(units(6))
    index.add(np.arange(12)[::2], vectors)
    assert index.search(vectors[::-1], 1)[1][:, 0].tolist() == [10, 8, 6, 4, 2, 0]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_saved_index_comes_back_the_same(new_index, tmp_path, count):
    index, path, probes = new_index(D), tmp_path / "faces.index", units(5, seed=1)
    index.add(np.arange(count) * 3 + 1, units(count))
    index.save(path)
    loaded = new_index(D)
    loaded.add(keys_of(999), units(1))
    loaded.load(path)
    assert content(loaded, probes) == content(index, probes)
    assert [each.name for each in tmp_path.iterdir()] == ["faces.index"]


def test_a_loaded_index_can_be_changed(new_index, tmp_path):
    index = new_index(D)
    index.add(np.arange(5), units(5))
    index.save(tmp_path / "faces")
    loaded = new_index(D)
    loaded.load(tmp_path / "faces")
    loaded.add(keys_of(2, 70), units(2, seed=1))
    loaded.remove(keys_of(0))
    assert loaded.count() == 5
    assert loaded.search(units(2, seed=1), 1)[1].tolist() == [[2], [70]]


def test_saving_replaces_what_is_there(new_index, tmp_path):
    index = new_index(D)
    for count in (5, 2):
        index = new_index(D)
        index.add(np.arange(count), units(count))
        index.save(tmp_path / "faces")
    index.load(tmp_path / "faces")
    assert index.count() == 2


def foreign_faiss(index: Any, path: Path, *, is_keyed: bool = True) -> None:
    index = faiss.IndexIDMap2(index) if is_keyed else index
    vectors = units(40)
    if is_keyed:
        index.add_with_ids(vectors, np.arange(40))
    else:
        index.add(vectors)
    faiss.write_index(index, str(path))


def saved_with(**arrays: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    return write


def npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, units(3))


UNUSABLE: dict[str, Callable[[Path], Any]] = {
    "missing": lambda _: None,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "text": lambda path: path.write_text("Here is no index.\n" * 100),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "other dimension, oracle": lambda path: filled(OracleIndex(D + 1)).save(path),
    "other dimension, flat": lambda path: filled(FlatIndex(D + 1)).save(path),
    "one array": npy,
    "other arrays": saved_with(a=np.arange(3)),
    "objects": saved_with(keys=np.arange(3), vectors=np.array([{}] * 3, object)),
    "doubles": saved_with(keys=np.arange(3), vectors=np.zeros((3, D))),
    "keys of text": saved_with(keys=np.array(["a"]), vectors=units(1)),
    "one key without a list": saved_with(keys=np.int64(1), vectors=units(1)),
    "more keys than vectors": saved_with(keys=np.arange(4), vectors=units(3)),
    "without keys": lambda path: foreign_faiss(faiss.IndexFlatIP(D), path, is_keyed=False),
    "by distance": lambda path: foreign_faiss(faiss.IndexFlatL2(D), path),
    "approximate": lambda path: foreign_faiss(faiss.IndexHNSWFlat(D, 8, faiss.METRIC_INNER_PRODUCT), path),
}


def filled(index: VectorIndex) -> VectorIndex:
    index.add(np.arange(6), units(6, dimension=index.dimension))
    return index


@pytest.mark.parametrize("has_checksum", [False, True])
@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_does_not_fit_changes_nothing(index, tmp_path, kind, has_checksum):
    path, probes = tmp_path / "faces.index", units(2, seed=1)
    UNUSABLE[kind](path)
    if has_checksum and path.is_file():
        data = path.read_bytes()

        def write(part: Path) -> None:
            part.write_bytes(data)

        write_whole(path, write)
    before = content(filled(index), probes)
    with pytest.raises(IndexUnusable):
        index.load(path)
    assert content(index, probes) == before


def test_the_other_backends_file_does_not_fit(new_index, tmp_path):
    for other in set(BACKENDS.values()) - {new_index}:
        filled(other(D)).save(tmp_path / "faces")
        with pytest.raises(IndexUnusable):
            new_index(D).load(tmp_path / "faces")


def test_a_file_cut_anywhere_changes_nothing(new_index, tmp_path):
    index, path = filled(new_index(D)), tmp_path / "faces"
    index.save(path)
    whole, before = path.read_bytes(), content(index, units(2, seed=1))
    for length in {*range(0, len(whole), 7), *range(len(whole) - 30, len(whole))}:
        path.write_bytes(whole[:length])
        with pytest.raises(IndexUnusable):
            index.load(path)
    assert content(index, units(2, seed=1)) == before


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_damaged_byte_anywhere_changes_nothing(backend, tmp_path_factory, place, flip):
    index, path = filled(BACKENDS[backend](D)), tmp_path_factory.mktemp("damaged") / "faces"
    index.save(path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data)
    before = content(index, units(2, seed=1))
    with pytest.raises(IndexUnusable):
        index.load(path)
    assert content(index, units(2, seed=1)) == before


def test_saving_leaves_the_old_file_when_it_fails(new_index, tmp_path, monkeypatch):
    index, path = filled(new_index(D)), tmp_path / "faces"
    index.save(path)
    old = path.read_bytes()

    def fails(_part: Path, _target: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    index.add(keys_of(77), units(1))
    with pytest.raises(OSError, match="no space"):
        index.save(path)
    assert path.read_bytes() == old
    assert [each.name for each in tmp_path.iterdir()] == ["faces"]


def test_a_folder_that_is_not_there_is_no_place_to_save(index, tmp_path):
    with pytest.raises(FileNotFoundError):
        index.save(tmp_path / "missing" / "faces")


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
