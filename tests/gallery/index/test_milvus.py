"""Behaviour of Milvus only; test_contract.py has the contract of all indexes. Both use milvus-lite and the server."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from types import SimpleNamespace

import numpy as np
import pytest

from app.errors import ArcidError, IndexUnavailable, IndexUnusable, SettingsInvalid
from app.gallery.index import milvus
from app.gallery.index.milvus import NOBODY, MilvusIndex
from app.gallery.index.milvus_engine import connect
from app.types import Floats, Keys
from tests.gallery.index.milvus_server import ADDRESS, ENGINES, SCRIPT, EmptyIndexes, lite_address, server_address

D = 16


@pytest.fixture(scope="module", params=ENGINES, ids="-".join)
def engine(request, tmp_path_factory) -> Iterator[EmptyIndexes]:
    name, structure = request.param
    address = lite_address(tmp_path_factory.mktemp("lite")) if name == "milvus-lite" else server_address()
    indexes = EmptyIndexes(address, structure)
    yield indexes
    indexes.close()


@pytest.fixture
def index(engine) -> Iterator[MilvusIndex]:
    yield engine.new(D)
    engine.take_back()


def units(count: int, *, seed: int = 0, dimension: int = D) -> Floats:
    """Unit vectors of float16 numbers, as every index keeps them."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    halves = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)
    return np.asarray(halves, np.float32)


def keys_of(*keys: int) -> Keys:
    return np.array(keys, np.int64)


def test_it_is_called_milvus(index):
    assert (index.kind, index.dimension, index.count()) == ("milvus", D, 0)
    similarities, keys = index.search(units(3), 5)
    assert (similarities.shape, similarities.dtype, keys.shape, keys.dtype) == ((3, 0), np.float32, (3, 0), np.int64)
    assert index.keys().tolist() == []


def test_similarities_are_exact_inner_products(index):
    vectors, probes = units(300), units(40, seed=1)
    index.add(np.arange(300), vectors)
    similarities, keys = index.search(probes, 7)
    expected = np.sort(probes @ vectors.T, axis=1)[:, ::-1][:, :7]
    np.testing.assert_allclose(similarities, expected, atol=3e-7)
    np.testing.assert_allclose(np.take_along_axis(probes @ vectors.T, keys, axis=1), similarities, atol=3e-7)


def test_a_vector_that_is_no_unit_vector_is_not_made_one(index):
    index.add(keys_of(1), 2 * units(1))
    assert index.search(units(1), 1)[0].item() == pytest.approx(2, abs=1e-2)


def test_no_probe_no_key_and_no_answer_wanted(index):
    index.add(keys_of(), units(0))
    index.remove(keys_of())
    index.add(keys_of(1, 2), units(2))
    assert index.search(units(0), 5)[1].shape[0] == 0
    assert index.search(units(2), 0)[1].shape == (2, 0)
    assert index.search(units(2), 5, among=keys_of())[1].shape == (2, 0)
    assert index.search(units(2), 5, among=keys_of(7))[1].shape == (2, 0)
    assert index.vectors(keys_of()).shape == (0, D)


def test_among_compares_these_keys_only_and_all_of_them(index, monkeypatch):
    monkeypatch.setattr(milvus, "_KEYS_AT_ONCE", 30)  # so that answers of several filters are merged
    vectors, probes = units(400), units(5, seed=1)
    index.add(np.arange(400), vectors)
    among = np.concatenate([np.arange(1, 400, 4), [2000, 3000], np.arange(1, 20, 4)])
    similarities, keys = index.search(probes, 12, among=among)
    allowed = np.arange(1, 400, 4)
    expected = np.sort(probes @ vectors[allowed].T, axis=1)[:, ::-1][:, :12]
    np.testing.assert_allclose(similarities, expected, atol=3e-7)
    assert set(keys.ravel().tolist()) <= set(allowed.tolist())
    assert index.search(probes, 500, among=among)[1].shape == (5, 100)


def test_a_batch_can_be_repeated(index):
    keys, vectors = np.arange(50), units(50)
    index.add(keys[:30], vectors[:30])  # a writer that dies half-way
    index.remove(keys_of(3, 4))
    for _ in range(3):
        index.add(keys, vectors)
        index.remove(keys_of(1, 2, 999))
    assert index.count() == 48
    assert index.keys().tolist() == [0, *range(3, 50)]
    np.testing.assert_array_equal(index.vectors(index.keys()), vectors[index.keys()])


