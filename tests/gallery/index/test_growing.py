import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.errors import IndexUnusable
from app.gallery.index import growing
from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.types import Floats
from tests.gallery.index.fakes import faces, keys_of, units

D = 64
ORIGIN = SnapshotOrigin("model", "7")


@pytest.fixture
def index():
    index = GrowingIndex(D, limit=500, block_rows=256)
    yield index
    index.close()


@pytest.fixture(scope="module")
def gallery():
    return faces(600)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_is_exact_up_to_its_limit(index, gallery):
    index.add(np.arange(500), gallery[:500])
    assert (index.kind, index.is_building) == ("exact", False)


def test_it_is_compressed_beyond(index, gallery):
    index.add(np.arange(3000), gallery)
    wait_until(lambda: not index.is_building)
    assert (index.kind, index.count()) == ("compressed", 3000)
    np.testing.assert_array_equal(index.keys(), np.arange(3000))
    np.testing.assert_array_equal(index.vectors(np.arange(3000)), gallery)
    assert index.search(gallery[::100], 1)[1][:, 0].tolist() == list(range(0, 3000, 100))


def test_the_limit_is_of_numbers_not_of_rows():
    assert GrowingIndex(128)._limit == 4 * GrowingIndex(512)._limit == 50_000


def test_similarities_do_not_change_with_the_kind(index, gallery):
    index.add(np.arange(400), gallery[:400])
    before, _ = index.search(gallery[:10], 5)
    index.add(np.arange(400, 3000), gallery[400:] * np.float32(-0.01))
    wait_until(lambda: index.kind == "compressed")
    np.testing.assert_allclose(index.search(gallery[:10], 5)[0], before, atol=1e-6)


class Writer:
    """Adds and removes separate keys (own, own + 2, ... from 1000 on) and tracks the expected state."""

    def __init__(self, index: GrowingIndex, gallery: Floats, own: int) -> None:
        self.truth = dict[int, int]()
        self._index, self._gallery, self._own = index, gallery, own
        self._rng = np.random.default_rng(own)

    def step(self) -> None:
        time.sleep(0.002)  # as for the commit that comes before
        keys = np.unique(1000 + self._own + 2 * self._rng.integers(0, 900, 20))
        rows = self._rng.integers(0, len(self._gallery), len(keys))
        if self._rng.random() < 0.7:
            self._index.add(keys, self._gallery[rows])
            self.truth |= dict(zip(keys.tolist(), rows.tolist(), strict=True))
        else:
            self._index.remove(keys)
            self.truth = {key: row for key, row in self.truth.items() if key not in keys}
        # A writer finds at once what it wrote.
        found = self._index.search(self._gallery[:1], 50, among=keys)[1][0]
        assert set(found.tolist()) == set(keys.tolist()) & self.truth.keys()


class Reader:
    """Looks for keys that nobody touches."""

    def __init__(self, index: GrowingIndex, gallery: Floats) -> None:
        self._index, self._probes = index, gallery[:100:10]

    def step(self) -> None:
        time.sleep(0.001)
        similarities, keys = self._index.search(self._probes, 1, among=np.arange(100))
        assert keys[:, 0].tolist() == list(range(0, 100, 10))
        assert (self._index.search(self._probes, 3)[0][:, 0] >= similarities[:, 0] - 1e-6).all()


@pytest.mark.parametrize("last_changes", [0, 1000])
def test_no_key_is_lost_or_comes_back_when_indexes_are_swapped(index, gallery, monkeypatch, last_changes):
    monkeypatch.setattr(growing, "_LAST_CHANGES", last_changes)
    monkeypatch.setattr(growing, "_COPIED_AT_ONCE", 64)
    index.add(np.arange(450), gallery[:450])
    writers, done = [Writer(index, gallery, own) for own in range(2)], threading.Event()

    def run(actor: Writer | Reader) -> None:
        while not done.is_set():
            actor.step()

    with ThreadPoolExecutor(4) as pool:
        actors: list[Writer | Reader] = [*writers, Reader(index, gallery), Reader(index, gallery)]
        running = [pool.submit(run, actor) for actor in actors]
        try:
            wait_until(lambda: index.kind == "compressed" or any(actor.done() for actor in running))
            time.sleep(0.1)
        finally:
            done.set()
        for each in running:
            each.result(60)
    truth = {key: key for key in range(450)} | writers[0].truth | writers[1].truth
    keys = np.array(sorted(truth))
    np.testing.assert_array_equal(index.keys(), keys)
    np.testing.assert_array_equal(index.vectors(keys), gallery[[truth[key] for key in keys.tolist()]])


