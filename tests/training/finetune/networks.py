"""A small embedding network with all supported operators."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, DIMENSION = 8, 6


def made(nodes, constants, *, output="embedding", width=DIMENSION, opset=17, side=SIDE):
    """Return an ONNX network x (n, 3, side, side) -> `output` (n, width)."""
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side]),
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", width]),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def embedder(side=SIDE):
    """Return an embedder with uneven padding, both forms of PReLU, BatchNorm, arithmetic and pooling."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        return rng.normal(0, 0.5, shape).astype(np.float32)

    slope = drawn(4, 1, 1)
    below = slope.reshape(4, 1, 1, 1)
    constants = {
        "mean": np.array(127.5, np.float32),
        "scale": np.array([1 / 128], np.float32),
        "w1": drawn(4, 3, 3, 3),
        "b1": drawn(4),
        "slope": slope,
        "below": below,
        "rest": (1 - below).astype(np.float32),
        **{name: np.abs(drawn(4)) + 0.5 for name in ("gamma", "variance")},
        **{name: drawn(4) for name in ("beta", "middle")},
        "w2": drawn(4, 1, 3, 3),
        "flat": np.array([0, -1], np.int64),
        "low": np.array(-3, np.float32),
        "high": np.array(3, np.float32),
        "matrix": drawn(8, 5),
        "w3": drawn(DIMENSION, 5),
        "b3": drawn(DIMENSION),
        "halves": np.array(2, np.float32),
        **{f"{name}1": np.abs(drawn(DIMENSION)) + 0.5 for name in ("gamma", "variance")},
        **{f"{name}1": drawn(DIMENSION) for name in ("beta", "middle")},
    }
    node = helper.make_node
    nodes = [
        node("Sub", ["x", "mean"], ["centred"]),
        node("Mul", ["centred", "scale"], ["scaled"]),
        node("Conv", ["scaled", "w1", "b1"], ["c1"], pads=[0, 0, 1, 1], strides=[2, 2], kernel_shape=[3, 3]),
        node("BatchNormalization", ["c1", "gamma", "beta", "middle", "variance"], ["n1"], epsilon=1e-3),
        node("PRelu", ["n1", "slope"], ["p1"]),
        node("Conv", ["p1", "w2"], ["c2"], group=4, pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        # The form of app/vision/inference/conversion/prelu.py.
        node("Relu", ["c2"], ["relu"]),
        node("Conv", ["c2", "below"], ["all"], group=4, kernel_shape=[1, 1]),
        node("Conv", ["relu", "rest"], ["positive"], group=4, kernel_shape=[1, 1]),
        node("Add", ["all", "positive"], ["p2"]),
        node("Add", ["p2", "p1"], ["sum"]),
        node("Clip", ["sum", "low", "high"], ["limited"]),
        node("GlobalAveragePool", ["limited"], ["pooled"]),
        node("Reshape", ["pooled", "flat"], ["v1"]),
        node("Transpose", ["limited"], ["last"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["last"], ["v2"], axes=[1, 2], keepdims=0),
        node("Concat", ["v1", "v2"], ["both"], axis=1),
        node("Identity", ["both"], ["same"]),
        node("MatMul", ["same", "matrix"], ["m"]),
        node("Constant", [], ["ratio"], value=numpy_helper.from_array(np.array(0.4, np.float32))),
        node("Dropout", ["m", "ratio"], ["dropped"]),
        node("Flatten", ["dropped"], ["f"], axis=1),
        node("Gemm", ["f", "w3", "b3"], ["g"], transB=1),
        node("Div", ["g", "halves"], ["half"]),
        node("BatchNormalization", ["half", "gamma1", "beta1", "middle1", "variance1"], ["embedding"]),
    ]
    return made(nodes, constants, side=side)
