"""Any history of an index in memory gives the answers of the oracle with the same history."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.flat import FlatIndex
from app.gallery.index.gpu import GpuIndex
from app.gallery.index.storage.snapshot import purge_keys
from app.gallery.index.storage.snapshot_origin import SnapshotOrigin
from app.gallery.index.storage.stored import StoredIndex
from app.types import Floats, Keys
from tests.gallery.index.fakes import HostDevice
from tests.gallery.index.oracle import OracleIndex

D = 4
BLOCK = 4  # small, so that rows move between blocks
KEYS = st.lists(st.integers(0, 12), unique=True, max_size=6)
SEEDS = st.integers(0, 40)  # few, so that equal vectors under different keys occur
PROBES = st.one_of(st.lists(SEEDS, max_size=4), st.lists(SEEDS, min_size=25, max_size=30))
ORIGIN = SnapshotOrigin("model", "collection")


def units(seeds: list[int]) -> Floats:
    rows = np.array([np.random.default_rng(seed).normal(size=D) for seed in seeds]).reshape(-1, D)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def as_keys(keys: list[int]) -> Keys:
    return np.array(keys, np.int64)


class Eager(CompressedIndex):
    """Goes through the codes however few rows there are; with all as candidates the answers are exact."""

    def __init__(self) -> None:
        super().__init__(D, groups=4, threads=2, block_rows=BLOCK)
        self.train(units(list(range(100, 140))))

    def _search_all(self, probes: Floats, k: int) -> tuple[Floats, Keys]:
        return self._search_twice(probes, k, wanted=len(self._rows))


class AgainstOracle(RuleBasedStateMachine):
    """Both indexes get the same commands; `saved` is what the oracle held when the snapshot was written."""

    def new(self) -> StoredIndex:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.index, self.oracle = self.new(), OracleIndex(D)
        self.saved: dict[int, Floats] | None = None

    @rule(keys=KEYS, seed=SEEDS)
    def add(self, keys: list[int], seed: int) -> None:
        vectors = units([seed + number // 2 for number in range(len(keys))])
        self.index.add(as_keys(keys), vectors)
        self.oracle.add(as_keys(keys), vectors)

    @rule(keys=KEYS)
    def remove(self, keys: list[int]) -> None:
        self.index.remove(as_keys(keys))
        self.oracle.remove(as_keys(keys))

    @rule()
    def save(self) -> None:
        self.index.save(Path(self.folder.name), ORIGIN, 1)
        keys = self.oracle.keys()
        self.saved = dict(zip(keys.tolist(), self.oracle.vectors(keys), strict=True))

    @rule(key=st.integers(0, 12))
    def purge_keys(self, key: int) -> None:
        purge_keys(Path(self.folder.name), as_keys([key]))
        if self.saved is not None:
            self.saved.pop(key, None)

    @rule(is_new=st.booleans())
    def load(self, is_new: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
        """Lost ranges are read again, as from the database."""
        if self.saved is None:
            return
        self.index = self.new() if is_new else self.index
        restored = self.index.load(Path(self.folder.name), ORIGIN)
        here = set(self.index.keys().tolist())
        assert here <= set(self.saved)
        lost = [key for key in self.saved if any(each.first <= key <= each.last for each in restored.lost)]
        assert set(self.saved) - here <= set(lost)
        self.oracle = OracleIndex(D)
        for index, keys in ((self.index, lost), (self.oracle, list(self.saved))):
            index.add(as_keys(keys), np.array([self.saved[key] for key in keys], np.float32).reshape(-1, D))

    @rule(seeds=PROBES, k=st.integers(1, 20), among=st.none() | KEYS)
    def search(self, seeds: list[int], k: int, among: list[int] | None) -> None:
        probes, named = units(seeds), None if among is None else as_keys(among)
        found, keys = self.index.search(probes, k, among=named)
        expected, _ = self.oracle.search(probes, k, among=named)
        assert found.shape == keys.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5)
        # Where similarities are tied, any order is right, but every key must have the similarity that it came with.
        everything, every_key = self.oracle.search(probes, self.oracle.count(), among=named)
        for row in range(len(probes)):
            truth = dict(zip(every_key[row].tolist(), everything[row].tolist(), strict=True))
            assert len(set(keys[row].tolist())) == keys.shape[1]
            for key, similarity in zip(keys[row].tolist(), found[row].tolist(), strict=True):
                assert abs(truth[key] - similarity) <= 1e-5

    @invariant()
    def contents_agree(self) -> None:
        assert self.index.count() == self.oracle.count()
        np.testing.assert_array_equal(self.index.keys(), self.oracle.keys())
        some = np.arange(13)
        np.testing.assert_array_equal(self.index.vectors(some), self.oracle.vectors(some))

    def teardown(self) -> None:
        self.folder.cleanup()


class FlatAgainstOracle(AgainstOracle):
    def new(self) -> StoredIndex:
        return FlatIndex(D, block_rows=BLOCK)


class CompressedAgainstOracle(AgainstOracle):
    def new(self) -> StoredIndex:
        return Eager()


class GpuAgainstOracle(AgainstOracle):
    def new(self) -> StoredIndex:
        return GpuIndex(D, HostDevice(), block_rows=BLOCK)


@pytest.mark.parametrize("machine", [FlatAgainstOracle, CompressedAgainstOracle, GpuAgainstOracle])
def test_against_the_oracle(machine):
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=25))
