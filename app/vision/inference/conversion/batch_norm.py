"""Folding of BatchNorm into the weights of a neighbouring layer: the same function with fewer operations.

At inference, BatchNorm is x * a + b for each channel. It can be folded into a preceding convolution or fully connected
layer, or into a following one without padding: padding inserts zeros after the BatchNorm.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Weights = dict[str, NDArray[np.generic]]

_LINEAR = ("Conv", "Gemm")


def fold_batch_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network for inference with BatchNormalization folded where possible, and without Dropout and Identity.

    The given network is not modified.
    """
    graph = _Graph(model)
    graph.drop_identities()
    for node in [node for node in graph.nodes if node.op_type == "BatchNormalization"]:
        graph.fold(node)
    return graph.model()


class _Graph:
    """An ONNX graph whose nodes can be folded and removed."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._weights: Weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._outputs = {output.name for output in model.graph.output}
        self.nodes = list(self._model.graph.node)

    def model(self) -> onnx.ModelProto:
        used = {name for node in self.nodes for name in node.input}
        weights = [numpy_helper.from_array(value, name) for name, value in self._weights.items() if name in used]
        source = self._model.graph
        graph = helper.make_graph(self.nodes, source.name, source.input, source.output, weights)
        return helper.make_model(graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version)

    def drop_identities(self) -> None:
        for node in list(self.nodes):
            if node.op_type in {"Dropout", "Identity"} and node.input[0] not in self._weights:
                self._remove(node)
            elif node.op_type == "Identity" and node.output[0] not in self._outputs:
                self._weights[node.output[0]] = self._weights[node.input[0]]
                self.nodes.remove(node)

    def fold(self, norm: onnx.NodeProto) -> None:
        if any(name not in self._weights for name in norm.input[1:]):
            return
        gamma, beta, mean, variance = (self._weights[name].astype(np.float64) for name in norm.input[1:5])
        scale = gamma / np.sqrt(variance + _attributes(norm).get("epsilon", 1e-5))
        shift = beta - mean * scale
        producer = self._producer(norm.input[0])
        if producer is not None and self._is_linear(producer) and len(self._consumers(producer.output[0])) == 1:
            self._fold_back(producer, scale, shift)
            self._remove(norm)
            return
        consumer = self._only_consumer(norm)
        while consumer is not None and self._is_flatten(consumer):
            consumer = self._only_consumer(consumer)
        if consumer is not None and self._is_linear(consumer) and not any(_attributes(consumer).get("pads", ())):
            self._fold_forward(consumer, scale, shift)
            self._remove(norm)

    def _fold_back(self, node: onnx.NodeProto, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
        """Apply scale and shift to the output of a Conv or Gemm."""
        weight, bias = self._linear(node)
        self._set(node, weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bias * scale + shift)

    def _fold_forward(self, node: onnx.NodeProto, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
        """Apply scale and shift to the input of a Conv or Gemm; a flattened map has several values per channel."""
        weight, bias = self._linear(node)
        groups = _attributes(node).get("group", 1)
        width = weight.shape[1] * groups
        scale, shift = (np.repeat(values, width // len(values)) for values in (scale, shift))
        # The input channels of the group of each output channel.
        group_inputs = np.repeat(np.arange(width).reshape(groups, -1), len(weight) // groups, axis=0)
        shape = (*group_inputs.shape, *[1] * (weight.ndim - 2))
        offset = (weight * shift[group_inputs].reshape(shape)).reshape(len(weight), -1).sum(axis=1)
        self._set(node, weight * scale[group_inputs].reshape(shape), bias + offset)

    def _linear(self, node: onnx.NodeProto) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (outputs, inputs, ...) and bias (outputs,)."""
        weight = self._weights[node.input[1]].astype(np.float64)
        if node.op_type == "Gemm" and not _attributes(node).get("transB", 0):
            weight = weight.T
        has_bias = len(node.input) > 2 and node.input[2]
        bias = self._weights[node.input[2]].astype(np.float64) if has_bias else np.zeros(1)
        return weight, np.broadcast_to(bias, (len(weight),))

    def _set(self, node: onnx.NodeProto, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Set new weights of a node. The old ones stay, because another node may share them."""
        if node.op_type == "Gemm" and not _attributes(node).get("transB", 0):
            weight = weight.T
        for index, (part, value) in enumerate((("weight", weight), ("bias", bias)), 1):
            name = f"{node.output[0]}/{part}"
            self._weights[name] = np.ascontiguousarray(value, np.float32)
            del node.input[index:]
            node.input.append(name)

    def _is_linear(self, node: onnx.NodeProto) -> bool:
        attributes = _attributes(node)
        return (
            node.op_type in _LINEAR
            and all(name in self._weights for name in node.input[1:] if name)
            and (attributes.get("alpha", 1), attributes.get("beta", 1), attributes.get("transA", 0)) == (1, 1, 0)
            and attributes.get("auto_pad", b"NOTSET") in {b"NOTSET", b"VALID"}
        )

    def _is_flatten(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Flatten":
            return bool(_attributes(node).get("axis", 1) == 1)
        return node.op_type == "Reshape" and self._weights.get(node.input[1], np.zeros(0)).size == 2

    def _producer(self, name: str) -> onnx.NodeProto | None:
        return next((node for node in self.nodes if name in node.output), None)

    def _consumers(self, name: str) -> list[onnx.NodeProto | None]:
        consumers: list[onnx.NodeProto | None] = [
            node for node in self.nodes for source in node.input if source == name
        ]
        return [*consumers, None] if name in self._outputs else consumers

    def _only_consumer(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        consumers = self._consumers(node.output[0])
        return consumers[0] if len(consumers) == 1 else None

    def _remove(self, node: onnx.NodeProto) -> None:
        """Remove a node: connect its consumers, or the output of the network, to its input."""
        source, target = node.input[0], node.output[0]
        if target in self._outputs:
            producer = self._producer(source)
            if producer is None or len(self._consumers(source)) > 1:
                return
            producer.output[list(producer.output).index(source)] = target
        self.nodes.remove(node)
        for other in self.nodes:
            for index, name in enumerate(other.input):
                if name == target and target not in self._outputs:
                    other.input[index] = source


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