def test_what_was_written_is_seen_at_once(index):
    vectors = units(5)
    for turn in range(5):
        index.add(np.arange(turn, turn + 5), vectors)
        assert index.search(vectors, 1)[1][:, 0].tolist() == list(range(turn, turn + 5))
        index.remove(np.arange(turn, turn + 4))
        assert (index.count(), index.search(vectors, 5)[1].tolist()) == (1, [[turn + 4]] * 5)
        index.remove(keys_of(turn + 4))
        assert (index.count(), index.search(vectors, 5)[1].shape) == (0, (5, 0))


def test_the_last_vector_of_a_key_counts(index):
    index.add(np.arange(4), units(4))
    index.add(keys_of(1, 3), units(2, seed=1))
    similarities, keys = index.search(units(2, seed=1), 1)
    assert keys.tolist() == [[1], [3]]
    assert similarities == pytest.approx(1, abs=1e-2)
    np.testing.assert_array_equal(index.vectors(keys_of(3, 0)), np.stack([units(2, seed=1)[1], units(4)[0]]))


def test_vectors_of_missing_keys_are_nan(index):
    index.add(keys_of(5, 7), units(2))
    found = index.vectors(keys_of(7, 6, 5, 7))
    np.testing.assert_array_equal(found[[0, 2, 3]], units(2)[[1, 0, 1]])
    assert np.isnan(found[1]).all()


def test_long_batches_go_in_parts(engine, index, monkeypatch):
    monkeypatch.setattr(index, "_rows_at_once", 64)
    keys = np.random.default_rng(3).permutation(1000)
    index.add(keys, units(1000))
    np.testing.assert_array_equal(index.vectors(keys), units(1000))
    assert index.search(units(200), 1)[1][:, 0].tolist() == keys[:200].tolist()


def test_keys_come_in_pages_from_anywhere(index, monkeypatch):
    monkeypatch.setattr(milvus, "_PAGE", 100)
    dense = np.random.default_rng(3).permutation(300) + 5_000
    keys = np.concatenate([[2**20, 0, -9], dense, [7], -dense])
    index.add(keys, units(len(keys)))
    assert index.keys().tolist() == sorted(keys.tolist())


def test_a_collection_of_the_engine_outlives_the_index(engine, index):
    index.add(np.arange(9), units(9))
    again = MilvusIndex(engine.client, index._engine._name, D)
    assert again.count() == 9
    assert again._engine.has_graph == (engine.structure == "HNSW")
    again.close()
    assert index.search(units(1), 1)[1].item() == 0


def test_vectors_of_another_length_do_not_fit(engine, index):
    with pytest.raises(IndexUnusable, match=f"length {D}"):
        MilvusIndex(engine.client, index._engine._name, D + 1)


def test_a_collection_that_the_engine_has_lost_is_unusable(engine):
    index = MilvusIndex(engine.client, "test_lost", D)
    index.drop()
    for use in (lambda: index.search(units(1), 1), lambda: index.add(keys_of(1), units(1)), index.keys, index.count):
        with pytest.raises(IndexUnusable):
            use()


def test_a_row_that_a_graph_left_short_is_filled_up():
    index = MilvusIndex.__new__(MilvusIndex)
    index._rows_at_once = 2

    class Hits(list):  # type: ignore[type-arg]
        ids, distances = (
            property(lambda self: [5, 9, 2][: len(self)]),
            property(lambda self: [0.9, 0.5, 0.1][: len(self)]),
        )

    answers = cycle([[Hits("aaa"), Hits("a")], [Hits()]])
    engine = SimpleNamespace(has_graph=True, search=lambda *_: next(answers), count=lambda _: 3)
    index._engine = engine  # type: ignore[assignment]
    similarities, keys = index.search(units(3), 4)
    assert keys.tolist() == [[5, 9, 2], [5, NOBODY, NOBODY], [NOBODY] * 3]
    assert similarities.tolist() == [
        pytest.approx([0.9, 0.5, 0.1]),
        pytest.approx([0.9, -np.inf, -np.inf]),
        [-np.inf] * 3,
    ]


