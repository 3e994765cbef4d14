"""Fusion of embedding networks into one, whose cosine is the weighted sum of theirs.

For weights w that sum to 1, the vector (sqrt(w1) * u1, sqrt(w2) * u2, ...) of unit vectors u has length 1, and the
cosine of two fused vectors is w1 * cos1 + w2 * cos2 + ... (score-level fusion by a weighted sum: Ross and Jain,
"Information fusion in biometrics", Pattern Recognition Letters 2003). One network with one vector needs nothing of
searches, storage, batching and migration that a single network does not need.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, compose, helper, numpy_helper, shape_inference, version_converter

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.templates import TEMPLATES, FaceTemplate, upright_transform

_CROP = TEMPLATES["arcface-112"]
_OPSET = 21
_IR_VERSION = 10
_SHORTEST = np.array(1e-12, np.float32)  # feature length that is divided by


@dataclass(frozen=True, slots=True)
class Branch:
    """An ONNX network to fuse, with pixels 0..255 as input; `template` is that of its crops."""

    network: bytes
    weight: float
    is_bgr: bool = False
    template: FaceTemplate = _CROP


def fuse(branches: Sequence[Branch]) -> bytes:
    """Return the network of aligned crops (n, 3, 112, 112), RGB, 0..255, to fused features (n, d).

    A branch with another template gets the part of the crop that its template shows. The fused feature has the length
    of the first branch's, which indicates the quality of the face.

    Raises:
        NetworkInvalid: If a branch is not a network with one input and one output.
    """
    try:
        fused: bytes = _fused(branches).SerializeToString()
    except (
        DecodeError,
        checker.ValidationError,
        shape_inference.InferenceError,
        version_converter.ConvertError,
    ) as error:
        raise NetworkInvalid(f"the networks cannot be fused: {error}") from error
    return fused


def _fused(branches: Sequence[Branch]) -> onnx.ModelProto:
    graph = onnx.GraphProto(name="fused")
    graph.input.append(helper.make_tensor_value_info("crop", TensorProto.FLOAT, ["n", 3, _CROP.side, _CROP.side]))
    _constant(graph, "shortest", _SHORTEST)
    _constant(graph, "features", np.array([1], np.int64))
    parts = [_add(graph, branch, f"network_{number}/") for number, branch in enumerate(branches)]
    _node(graph, "Concat", parts, "direction", axis=1)
    _node(graph, "Mul", ["direction", "network_0/length"], "embedding")
    graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", None]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    checker.check_model(model, full_check=True)
    return shape_inference.infer_shapes(model, data_prop=True)


def _add(graph: onnx.GraphProto, branch: Branch, prefix: str) -> str:
    """Append a network between its preparation of the crop and its weighted unit vector; return that value's name."""
    model = version_converter.convert_version(onnx.load_model_from_string(branch.network), _OPSET)
    network = compose.add_prefix(model, prefix).graph
    inputs = [value for value in network.input if value.name not in {tensor.name for tensor in network.initializer}]
    if len(inputs) != 1 or len(network.output) != 1:
        raise NetworkInvalid("only networks with one input and one output can be fused")
    prepared = _prepare(graph, branch, prefix)
    _node(graph, "Identity", [prepared], inputs[0].name)
    graph.node.extend(network.node)
    graph.initializer.extend(network.initializer)
    feature = network.output[0].name
    _node(graph, "ReduceL2", [feature, "features"], f"{prefix}length")
    _node(graph, "Max", [f"{prefix}length", "shortest"], f"{prefix}divisor")
    _node(graph, "Div", [feature, f"{prefix}divisor"], f"{prefix}unit")
    _constant(graph, f"{prefix}weight", np.array(np.sqrt(branch.weight), np.float32))
    _node(graph, "Mul", [f"{prefix}unit", f"{prefix}weight"], f"{prefix}part")
    return f"{prefix}part"


def _prepare(graph: onnx.GraphProto, branch: Branch, prefix: str) -> str:
    """Append the change of colour order and the cut of a crop; return the name of the result."""
    value = "crop"
    if branch.is_bgr:
        _constant(graph, f"{prefix}order", np.array([2, 1, 0], np.int64))
        _node(graph, "Gather", [value, f"{prefix}order"], f"{prefix}bgr", axis=1)
        value = f"{prefix}bgr"
    if branch.template is _CROP:
        return value
    scale, (right, down) = upright_transform(_CROP.landmarks, branch.template.landmarks)
    _constant(graph, f"{prefix}rows", _interpolation(branch.template.side, scale, down))
    _constant(graph, f"{prefix}columns", _interpolation(branch.template.side, scale, right).T)
    _node(graph, "MatMul", [f"{prefix}rows", value], f"{prefix}stretched")
    _node(graph, "MatMul", [f"{prefix}stretched", f"{prefix}columns"], f"{prefix}cut")
    return f"{prefix}cut"


def _interpolation(side: int, scale: float, offset: float) -> Floats:
    """Return the matrix (side, 112) of linear interpolation along one axis; the edge is repeated beyond the crop."""
    places = np.clip((np.arange(side) - offset) / scale, 0, _CROP.side - 1)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(_CROP.side)))
    return np.ascontiguousarray(weights, np.float32)


def _constant(graph: onnx.GraphProto, name: str, values: Floats) -> None:
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))


def _node(graph: onnx.GraphProto, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
    graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
