import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NetworkInvalid
from app.vision.inference.conversion.joblib_reader import LARGEST_PICKLE, read_arrays
from tests.vision.inference.conversion.joblib_writer import FLOAT32, compress, dump, dumped, name, text

ARRAYS = [
    np.random.default_rng(5).normal(size=shape).astype(np.float32) for shape in ((3, 3, 3, 10), (10,), (1, 1, 10))
]


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=4), st.integers(0, 255))
def test_arrays_are_read_as_written(shapes: list[list[int]], padding: int):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    pickled = b"\x80\x04](" + b"".join(dumped(array, padding=padding) for array in arrays) + b"e."
    for array, read in zip(arrays, read_arrays(compress(pickled)), strict=True):
        np.testing.assert_array_equal(array, read)


# Hostile and damaged files


@pytest.mark.parametrize(
    "payload",
    [
        lambda path: b"cos\nmkdir\n(" + text(path) + b"tR.",
        lambda path: (
            b"\x80\x04" + name("pathlib", "Path.touch") + name("pathlib", "Path") + text(path) + b"\x85R\x85R."
        ),
        lambda path: b"\x80\x04](" + name("os", "mkdir") + text(path) + b"\x85Re.",
        lambda path: b"(S'" + path.encode() + b"'\nios\nmkdir\n.",
        lambda path: b"\x80\x04(" + name("os", "mkdir") + text(path) + b"o.",
    ],
    ids=["protocol 0", "method", "function", "INST", "OBJ"],
)
def test_a_hostile_pickle_runs_nothing(payload: Callable[[str], bytes], tmp_path: Path):
    trace = tmp_path / "trace"
    pickled = payload(str(trace))
    with pytest.raises(NetworkInvalid):
        read_arrays(compress(pickled))
    assert not trace.exists()
    unpickle = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", unpickle, pickled.hex()], check=True)
    assert trace.exists(), "the payload must be one that works on a real unpickler"


@pytest.mark.parametrize("cut", [0, 1, 7, 40, 400, -1])
def test_a_truncated_file_is_refused(cut: int):
    weights = compress(dump(*ARRAYS))
    with pytest.raises(NetworkInvalid):
        read_arrays(weights[:cut])


@pytest.mark.parametrize("cut", [0, 2, 30, 200, 1500, -1])
def test_a_truncated_pickle_is_refused(cut: int):
    with pytest.raises(NetworkInvalid):
        read_arrays(compress(dump(*ARRAYS)[:cut]))


@given(st.data())
def test_damaged_pickles_are_refused_or_are_arrays(data: st.DataObject):
    pickled = bytearray(dump(np.ones((2, 3), np.float32), np.zeros(2, np.float32)))
    for _ in range(data.draw(st.integers(1, 4))):
        pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    try:
        arrays = read_arrays(compress(bytes(pickled)))
    except NetworkInvalid:
        return
    assert all(array.dtype == np.float32 for array in arrays)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x04](" + dumped(np.ones(2, np.float32), order="F") + b"e.",
        b"\x80\x04](" + dumped(np.ones(2, np.float32), dtype=FLOAT32.replace(b"f4", b"f8")) + b"e.",
        b"\x80\x04](" + dumped(np.ones(2, np.float32), dtype=FLOAT32.replace(b"<", b">")) + b"e.",
        dump(np.ones(2, np.float32)) + b"more",
        b"\x80\x04}(" + text("a") * 2 + b"\x86" + text("b") + b"u.",
        b"\x80\x04)(" + text("a") * 2 + b"u.",
    ],
    ids=["column order", "float64", "big endian", "tail", "odd key", "no dictionary"],
)
def test_other_contents_are_refused(pickled: bytes):
    with pytest.raises(NetworkInvalid):
        read_arrays(compress(pickled))


def test_a_decompression_bomb_is_refused():
    with pytest.raises(NetworkInvalid):
        read_arrays(compress(bytes(LARGEST_PICKLE + 1)))
