"""PReLU as two depthwise 1x1 convolutions, which ONNX Runtime runs faster on CPUs.

PReLU(x) = a*x + (1 - a)*relu(x). ONNX Runtime has no blocked-layout PRelu kernel, so each one costs two layout changes
and an unvectorised pass; convolutions stay in the blocked layout.

If no slope exceeds 1, relu((1 - a)*x) is the same number, bit for bit, and ONNX Runtime fuses this relu with the
convolution before it: a pass over the values less.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def rewrite_prelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite every PRelu whose slope is a constant of shape (c, 1, 1); other nodes do not change."""
    graph = model.graph
    slopes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    for node in graph.node:
        slope = slopes.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or slope.ndim != 3 or slope.shape[1:] != (1, 1):
            nodes.append(node)
            continue
        replacement, tensors = _as_convolutions(node, slope)
        nodes += replacement
        weights += tensors
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    rewritten = helper.make_graph(nodes, graph.name, graph.input, graph.output, [*kept, *weights])
    return helper.make_model(rewritten, opset_imports=model.opset_import, ir_version=model.ir_version)


def _as_convolutions(
    node: onnx.NodeProto, slope: NDArray[np.generic]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    source, target = node.input[0], node.output[0]
    channels = slope.shape[0]
    below = slope.astype(np.float32).reshape(channels, 1, 1, 1)
    names = {part: f"{target}_{part}" for part in ("relu", "all", "positive", "slope", "rest")}

    def depthwise(data: str, weight: str, out: str) -> onnx.NodeProto:
        return helper.make_node("Conv", [data, weight], [out], out, group=channels, kernel_shape=[1, 1])

    def relu(data: str, out: str) -> onnx.NodeProto:
        return helper.make_node("Relu", [data], [out], out)

    positive = [depthwise(source, names["rest"], names["positive"]), relu(names["positive"], names["relu"])]
    if (below > 1).any():
        positive = [relu(source, names["relu"]), depthwise(names["relu"], names["rest"], names["positive"])]
    nodes = [
        *positive,
        depthwise(source, names["slope"], names["all"]),
        helper.make_node("Add", [names["all"], positive[-1].output[0]], [target], target),
    ]
    tensors = [
        numpy_helper.from_array(below, names["slope"]),
        numpy_helper.from_array(np.float32(1) - below, names["rest"]),
    ]
    return nodes, tensors
