"""The reader of weight files and the networks built from them, against plain NumPy."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import lz4.frame
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from app.errors import NetworkInvalid
from app.faces import Floats
from app.inference.conversion.mtcnn import LARGEST_PICKLE, onet, pnet, read_weights, rnet

Builder = Callable[[bytes], onnx.ModelProto]
BUILDERS: dict[str, Builder] = {"pnet": pnet, "rnet": rnet, "onet": onet}
SIZES = {"pnet": (17, 24), "rnet": (24, 24), "onet": (48, 48)}

# Channels and side of each convolution, then the side of the pooling that follows it.
LAYERS = {
    "pnet": [(10, 3, 2), (16, 3, 0), (32, 3, 0)],
    "rnet": [(28, 3, 3), (48, 3, 3), (64, 2, 0)],
    "onet": [(32, 3, 3), (64, 3, 3), (64, 3, 2), (128, 2, 0)],
}
UNITS = {"pnet": 0, "rnet": 128, "onet": 256}
HEADS = {"pnet": [4, 2], "rnet": [4, 2], "onet": [4, 10, 2]}


# What joblib writes, byte by byte


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


FLOAT32 = (
    name("numpy", "dtype")
    + (text("f4") + b"\x89\x88\x87R")
    + (b"(" + number(3) + text("<") + b"NNN" + number(-1) * 2 + number(0) + b"tb")
)


def dumped(array: Floats, *, dtype: bytes = FLOAT32, order: str = "C", padding: int = 3) -> bytes:
    description = (
        (text("subclass") + name("numpy", "ndarray"))
        + (text("shape") + b"(" + b"".join(map(number, array.shape)) + b"t")
        + (text("order") + text(order))
        + (text("dtype") + dtype)
    )
    wrapper = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}(" + description + b"ub"
    return wrapper + bytes([padding]) + b"\xff" * padding + array.tobytes()


def dump(*arrays: Floats) -> bytes:
    return b"\x80\x04](" + b"".join(map(dumped, arrays)) + b"e."


def compress(pickled: bytes) -> bytes:
    return bytes(lz4.frame.compress(pickled))


def random_weights(net: str) -> list[Floats]:
    """Weights in the file's order and layout, small enough to keep the activations near 1."""
    rng = np.random.default_rng(5)
    shapes: list[tuple[int, ...]] = []
    channels = 3
    for wider, side, _ in LAYERS[net]:
        shapes += [(side, side, channels, wider), (wider,), (1, 1, wider)]
        channels = wider
    if units := UNITS[net]:
        shapes += [(9 * channels, units), (units,), (units,)]
        channels = units
    window = () if units else (1, 1)
    for head in HEADS[net]:
        shapes += [(*window, channels, head), (head,)]
    return [rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32) for shape in shapes]


# The same networks in NumPy, NHWC, as the package `mtcnn` defines them in Keras


def convolve(values: Floats, kernel: Floats, bias: Floats) -> Floats:
    patches = sliding_window_view(values, kernel.shape[:2], axis=(1, 2))
    return np.asarray(np.einsum("nhwcij,ijco->nhwo", patches, kernel) + bias, np.float32)


