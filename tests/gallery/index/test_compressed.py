import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gallery.index.compressed import CompressedIndex
from app.gallery.index.recall import exact, measure, probes_of
from app.gallery.index.storage.codec import Codec, groups_of
from app.gallery.index.storage.codes import BlockCodes
from tests.gallery.index.fakes import faces, units

PEOPLE = 1200
D = 64


def check_codes(index: CompressedIndex) -> None:
    """FAISS scans exactly the codes of the rows' vectors, and nothing after the last row.

    Without owners, each template represents itself.
    """
    codec = index._codec
    assert codec is not None
    assert len(index._people.codes) == index.count()
    for block in index._people.codes.blocks.values():
        codes = block.codes
        assert isinstance(codes, BlockCodes)
        expected = codec.encode(index.vectors(~block.keys[: block.count]))
        np.testing.assert_array_equal(codes.codes(), expected)
        assert not codes._memory()[-(-block.count // 32) :].any()


@pytest.fixture(scope="module")
def gallery():
    return faces(PEOPLE)


@pytest.fixture
def index(gallery):
    index = CompressedIndex(D, candidates=128, block_rows=512, threads=2)
    index.train(gallery[:2000])
    index.add(np.arange(len(gallery)), gallery)
    return index


def test_the_codes_name_the_right_candidates(index, gallery):
    probes = probes_of(gallery[::20], 0.6)
    found = measure(index, probes, threshold=0.5)
    assert found.at_1 >= 0.99
    similarities, keys = index.search(probes, 5)
    stored = index.vectors(keys.ravel()).reshape(len(probes), 5, D)
    np.testing.assert_allclose(similarities, (stored * probes[:, None]).sum(axis=2), atol=1e-6)


def test_one_probe_and_many_find_the_same(index, gallery):
    probes = probes_of(gallery[::100], 0.6)
    _, together = index.search(probes, 3)
    alone = [index.search(probe[None], 3)[1][0].tolist() for probe in probes]
    assert together.tolist() == alone


def test_many_answers_are_exact(index, gallery):
    probes = gallery[:3]
    similarities, _ = index.search(probes, 4000)
    np.testing.assert_allclose(similarities, exact(index, probes, 4000)[0], atol=1e-6)


def test_among_is_exact(index, gallery):
    among = np.arange(0, 6000, 3)
    similarities, keys = index.search(gallery[:4], 10, among=among)
    truth = gallery[:4] @ gallery[among].T
    np.testing.assert_allclose(similarities, -np.sort(-truth, axis=1)[:, :10], atol=1e-6)
    assert (keys % 3 == 0).all()


def test_codes_follow_every_change(index, gallery):
    rng = np.random.default_rng(0)
    truth = dict(enumerate(gallery))
    for _ in range(30):
        gone = rng.choice(7000, rng.integers(1, 300), replace=False)
        index.remove(gone)
        new = rng.choice(7000, rng.integers(1, 200), replace=False)
        vectors = gallery[rng.integers(0, len(gallery), len(new))]
        index.add(new, vectors)
        for key in gone.tolist():
            truth.pop(key, None)
        truth |= dict(zip(new.tolist(), vectors, strict=True))
    check_codes(index)
    keys = np.array(sorted(truth))
    np.testing.assert_array_equal(index.keys(), keys)
    np.testing.assert_array_equal(index.vectors(keys), np.array([truth[key] for key in keys.tolist()]))
    similarities, _ = index.search(np.array([truth[key] for key in keys[:50].tolist()]), 1)
    assert (similarities > 0.99).all()


def test_deletions_give_memory_back(index):
    blocks = len(index._rows.blocks)
    index.remove(np.flatnonzero(np.arange(6000) % 4))
    assert index.count() == 1500
    assert len(index._rows.blocks) <= blocks / 2
    assert all(2 * block.count >= 512 for block in list(index._rows.blocks.values())[:-1])
    check_codes(index)


def test_nothing_of_the_removed_stays_in_memory(index, gallery):
    filled = {id(block): block.count for block in index._rows.blocks.values()}
    index.remove(np.arange(0, 3000))
    for block in index._rows.blocks.values():
        assert not np.isin(np.arange(3000), block.keys[: block.count]).any()
        assert not block.vectors[block.count : filled.get(id(block), block.count)].any()
    index.remove(index.keys())
    assert index.search(gallery[:1], 5)[1].shape == (1, 0)


def test_probes_that_the_codes_cannot_rank_are_compared_with_all(index):
    similarities, keys = index.search(np.zeros((2, D), np.float32), 3)
    assert similarities.tolist() == [[0, 0, 0]] * 2
    assert all(len(set(row)) == 3 for row in keys.tolist())


def test_training_again_beside_searches_changes_no_answer(index, gallery):
    probes = gallery[:20]
    _, before = index.search(probes, 1)
    index.train(gallery[3000:])
    check_codes(index)
    assert index.search(probes, 1)[1].tolist() == before.tolist()


def test_searches_are_right_while_rows_come_and_go(index, gallery):
    """People 0..199 stay; all others are removed and come back, block after block."""
    probes, done = gallery[:1000:50], threading.Event()

    def read() -> int:
        searches = 0
        while not (done.is_set() and searches):
            similarities, keys = index.search(probes, 1)
            assert keys[:, 0].tolist() == list(range(0, 1000, 50))
            assert (similarities > 0.99).all()
            searches += 1
        return searches

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for first in [*range(1000, 6000, 500)] * 2:
                passing = np.arange(first, first + 500)
                index.remove(passing)
                index.add(passing, gallery[passing])
        finally:
            done.set()
        assert all(reader.result(60) for reader in readers)
    check_codes(index)


@pytest.mark.parametrize("dimension", [2, 3, 8, 65, 128, 512])
def test_codes_of_any_dimension_keep_their_order(dimension):
    vectors = units(300, dimension=dimension)
    codec = Codec.train(vectors, groups_of(dimension))
    gram = codec.rotate(vectors) @ codec.rotate(vectors).T
    np.testing.assert_allclose(gram, vectors @ vectors.T, atol=1e-4)
    again = Codec.from_bytes(b"".join(part.tobytes() for part in codec.parts), dimension, codec.groups)
    np.testing.assert_array_equal(again.encode(vectors), codec.encode(vectors))


@pytest.mark.parametrize("data", [b"", b"1" * 7, bytes(10**5)])
def test_a_codec_of_another_shape_is_refused(data):
    with pytest.raises(ValueError, match="bytes"):
        Codec.from_bytes(data, 8, 8)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["append", "replace", "move", "cut"]), st.integers(0, 99)), max_size=12))
def test_any_history_of_a_blocks_codes_is_that_of_a_list(history):
    vectors = units(140, dimension=8)
    codec = Codec.train(vectors, 8)
    codes, rows = BlockCodes(codec), list[int]()
    for number, (verb, value) in enumerate(history):
        if verb == "append":
            new = list(range(value % 40, value % 40 + value))
            codes.append(vectors[new])
            rows += new
        elif rows and verb == "replace":
            codes.replace(value % len(rows), vectors[number])
            rows[value % len(rows)] = number
        elif rows and verb == "move":
            codes.move(len(rows) - 1, value % len(rows))
            rows[value % len(rows)] = rows[-1]
        elif verb == "cut":
            del rows[value % (len(rows) + 1) :]
            codes.cut(len(rows))
    np.testing.assert_array_equal(codes.codes(), codec.encode(vectors)[rows])
