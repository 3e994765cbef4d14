"""Quantisation of a network's large matrix products to int8.

A 1x1 convolution or a fully connected layer multiplies uint8 activations by int8 weights (Jacob et al., "Quantization
and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018). Weights have a scale for
each output channel. Activations have one scale and zero point for each layer, from a range that was measured once on
faces: the answer for a face does not depend on others in its batch. Sums are exact integers. The output is float32
again, so all else, including depthwise convolutions and activations, stays as it was.

ONNX Runtime's fused kernel for this product takes the channels last, so the layout changes around it.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from app.errors import ManifestInvalid
from app.vision.inference.conversion.batch_norm import fold_batch_norm

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest activation, by the name of the value."""

_HIGHEST_BYTE = 255
_HIGHEST_WEIGHT = 127
_LEAST_SCALE = 1e-12
_KERNELS = helper.make_opsetid("com.microsoft", 1)


def quantise(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """Quantise each 1x1 convolution and fully connected layer whose input is in `ranges`. Fold BatchNorms first.

    Raises ManifestInvalid if a range names no input of these layers.
    """
    folded = fold_batch_norm(model)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in folded.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    quantised = set[str]()
    for node in folded.graph.node:
        if _is_product(node, weights) and node.input[0] in ranges:
            quantised.add(node.input[0])
            nodes += _as_integers(node, weights, ranges[node.input[0]])
        else:
            nodes.append(node)
    if missing := sorted(set(ranges) - quantised):
        raise ManifestInvalid(f"ranges of values that no 1x1 convolution or fully connected layer takes: {missing}")
    used = {name for node in nodes for name in node.input}
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items() if name in used]
    graph = helper.make_graph(nodes, folded.graph.name, folded.graph.input, folded.graph.output, tensors)
    return helper.make_model(graph, opset_imports=[*folded.opset_import, _KERNELS], ir_version=folded.ir_version)


def quantisable(model: onnx.ModelProto) -> list[str]:
    """Return the names of the values of which `quantise` takes a range, in the order of the layers."""
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return list(dict.fromkeys(node.input[0] for node in model.graph.node if _is_product(node, weights)))


def _is_product(node: onnx.NodeProto, weights: Mapping[str, NDArray[np.generic]]) -> bool:
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type not in {"Conv", "Gemm"} or any(name not in weights for name in node.input[1:] if name):
        return False
    if node.op_type == "Gemm":
        plain = (attributes.get("alpha", 1), attributes.get("beta", 1), attributes.get("transA", 0))
        return plain == (1, 1, 0) and attributes.get("transB", 0) == 1
    is_small = weights[node.input[1]].shape[2:] == (1, 1) and attributes.get("group", 1) == 1
    moves = (*attributes.get("pads", (0,)), *(stride - 1 for stride in attributes.get("strides", (1,))))
    return is_small and not any(moves) and attributes.get("auto_pad", b"NOTSET") in {b"NOTSET", b"VALID"}


def _as_integers(
    node: onnx.NodeProto, weights: dict[str, NDArray[np.generic]], limits: tuple[float, float]
) -> list[onnx.NodeProto]:
    """Return the nodes that replace a layer, and add their constants to `weights`."""
    out = node.output[0]

    def constant(part: str, value: NDArray[np.generic]) -> str:
        weights[f"{out}/{part}"] = value
        return f"{out}/{part}"

    weight = weights[node.input[1]].astype(np.float32)
    weight = weight.reshape(len(weight), -1)
    scales = np.maximum(np.abs(weight).max(axis=1) / _HIGHEST_WEIGHT, _LEAST_SCALE).astype(np.float32)
    integers = np.ascontiguousarray(np.rint(weight / scales[:, None]).astype(np.int8).T)
    has_bias = len(node.input) > 2 and node.input[2]
    bias = weights[node.input[2]].astype(np.float32) if has_bias else np.zeros(len(weight), np.float32)
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)  # zero is a level
    step = np.array(max((high - low) / _HIGHEST_BYTE, _LEAST_SCALE), np.float32)
    scale, zero = constant("scale", step), constant("zero", np.array(np.rint(-low / step), np.uint8))
    layer = [constant("weight", integers), scale, constant("scales", scales), zero, "", constant("bias", bias)]

    is_map = node.op_type == "Conv"
    source, result = (f"{out}/last", f"{out}/product") if is_map else (node.input[0], out)
    nodes = [
        helper.make_node("QuantizeLinear", [source, scale, zero], [f"{out}/bytes"], f"{out}/bytes"),
        helper.make_node(
            "MatMulIntegerToFloat", [f"{out}/bytes", *layer], [result], f"{out}/product", domain=_KERNELS.domain
        ),
    ]
    if not is_map:
        return nodes
    last = helper.make_node("Transpose", [node.input[0]], [source], source, perm=[0, 2, 3, 1])
    first = helper.make_node("Transpose", [result], [out], out, perm=[0, 3, 1, 2])
    return [last, *nodes, first]
