"""A network that judges a face by the brightness of its crop."""

from onnx import TensorProto, helper

from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session

SIDE = 32


def brightness_network(classes: int = 2, side: int = SIDE) -> bytes:
    """Return a network (n, 3, side, side) to logits (n, classes): the mean of the input times 1, 2, ..."""
    factors = helper.make_tensor("factors", TensorProto.FLOAT, [1, classes], [1.0 + place for place in range(classes)])
    nodes = [
        helper.make_node("GlobalAveragePool", ["crops"], ["channels"]),
        helper.make_node("Flatten", ["channels"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "factors"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 3, side, side]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes]),
    ]
    graph = helper.make_graph(nodes, "brightness", ends[:1], ends[1:], [factors])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def brightness_session(classes: int = 2) -> Session:
    return Session(brightness_network(classes), Runtime(), name="brightness.onnx")
