"""An adapter: what is done to the embeddings of a network that stays as it is. Needs no PyTorch."""

from dataclasses import dataclass
from itertools import count

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, helper, numpy_helper

from app.errors import TrainingInvalid
from app.faces import Floats

_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True)
class Adaptation:
    """v = matrix u + bias for an embedding u of length 1; `matrix` (d, d), `bias` (d,).

    What comes out is as long as v times what the feature was: the length of features goes on to tell good photos from
    poor ones.
    """

    matrix: Floats
    bias: Floats

    def apply(self, features: Floats) -> Floats:
        """Adapt raw features (..., d)."""
        norms = np.maximum(np.sqrt((features * features).sum(axis=-1, keepdims=True)), _TINY)
        adapted: Floats = ((features / norms) @ self.matrix.T + self.bias) * norms
        return adapted


def merged(network: bytes, adaptation: Adaptation) -> bytes:
    """Return an embedding network and its adapter as one ONNX file, with the network's input; raises TrainingInvalid.

    Only operators that every opset knows in the same form.
    """
    try:
        model = onnx.load_model_from_string(network)
    except DecodeError as error:
        raise TrainingInvalid(f"this is no ONNX network: {error}") from error
    graph, dimension = model.graph, len(adaptation.bias)
    features = graph.output[0].name
    shape = graph.output[0].type.tensor_type.shape.dim
    if len(shape) != 2 or shape[1].dim_value not in {0, dimension}:
        raise TrainingInvalid(f"the adapter is for vectors of {dimension}; the network gives others")
    prefix = _unused_prefix(graph)

    def constant(name: str, values: Floats) -> str:
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), prefix + name))
        return prefix + name

    def node(kind: str, output: str, *inputs: str) -> str:
        graph.node.append(helper.make_node(kind, list(inputs), [prefix + output], prefix + output))
        return prefix + output

    squares = node(
        "MatMul",
        "sum",
        node("Mul", "squares", features, features),
        constant("ones", np.ones((dimension, 1), np.float32)),
    )
    norms = node("Max", "norms", node("Sqrt", "root", squares), constant("least", np.array(_TINY, np.float32)))
    units = node("Div", "units", features, norms)
    moved = node("Gemm", "moved", units, constant("matrix", adaptation.matrix.T), constant("bias", adaptation.bias))
    output = node("Mul", "embedding", moved, norms)
    batch = shape[0].dim_param or "n"
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, dimension]))
    try:
        checker.check_model(model)
    except checker.ValidationError as error:
        raise TrainingInvalid(f"the network takes no adapter: {error}") from error
    data: bytes = model.SerializeToString()
    return data


def _unused_prefix(graph: onnx.GraphProto) -> str:
    """Return a beginning that no value's name has: the network may have an adapter already."""
    names = [name for node in graph.node for name in node.output]
    return next(
        prefix for prefix in map("adapter{}/".format, count()) if not any(name.startswith(prefix) for name in names)
    )
