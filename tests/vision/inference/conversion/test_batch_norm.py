from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.vision.inference.conversion.batch_norm import fold_batch_norm
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session

BATCH, CHANNELS, SIDE = 3, 4, 6
X = np.random.default_rng(0).normal(size=(BATCH, CHANNELS, SIDE, SIDE)).astype(np.float32)


def weight(name, *shape):
    values = np.random.default_rng([len(name), *shape]).normal(size=shape)
    return numpy_helper.from_array(values.astype(np.float32), name)


def norm(source, target, channels=CHANNELS, name="norm"):
    """Return a BatchNormalization node and its four constants."""
    rng = np.random.default_rng([channels, len(target)])
    values = {
        "scale": rng.uniform(0.5, 2, channels),
        "shift": rng.normal(size=channels),
        "mean": rng.normal(size=channels),
        "variance": rng.uniform(0.3, 3, channels),
    }
    constants = [numpy_helper.from_array(each.astype(np.float32), f"{name}/{key}") for key, each in values.items()]
    inputs = [source, *(each.name for each in constants)]
    return helper.make_node("BatchNormalization", inputs, [target], epsilon=1e-3), constants


def conv(source, target, weights, **attributes):
    return helper.make_node("Conv", [source, *weights], [target], kernel_shape=[3, 3], **attributes)


def model(nodes, constants, output, shape):
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, SIDE, SIDE]),
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", *shape]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def folded(before):
    """Fold, require the same function, and return the counts of the remaining operators."""
    kept = before.SerializeToString()
    after = fold_batch_norm(before)
    assert before.SerializeToString() == kept
    onnx.checker.check_model(after, full_check=True)
    expected, actual = (Session(each.SerializeToString(), Runtime()).run(X)[0] for each in (before, after))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
    return Counter(node.op_type for node in after.graph.node)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_after_a_convolution(has_bias, groups):
    node, constants = norm("c", "y", 8)
    weights = [weight("w", 8, CHANNELS // groups, 3, 3), *([weight("b", 8)] if has_bias else [])]
    nodes = [conv("x", "c", [each.name for each in weights], group=groups, pads=[1, 1, 1, 1]), node]
    assert folded(model(nodes, [*weights, *constants], "y", (8, SIDE, SIDE))) == {"Conv": 1}


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_before_a_convolution_that_does_not_pad(groups):
    node, constants = norm("x", "a")
    weights = [weight("w", 8, CHANNELS // groups, 3, 3), weight("b", 8)]
    nodes = [node, conv("a", "y", ["w", "b"], group=groups)]
    assert folded(model(nodes, [*weights, *constants], "y", (8, SIDE - 2, SIDE - 2))) == {"Conv": 1}


def test_before_a_convolution_that_pads_it_stays():
    node, constants = norm("x", "a")
    nodes = [node, conv("a", "y", ["w"], pads=[1, 1, 1, 1])]
    kinds = folded(model(nodes, [weight("w", 8, CHANNELS, 3, 3), *constants], "y", (8, SIDE, SIDE)))
    assert kinds == {"BatchNormalization": 1, "Conv": 1}


@pytest.mark.parametrize("is_transposed", [0, 1])
@pytest.mark.parametrize("flatten", ["Flatten", "Reshape"])
def test_on_both_sides_of_a_fully_connected_layer(is_transposed, flatten):
    first, constants = norm("x", "a", name="first")
    last, more = norm("g", "y", 5, name="last")
    size = CHANNELS * SIDE * SIDE
    shape = numpy_helper.from_array(np.array([-1, size]), "shape")
    matrix = weight("w", *((5, size) if is_transposed else (size, 5)))
    nodes = [
        first,
        helper.make_node("Dropout", ["a"], ["d"]),
        helper.make_node(flatten, ["d", "shape"] if flatten == "Reshape" else ["d"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"], transB=is_transposed),
        last,
    ]
    made = model(nodes, [shape, matrix, weight("b", 5), *constants, *more], "y", (5,))
    assert folded(made) == {flatten: 1, "Gemm": 1}


def test_weights_that_two_layers_share_are_not_changed_for_both():
    node, constants = norm("c", "n", CHANNELS)
    nodes = [conv("x", "c", ["w"], pads=[1] * 4), node, conv("n", "y", ["w"], pads=[1] * 4)]
    made = model(nodes, [weight("w", CHANNELS, CHANNELS, 3, 3), *constants], "y", (CHANNELS, SIDE, SIDE))
    assert folded(made) == {"Conv": 2}


def test_what_two_nodes_use_stays():
    node, constants = norm("c", "n", CHANNELS)
    nodes = [conv("x", "c", ["w"], pads=[1] * 4), node, helper.make_node("Add", ["c", "n"], ["y"])]
    made = model(nodes, [weight("w", CHANNELS, CHANNELS, 3, 3), *constants], "y", (CHANNELS, SIDE, SIDE))
    assert folded(made) == {"Conv": 1, "BatchNormalization": 1, "Add": 1}


def test_statistics_that_are_computed_stay():
    node, constants = norm("c", "y", CHANNELS)
    scale = constants[0]
    node.input[1] = "doubled"
    nodes = [
        helper.make_node("Add", [scale.name, scale.name], ["doubled"]),
        conv("x", "c", ["w"], pads=[1] * 4),
        node,
    ]
    made = model(nodes, [weight("w", CHANNELS, CHANNELS, 3, 3), *constants], "y", (CHANNELS, SIDE, SIDE))
    assert folded(made) == {"Add": 1, "Conv": 1, "BatchNormalization": 1}


def test_only_convolutions_of_an_identity_at_the_end():
    nodes = [conv("x", "c", ["w"], pads=[1] * 4), helper.make_node("Identity", ["c"], ["y"])]
    made = model(nodes, [weight("w", CHANNELS, CHANNELS, 3, 3)], "y", (CHANNELS, SIDE, SIDE))
    assert folded(made) == {"Conv": 1}


def test_weights_behind_an_identity_are_folded_too():
    """Exporters write an Identity of a constant for weights that two layers share."""
    node, constants = norm("c", "y")
    node.input[1] = "shared"
    nodes = [helper.make_node("Identity", ["norm/scale"], ["shared"]), conv("x", "c", ["w"], pads=[1, 1, 1, 1]), node]
    counts = folded(model(nodes, [weight("w", 4, CHANNELS, 3, 3), *constants], "y", [4, SIDE, SIDE]))
    assert counts == {"Conv": 1}