def test_an_answer_that_lacks_nearly_everything_is_asked_for_again():
    index = MilvusIndex.__new__(MilvusIndex)
    index._rows_at_once = 9
    answers = iter([[], [1], [5, 9]])

    class Hits(list):  # type: ignore[type-arg]
        ids = property(list)
        distances = property(lambda self: [0.5] * len(self))

    index._engine = SimpleNamespace(search=lambda *_: [Hits(next(answers))], count=lambda _: 2)  # type: ignore[assignment]
    assert index.search(units(1), 5)[1].tolist() == [[5, 9]]


@pytest.mark.parametrize("address", ["", "localhost", "ftp://localhost:19530"])
def test_an_address_that_is_none_is_said(address):
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: pip install pymilvus")
    with pytest.raises(SettingsInvalid, match="http://host:19530"):
        connect(address)


def test_nobody_at_the_address_is_said_without_internals():
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: pip install pymilvus")
    with pytest.raises(IndexUnavailable) as raised:
        connect("http://127.0.0.1:1")
    assert (raised.value.code, str(raised.value)) == ("index_unavailable", "the distributed index does not answer")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(SettingsInvalid, match=r"pip install arcid\[milvus\]"):
        connect("http://localhost:19530")


@pytest.fixture
def on_server() -> Iterator[EmptyIndexes]:
    indexes = EmptyIndexes(server_address(), "FLAT")
    yield indexes
    indexes.close()


def test_what_another_process_wrote_is_found_at_once(on_server):
    index = on_server.new(D)
    index.add(keys_of(1), units(1, seed=7))
    write = (
        "import sys; from tests.gallery.index.test_milvus import *; "
        "index = MilvusIndex(connect(sys.argv[1]), sys.argv[2], D);"
        "input(); index.add(keys_of(2), units(1)); index.remove(keys_of(1)); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", write, on_server.address, index._engine._name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"\n")
        other.stdin.flush()
        other.stdout.readline()
        assert index.search(units(1), 2)[1].tolist() == [[2]]
        other.stdin.write(b"\n")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_server_loses_nothing_that_it_acknowledged(on_server):
    """After SIGKILL during writes, the same index finds all acknowledged batches, and continues."""
    if (
        subprocess.run([SCRIPT, "address"], capture_output=True, text=True, check=False).stdout.strip()
        != on_server.address
    ):
        pytest.skip(f"the server at {ADDRESS} was not started by .ci/milvus: it cannot be killed")
    index, vectors = on_server.new(D), units(200 * 100)
    acknowledged: list[int] = []

    def write(first: int) -> None:
        """Each batch adds 100 keys and removes the first of them."""
        for batch in range(first, 200):
            keys = np.arange(100 * batch, 100 * (batch + 1))
            index.add(keys, vectors[keys])
            index.remove(keys[:1])
            acknowledged.append(batch)
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write, 0)
        while len(acknowledged) < 30:
            time.sleep(0.01)
        subprocess.run([SCRIPT, "kill"], check=True)
        assert isinstance(writer.exception(60), ArcidError)
    assert len(acknowledged) < 200
    with pytest.raises(IndexUnavailable):
        index.search(units(1), 1)

    subprocess.run([SCRIPT, "start"], check=True, capture_output=True, timeout=150)
    until = time.monotonic() + 60
    while True:
        try:
            similarities, keys = index.search(vectors[[100 * acknowledged[-1] + 99]], 1)
            break
        except IndexUnavailable:
            assert time.monotonic() < until
    assert (keys.item(), similarities.item()) == (100 * acknowledged[-1] + 99, pytest.approx(1, abs=1e-2))
    expected = {key for batch in acknowledged for key in range(100 * batch + 1, 100 * (batch + 1))}
    begun = set(range(100 * len(acknowledged), 100 * (len(acknowledged) + 1)))
    assert set(index.keys().tolist()) - begun == expected

    write(len(acknowledged))  # the interrupted batch again, and the others
    whole = [key for key in range(200 * 100) if key % 100]
    assert index.count() == len(whole)
    assert index.keys().tolist() == whole
    np.testing.assert_array_equal(index.vectors(index.keys()), vectors[whole])