def test_closing_stops_building_for_good(gallery, monkeypatch):
    started = threading.Event()
    real = CompressedIndex.train

    def slow(self: CompressedIndex, vectors) -> None:
        started.set()
        time.sleep(0.05)
        real(self, vectors)

    monkeypatch.setattr(CompressedIndex, "train", slow)
    index = GrowingIndex(D, limit=500)
    index.add(np.arange(3000), gallery)
    assert started.wait(10)
    index.close()
    index.add(keys_of(5000), gallery[:1])
    assert (index.kind, index.is_building, index.count()) == ("exact", False, 3001)
    assert not [each for each in threading.enumerate() if each.name == "arcid-index-builder"]


def test_a_build_that_fails_leaves_the_exact_index(index, gallery, monkeypatch):
    def fails(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(CompressedIndex, "train", fails)
        index.add(np.arange(600), gallery[:600])
        wait_until(lambda: not index.is_building)
    assert (index.kind, index.count()) == ("exact", 600)
    index.add(np.arange(1000), gallery[:1000])
    assert not index.is_building  # not at once again
    index.add(np.arange(3000), gallery)
    wait_until(lambda: index.kind == "compressed")
    assert index.count() == 3000


def test_an_index_that_is_emptied_while_it_is_built_stays_exact_and_grows_later(index, gallery, monkeypatch):
    started, emptied = threading.Event(), threading.Event()
    real = FlatIndex.keys

    def slow(self: FlatIndex):
        started.set()
        assert emptied.wait(10)
        return real(self)

    with monkeypatch.context() as patched:
        patched.setattr(FlatIndex, "keys", slow)
        index.add(np.arange(600), gallery[:600])
        assert started.wait(10)
        index.remove(np.arange(5, 600))
        emptied.set()
        wait_until(lambda: not index.is_building)
    assert (index.kind, index.count()) == ("exact", 5)
    index.add(np.arange(600), gallery[:600])
    wait_until(lambda: index.kind == "compressed")
    assert index.count() == 600


@pytest.mark.parametrize("count", [300, 3000])
def test_a_snapshot_of_either_kind_is_loaded(index, gallery, tmp_path, count):
    index.add(np.arange(count), gallery[:count])
    wait_until(lambda: not index.is_building)
    index.save(tmp_path, ORIGIN, 5)
    loaded = GrowingIndex(D, limit=500, block_rows=256)
    assert loaded.load(tmp_path, ORIGIN).revision == 5
    assert (loaded.kind, loaded.is_building) == (index.kind, False)
    np.testing.assert_array_equal(loaded.keys(), np.arange(count))


def test_a_loaded_index_grows(gallery, tmp_path):
    exact = FlatIndex(D, block_rows=256)
    exact.add(np.arange(3000), gallery)
    exact.save(tmp_path, ORIGIN, 5)
    index = GrowingIndex(D, limit=500, block_rows=256)
    index.load(tmp_path, ORIGIN)
    wait_until(lambda: index.kind == "compressed")
    assert index.count() == 3000
    index.close()


def test_loading_ends_a_build_of_what_was_there_before(index, gallery, tmp_path):
    small = FlatIndex(D, block_rows=256)
    small.add(keys_of(7), units(1, dimension=D))
    small.save(tmp_path, ORIGIN, 5)
    index.add(np.arange(3000), gallery)
    index.load(tmp_path, ORIGIN)
    assert not index.is_building
    index.close()
    assert (index.kind, index.keys().tolist()) == ("exact", [7])


def test_a_snapshot_of_an_unknown_kind_is_unusable(index, tmp_path):
    class Other(FlatIndex):
        kind = "other"

    Other(D).save(tmp_path, ORIGIN, 5)
    with pytest.raises(IndexUnusable, match="other"):
        index.load(tmp_path, ORIGIN)
