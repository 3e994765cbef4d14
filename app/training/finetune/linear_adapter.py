"""Linear adapter behind an unchanged embedding network. Does not need PyTorch."""

from dataclasses import dataclass
from itertools import count

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, helper, numpy_helper

from app.errors import TrainingInvalid
from app.types import Floats

_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True)
class LinearAdapter:
    """The map v = matrix u + bias for unit embeddings u, with `matrix` (d, d) and `bias` (d,).

    The output is v times the norm of the raw feature, so that the norm still indicates the quality of a photo.
    """

    matrix: Floats
    bias: Floats

    def apply(self, features: Floats) -> Floats:
        """Apply the adapter to raw features (..., d)."""
        norms = np.maximum(np.sqrt((features * features).sum(axis=-1, keepdims=True)), _TINY)
        adapted: Floats = ((features / norms) @ self.matrix.T + self.bias) * norms
        return adapted


def append_adapter(network: bytes, adapter: LinearAdapter) -> bytes:
    """Return an embedding network with an adapter behind it as one ONNX file.

    Uses only operators that are the same in every opset. Raises TrainingInvalid if the adapter does not fit the
    network.
    """
    try:
        model = onnx.load_model_from_string(network)
    except DecodeError as error:
        raise TrainingInvalid.not_onnx(error) from error
    graph, dimension = model.graph, len(adapter.bias)
    shape = graph.output[0].type.tensor_type.shape.dim
    if len(shape) != 2 or shape[1].dim_value not in {0, dimension}:
        raise TrainingInvalid(f"the adapter is for vectors of length {dimension}; the network has another output")
    batch = shape[0].dim_param or "n"
    output = _add_nodes(graph, adapter)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, dimension]))
    try:
        checker.check_model(model)
    except checker.ValidationError as error:
        raise TrainingInvalid(f"the adapter cannot be added to the network: {error}") from error
    data: bytes = model.SerializeToString()
    return data


def _add_nodes(graph: onnx.GraphProto, adapter: LinearAdapter) -> str:
    """Add the adapter's operators behind the first output; return the name of the new output."""
    features, prefix = graph.output[0].name, _unused_prefix(graph)

    def constant(name: str, values: Floats) -> str:
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), prefix + name))
        return prefix + name

    def node(kind: str, output: str, *inputs: str) -> str:
        graph.node.append(helper.make_node(kind, list(inputs), [prefix + output], prefix + output))
        return prefix + output

    ones = constant("ones", np.ones((len(adapter.bias), 1), np.float32))
    squares = node("MatMul", "sum", node("Mul", "squares", features, features), ones)
    norms = node("Max", "norms", node("Sqrt", "root", squares), constant("least", np.array(_TINY, np.float32)))
    units = node("Div", "units", features, norms)
    moved = node("Gemm", "moved", units, constant("matrix", adapter.matrix.T), constant("bias", adapter.bias))
    return node("Mul", "embedding", moved, norms)


def _unused_prefix(graph: onnx.GraphProto) -> str:
    """Return a prefix that no value name has; the network may already contain an adapter."""
    names = [name for node in graph.node for name in node.output]
    return next(
        prefix for prefix in map("adapter{}/".format, count()) if not any(name.startswith(prefix) for name in names)
    )
