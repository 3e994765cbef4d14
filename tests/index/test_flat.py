"""Any history of a FlatIndex gives the answers of the oracle with the same history."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.faces import Floats
from app.index.flat import FlatIndex
from app.index.oracle import OracleIndex
from app.index.protocol import Keys

D = 4
KEYS = st.lists(st.integers(0, 12), unique=True, max_size=6)
SEEDS = st.integers(0, 40)  # few, so that equal vectors under different keys occur


def units(seeds: list[int]) -> Floats:
    rows = np.array([np.random.default_rng(seed).normal(size=D) for seed in seeds]).reshape(-1, D)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def as_keys(keys: list[int]) -> Keys:
    return np.array(keys, np.int64)


class FlatAgainstOracle(RuleBasedStateMachine):
    """Both indexes get the same commands; `saved` remembers what the files hold."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.flat, self.oracle = FlatIndex(D), OracleIndex(D)
        self.is_saved = False

    def path(self, name: str) -> Path:
        return Path(self.folder.name) / name

    @rule(keys=KEYS, seed=SEEDS)
    def add(self, keys: list[int], seed: int) -> None:
        vectors = units([seed + number // 2 for number in range(len(keys))])
        self.flat.add(as_keys(keys), vectors)
        self.oracle.add(as_keys(keys), vectors)

    @rule(keys=KEYS)
    def remove(self, keys: list[int]) -> None:
        self.flat.remove(as_keys(keys))
        self.oracle.remove(as_keys(keys))

    @rule()
    def save(self) -> None:
        self.flat.save(self.path("flat"))
        self.oracle.save(self.path("oracle"))
        self.is_saved = True

    @rule(is_new=st.booleans())
    def load(self, is_new: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
        if self.is_saved:
            self.flat, self.oracle = (FlatIndex(D), OracleIndex(D)) if is_new else (self.flat, self.oracle)
            self.flat.load(self.path("flat"))
            self.oracle.load(self.path("oracle"))

    @rule(seeds=st.one_of(st.lists(SEEDS, max_size=4), st.lists(SEEDS, min_size=25, max_size=30)), k=st.integers(1, 20))
    def search(self, seeds: list[int], k: int) -> None:
        probes = units(seeds)
        found, keys = self.flat.search(probes, k)
        expected, _ = self.oracle.search(probes, k)
        assert found.shape == keys.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5)
        # Where similarities are tied, any order is right, but every key must have the similarity that it came with.
        everything, every_key = self.oracle.search(probes, self.oracle.count())
        for row in range(len(probes)):
            truth = dict(zip(every_key[row].tolist(), everything[row].tolist(), strict=True))
            assert len(set(keys[row].tolist())) == keys.shape[1]
            for key, similarity in zip(keys[row].tolist(), found[row].tolist(), strict=True):
                assert abs(truth[key] - similarity) <= 1e-5

    @invariant()
    def counts_agree(self) -> None:
        assert self.flat.count() == self.oracle.count()

    def teardown(self) -> None:
        self.folder.cleanup()


TestFlatAgainstOracle = FlatAgainstOracle.TestCase
TestFlatAgainstOracle.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