def pool(values: Floats, side: int) -> Floats:
    missing = [max(0, (-(-(size - side) // 2)) * 2 + side - size) for size in values.shape[1:3]]
    padded = np.pad(values, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)), constant_values=-np.inf)
    return np.asarray(sliding_window_view(padded, (side, side), axis=(1, 2))[:, ::2, ::2].max(axis=(-2, -1)))


def prelu(values: Floats, slope: Floats) -> Floats:
    return np.where(values > 0, values, values * slope)


def forward(net: str, weights: list[Floats], photos: Floats) -> list[Floats]:
    """Run NHWC photos; the heads in the file's order, the last one the probability of a face."""
    left = iter(weights)
    values = photos
    for _, _, side in LAYERS[net]:
        values = prelu(convolve(values, next(left), next(left)), next(left))
        values = pool(values, side) if side else values
    if UNITS[net]:
        flat = values.transpose(0, 2, 1, 3).reshape(len(values), -1)
        values = prelu(flat @ next(left) + next(left), next(left))
    *heads, classes = [values @ next(left).reshape(values.shape[-1], -1) + next(left) for _ in HEADS[net]]
    odds = np.exp(classes - classes.max(axis=-1, keepdims=True))
    return [*heads, (odds / odds.sum(axis=-1, keepdims=True))[..., 1:]]


@pytest.fixture(scope="module")
def mtcnn_wheel() -> Path:
    path = os.environ.get("ARCID_TEST_MTCNN_WHEEL")
    if not path:
        pytest.skip("ARCID_TEST_MTCNN_WHEEL does not name the wheel of mtcnn 1.0.0")
    return Path(path)


def assert_parity(net: str, weights: bytes) -> None:
    photos = np.random.default_rng(6).uniform(-1, 1, (2, *SIZES[net], 3)).astype(np.float32)
    expected = forward(net, read_weights(weights), photos)
    session = ort.InferenceSession(BUILDERS[net](weights).SerializeToString(), providers=["CPUExecutionProvider"])
    names = ["box", "landmarks", "probability"] if net == "onet" else ["box", "probability"]
    given_back = session.run(names, {"input": photos.transpose(0, 3, 1, 2)})
    for array, wanted in zip(given_back, expected, strict=True):
        nhwc = array.transpose(0, 2, 3, 1) if net == "pnet" else array
        np.testing.assert_allclose(nhwc, wanted, atol=2e-5)


@pytest.mark.parametrize("net", BUILDERS)
def test_random_weights_give_what_numpy_gives(net: str):
    assert_parity(net, compress(dump(*random_weights(net))))


@pytest.mark.parametrize("net", BUILDERS)
def test_the_real_weights_give_what_numpy_gives(net: str, mtcnn_wheel: Path):
    with ZipFile(mtcnn_wheel) as wheel:
        assert_parity(net, wheel.read(f"mtcnn/assets/weights/{net}.lz4"))


@pytest.mark.parametrize("net", BUILDERS)
def test_the_networks_take_batches_and_keep_prelu(net: str):
    model = BUILDERS[net](compress(dump(*random_weights(net))))
    shape = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["n", 3, *(["height", "width"] if net == "pnet" else SIZES[net])]
    assert model.graph.input[0].name == "input"
    assert model.opset_import[0].version == 17
    assert model.ir_version <= 10
    layers = len(LAYERS[net]) + (UNITS[net] > 0)
    assert [node.op_type for node in model.graph.node].count("PRelu") == layers


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=4), st.integers(0, 255))
def test_arrays_are_read_as_written(shapes: list[list[int]], padding: int):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    pickled = b"\x80\x04](" + b"".join(dumped(array, padding=padding) for array in arrays) + b"e."
    for array, read in zip(arrays, read_weights(compress(pickled)), strict=True):
        np.testing.assert_array_equal(array, read)


@pytest.mark.parametrize("net", BUILDERS)
def test_weights_of_another_network_are_refused(net: str):
    other = "rnet" if net != "rnet" else "onet"
    with pytest.raises(NetworkInvalid):
        BUILDERS[net](compress(dump(*random_weights(other))))


@pytest.mark.parametrize("change", [-1, 1])
def test_one_array_too_few_or_too_many_is_refused(change: int):
    weights = random_weights("pnet")
    weights = weights[:-1] if change < 0 else [*weights, weights[0]]
    with pytest.raises(NetworkInvalid):
        pnet(compress(dump(*weights)))


# Files that are not what they say


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
        read_weights(compress(pickled))
    assert not trace.exists()
    unpickle = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", unpickle, pickled.hex()], check=True)
    assert trace.exists(), "the payload must be one that works on a real unpickler"


@pytest.mark.parametrize("cut", [0, 1, 7, 40, 400, -1])
def test_a_truncated_file_is_refused(cut: int):
    weights = compress(dump(*random_weights("pnet")))
    with pytest.raises(NetworkInvalid):
        pnet(weights[:cut])


@pytest.mark.parametrize("cut", [0, 2, 30, 200, 1500, -1])
def test_a_truncated_pickle_is_refused(cut: int):
    with pytest.raises(NetworkInvalid):
        pnet(compress(dump(*random_weights("pnet"))[:cut]))


@given(st.data())
def test_damaged_pickles_are_refused_or_are_arrays(data: st.DataObject):
    pickled = bytearray(dump(np.ones((2, 3), np.float32), np.zeros(2, np.float32)))
    for _ in range(data.draw(st.integers(1, 4))):
        pickled[data.draw(st.integers(0, len(pickled) - 1))] = data.draw(st.integers(0, 255))
    try:
        arrays = read_weights(compress(bytes(pickled)))
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
        read_weights(compress(pickled))


def test_a_decompression_bomb_is_refused():
    with pytest.raises(NetworkInvalid):
        read_weights(compress(bytes(LARGEST_PICKLE + 1)))
