"""Folding of block-quantised weights to float32, which every ONNX Runtime loads.

OpenCV Zoo's int8bq files store each weight as int8 blocks with a scale and a zero point, which DequantizeLinear and
Reshape restore. ONNX Runtime's CPU provider refuses them, so the same arithmetic is done here, once.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from app.errors import NetworkInvalid

Constants = Mapping[str, NDArray[np.generic]]


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every DequantizeLinear and Reshape of constants by its value, and remove unused inputs.

    Raises NetworkInvalid if a quantised weight is malformed.
    """
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type in {"DequantizeLinear", "Reshape"} and all(name in constants for name in node.input):
            constants[node.output[0]] = _evaluate(node, constants)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    folded = helper.make_graph(
        nodes,
        graph.name,
        [value for value in graph.input if value.name in used and value.name not in constants],
        graph.output,
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    return helper.make_model(folded, opset_imports=model.opset_import, ir_version=min(model.ir_version + 4, 10))


def free_dimensions(model: onnx.ModelProto, free: Mapping[int, str]) -> onnx.ModelProto:
    """Make the dimensions `free` (position -> name) of the input dynamic, and those of the outputs with it.

    A final Reshape to (1, -1, k) becomes one to (0, -1, k), which keeps the batch.
    """
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    for position, name in free.items():
        graph.graph.input[0].type.tensor_type.shape.dim[position].dim_param = name
    for index, output in enumerate(graph.graph.output):
        for position, dim in enumerate(output.type.tensor_type.shape.dim[:-1]):
            dim.dim_param = f"{output.name}_{position}" if position else free.get(0, f"batch_{index}")
    for tensor in graph.graph.initializer:
        shape = numpy_helper.to_array(tensor)
        if 0 in free and shape.dtype == np.int64 and shape.tolist()[:2] == [1, -1]:
            tensor.CopyFrom(numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), tensor.name))
    return graph


def _evaluate(node: onnx.NodeProto, constants: Constants) -> NDArray[np.generic]:
    values = [constants[name] for name in node.input]
    try:
        if node.op_type == "Reshape":
            return values[0].reshape(values[1].astype(np.int64).tolist())
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        return _dequantise(*values, axis=attributes.get("axis", 1), block=attributes.get("block_size", 0))
    except (ValueError, IndexError, TypeError) as error:
        raise NetworkInvalid(f"the quantised weight {node.output[0]!r} is malformed: {error}") from error


def _dequantise(
    quantised: NDArray[np.generic],
    scale: NDArray[np.generic],
    zero: NDArray[np.generic],
    *,
    axis: int,
    block: int,
) -> NDArray[np.float32]:
    """Return (q - zero) * scale, with one scale for each `block` values along `axis` (ONNX DequantizeLinear-21)."""
    if block:
        length = quantised.shape[axis]
        scale, zero = (np.repeat(part, block, axis=axis).take(range(length), axis=axis) for part in (scale, zero))
    return (quantised.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)
