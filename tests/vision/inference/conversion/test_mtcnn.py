"""The networks built from weight files, against plain NumPy."""

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.joblib_reader import read_arrays
from app.vision.inference.conversion.mtcnn import onet, pnet, rnet
from tests.vision.inference.conversion.joblib_writer import compress, dump

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
    """Run the network on NHWC photos. Return the heads in the file's order; the last is the probability of a face."""
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


def assert_parity(net: str, weights: bytes) -> None:
    photos = np.random.default_rng(6).uniform(-1, 1, (2, *SIZES[net], 3)).astype(np.float32)
    expected = forward(net, read_arrays(weights), photos)
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
def test_the_real_weights_give_what_numpy_gives(net: str, archive):
    assert_parity(net, read_member(archive("mtcnn", "mtcnn"), f"mtcnn/assets/weights/{net}.lz4"))


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
