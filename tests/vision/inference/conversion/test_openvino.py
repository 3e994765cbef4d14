"""Conversion from OpenVINO: each operator against NumPy, and the real network against OpenVINO's own outputs."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.conversion.openvino import to_onnx
from tests.vision.inference.conversion.ir_writer import IrWriter, halves, tiny_ir

KERNEL, BIAS = halves(2, 3, 3, 3), halves(1, 2, 1, 1, seed=1)


def run(description: bytes, weights: bytes, values: Floats) -> Floats:
    network = to_onnx(description, weights).SerializeToString()
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    result: Floats = session.run(["embedding"], {"input": values})[0]
    return result


def test_a_convolution_a_sum_and_pooling():
    values = halves(1, 3, 4, 4, seed=2)
    windows = np.lib.stride_tricks.sliding_window_view(values[0], (3, 3), axis=(1, 2))
    expected = np.einsum("cyxhw,ochw->oyx", windows, KERNEL) + BIAS[0]
    np.testing.assert_allclose(run(*tiny_ir(KERNEL, BIAS), values)[0], expected.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "constant", "expected"),
    [
        ("Multiply", halves(1, 2, 1, 1), lambda x: x * halves(1, 2, 1, 1)),
        ("PReLU", np.array([0.25], np.float32), lambda x: np.where(x > 0, x, x / 4)),
        ("Sigmoid", None, lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_an_operator(kind, constant, expected):
    net, values = IrWriter(), halves(1, 2, 1, 3, seed=4)
    photo = net.layer("Parameter", shape="1,2,1,3", element_type="f32")
    inputs = (photo,) if constant is None else (photo, net.constant(constant))
    net.layer("Result", (net.layer(kind, inputs, auto_broadcast="numpy"),))
    actual = run(net.description(), net.weights, values)
    np.testing.assert_allclose(actual, expected(values).reshape(1, -1), rtol=1e-5)


def test_a_grouped_convolution_with_strides_and_padding():
    net, values, kernel = IrWriter(), halves(1, 2, 5, 5), halves(2, 1, 1, 3, 3, seed=1)
    photo = net.layer("Parameter", shape="1,2,5,5", element_type="f32")
    window = {"pads_begin": "1, 1", "pads_end": "1, 1", "auto_pad": "explicit", "dilations": "1, 1"}
    net.layer("Result", (net.layer("GroupConvolution", (photo, net.constant(kernel)), strides="2, 2", **window),))
    padded = np.pad(values[0], ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    expected = np.einsum("cyxhw,chw->cyx", windows, kernel[:, 0, 0])
    actual = run(net.description(), net.weights, values)
    np.testing.assert_allclose(actual, expected.reshape(1, -1), rtol=1e-4, atol=1e-5)


def changed(old: bytes, new: bytes) -> bytes:
    description = tiny_ir(KERNEL, BIAS)[0]
    assert old in description
    return description.replace(old, new)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (b"no XML", "not XML"),
        (b"<net/>", "one input and one output"),
        (changed(b'type="Add"', b'type="Tanh"'), "the OpenVINO operator Tanh is not supported"),
        (changed(b'auto_pad="explicit"', b'auto_pad="same_upper"'), "only explicit padding"),
        (changed(b'rounding_type="floor"', b'rounding_type="ceil"'), "only pooling without padding"),
        (changed(b'auto_broadcast="numpy"', b'auto_broadcast="pdpd"'), "only broadcasting as in NumPy"),
        (changed(b'destination_type="f32"', b'destination_type="f16"'), "only conversions to f32"),
        (changed(b'element_type="f16"', b'element_type="u4"'), "not the network"),
        (changed(b'from-layer="0"', b'from-layer="77"'), "not the network"),
        (changed(b'offset="0"', b'offset="1000"'), "not the network"),
    ],
)
def test_another_network_is_refused(description: bytes, reason: str):
    with pytest.raises(NetworkInvalid, match=reason):
        to_onnx(description, tiny_ir(KERNEL, BIAS)[1])


@given(length=st.integers(0, 123))
def test_weights_that_are_cut_short(length: int):
    description, weights = tiny_ir(KERNEL, BIAS)
    assert len(weights) > 111
    with pytest.raises(NetworkInvalid):
        to_onnx(description, weights[: min(length, len(weights) - 1)])


def test_the_real_network_gives_openvinos_outputs(zoo_mirror):
    """The expected numbers are those of OpenVINO 2026.4 in single precision; `benchmarks/openvino_parity.py`."""
    name = "face-reidentification-retail-0095"
    files = [(zoo_mirror / f"{name}.{kind}").read_bytes() for kind in ("xml", "bin")]
    values = np.random.default_rng(0).integers(0, 256, (1, 3, 128, 128)).astype(np.float32)
    (actual,) = run(files[0], files[1], values)
    np.testing.assert_allclose(np.linalg.norm(actual), 8.72201, rtol=1e-5)
    expected = [0.03145, -0.30334, -0.80548, -0.77066, -0.81593, 0.67884, 0.38322, 0.44974]
    np.testing.assert_allclose(actual[:8], expected, atol=2e-5)
