"""BatchNorm of a trained network, folded into the weights beside it: the same function with fewer steps.

At inference BatchNorm is x * a + b for each channel. After a convolution or a fully connected layer that is one with
other weights; before one it is too, unless the convolution pads: its zeros come after the BatchNorm, so there it stays.
Needs no PyTorch.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Weights = dict[str, NDArray[np.generic]]

_LINEAR = ("Conv", "Gemm")


def fold_batch_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network without the BatchNormalizations that can be folded, nor Dropout and Identity; inference only.

    The network that is given stays as it is.
    """
    graph = _Graph(model)
    graph.drop_what_does_nothing()
    for node in [each for each in graph.nodes if each.op_type == "BatchNormalization"]:
        graph.fold(node)
    return graph.model()


class _Graph:
    """A graph while nodes are taken out of it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._weights: Weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self._outputs = {each.name for each in model.graph.output}
        self.nodes = list(self._model.graph.node)

    def model(self) -> onnx.ModelProto:
        used = {name for node in self.nodes for name in node.input}
        weights = [numpy_helper.from_array(value, name) for name, value in self._weights.items() if name in used]
        source = self._model.graph
        graph = helper.make_graph(self.nodes, source.name, source.input, source.output, weights)
        return helper.make_model(graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version)

    def drop_what_does_nothing(self) -> None:
        for node in list(self.nodes):
            if node.op_type in {"Dropout", "Identity"} and node.input[0] not in self._weights:
                self._remove(node)

    def fold(self, norm: onnx.NodeProto) -> None:
        if any(name not in self._weights for name in norm.input[1:]):
            return
        gamma, beta, mean, variance = (self._weights[name].astype(np.float64) for name in norm.input[1:5])
        scale = gamma / np.sqrt(variance + _attributes(norm).get("epsilon", 1e-5))
        shift = beta - mean * scale
        before = self._producer(norm.input[0])
        if before is not None and self._is_linear(before) and len(self._consumers(before.output[0])) == 1:
            self._fold_back(before, scale, shift)
            self._remove(norm)
            return
        after = self._only_consumer(norm)
        while after is not None and self._flattens(after):
            after = self._only_consumer(after)
        if after is not None and self._is_linear(after) and not any(_attributes(after).get("pads", ())):
            self._fold_forward(after, scale, shift)
            self._remove(norm)

    def _fold_back(self, node: onnx.NodeProto, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
        """Scale and shift what a Conv or Gemm gives."""
        weight, bias = self._linear(node)
        self._set(node, weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bias * scale + shift)

    def _fold_forward(self, node: onnx.NodeProto, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
        """Scale and shift what a Conv or Gemm takes; a flattened map has several values of each channel."""
        weight, bias = self._linear(node)
        groups = _attributes(node).get("group", 1)
        width = weight.shape[1] * groups
        scale, shift = (np.repeat(each, width // len(each)) for each in (scale, shift))
        # For each row of the weights (output) the inputs of its group.
        own = np.repeat(np.arange(width).reshape(groups, -1), len(weight) // groups, axis=0)
        shape = (*own.shape, *[1] * (weight.ndim - 2))
        lifted = (weight * shift[own].reshape(shape)).reshape(len(weight), -1).sum(axis=1)
        self._set(node, weight * scale[own].reshape(shape), bias + lifted)

    def _linear(self, node: onnx.NodeProto) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (outputs, inputs, ...) and bias (outputs,)."""
        weight = self._weights[node.input[1]].astype(np.float64)
        if node.op_type == "Gemm" and not _attributes(node).get("transB", 0):
            weight = weight.T
        has_bias = len(node.input) > 2 and node.input[2]
        bias = self._weights[node.input[2]].astype(np.float64) if has_bias else np.zeros(1)
        return weight, np.broadcast_to(bias, (len(weight),))

    def _set(self, node: onnx.NodeProto, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Give a node weights of its own: another node may use those it had."""
        if node.op_type == "Gemm" and not _attributes(node).get("transB", 0):
            weight = weight.T
        for place, (part, value) in enumerate((("weight", weight), ("bias", bias)), 1):
            name = f"{node.output[0]}/{part}"
            self._weights[name] = np.ascontiguousarray(value, np.float32)
            del node.input[place:]
            node.input.append(name)

    def _is_linear(self, node: onnx.NodeProto) -> bool:
        attributes = _attributes(node)
        return (
            node.op_type in _LINEAR
            and all(name in self._weights for name in node.input[1:] if name)
            and (attributes.get("alpha", 1), attributes.get("beta", 1), attributes.get("transA", 0)) == (1, 1, 0)
            and attributes.get("auto_pad", b"NOTSET") in {b"NOTSET", b"VALID"}
        )

    def _flattens(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Flatten":
            return bool(_attributes(node).get("axis", 1) == 1)
        return node.op_type == "Reshape" and self._weights.get(node.input[1], np.zeros(0)).size == 2

    def _producer(self, name: str) -> onnx.NodeProto | None:
        return next((node for node in self.nodes if name in node.output), None)

    def _consumers(self, name: str) -> list[onnx.NodeProto | None]:
        found: list[onnx.NodeProto | None] = [node for node in self.nodes for each in node.input if each == name]
        return [*found, None] if name in self._outputs else found

    def _only_consumer(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        consumers = self._consumers(node.output[0])
        return consumers[0] if len(consumers) == 1 else None

    def _remove(self, node: onnx.NodeProto) -> None:
        """Take a node out: what used its output uses its input, or the node before gives the network's output."""
        source, target = node.input[0], node.output[0]
        if target in self._outputs:
            before = self._producer(source)
            if before is None or len(self._consumers(source)) > 1:
                return
            before.output[list(before.output).index(source)] = target
        self.nodes.remove(node)
        for each in self.nodes:
            for place, name in enumerate(each.input):
                if name == target and target not in self._outputs:
                    each.input[place] = source


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}
