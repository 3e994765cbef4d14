"""Reading of an ONNX embedding network as a list of operators. Does not need PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from app.errors import TrainingInvalid

Constants = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """An operator: its input values ("" for an omitted one), output value and attributes."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NetworkGraph:
    """Operators in execution order between one input and one output, and their constants."""

    input: str
    output: str
    nodes: tuple[GraphNode, ...]
    constants: Constants


def read_graph(network: bytes) -> NetworkGraph:
    """Read an ONNX network with one input; only its first output is used.

    Raises TrainingInvalid if the bytes are another kind of file, or if it has several inputs.
    """
    try:
        graph = onnx.load_model_from_string(network).graph
    except DecodeError as error:
        raise TrainingInvalid.not_onnx(error) from error
    constants: Constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or not graph.output:
        raise TrainingInvalid(
            f"an embedding network has one input and an output; this one has the inputs {', '.join(inputs)}"
        )
    nodes = []
    for node in graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Constant" and isinstance(attributes.get("value"), onnx.TensorProto):
            constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
        else:
            nodes.append(GraphNode(node.op_type, tuple(node.input), node.output[0], attributes))
    return _restore_prelu(NetworkGraph(inputs[0], graph.output[0].name, tuple(nodes), constants))


def _restore_prelu(graph: NetworkGraph) -> NetworkGraph:
    """Convert a*x + (1 - a)*relu(x), which `app.vision.inference.conversion.prelu` writes, back to a PReLU.

    Two separately trained convolutions would lose the relation between the slopes below and above zero.
    """
    producers = {node.output: node for node in graph.nodes}
    nodes, constants = [], dict(graph.constants)
    for node in graph.nodes:
        prelu = _match_prelu(node, producers, graph.constants)
        if prelu is None:
            nodes.append(node)
            continue
        name = f"{node.output}/slope"
        source, constants[name] = prelu
        nodes.append(GraphNode("PRelu", (source, name), node.output, {}))
    return _without_unused(NetworkGraph(graph.input, graph.output, tuple(nodes), constants))


def skip_layers(graph: NetworkGraph, skip: Mapping[str, str]) -> NetworkGraph:
    """Leave out the layers between two values: users of the later value get the earlier one.

    Args:
        graph: A network.
        skip: Earlier value -> later value, as the network names them.

    Raises:
        TrainingInvalid: If the network has no value of a name, or if a pair is in the wrong order.
    """
    places = {graph.input: -1, **{node.output: place for place, node in enumerate(graph.nodes)}}
    for first, last in skip.items():
        if unknown := [name for name in (first, last) if name not in places]:
            raise TrainingInvalid(f"the network has no value {unknown[0]!r}; its last one is {graph.nodes[-1].output}")
        if places[first] >= places[last]:
            raise TrainingInvalid(f"the value {first!r} does not come before {last!r}")
    earlier = {last: first for first, last in skip.items()}
    nodes = [replace(node, inputs=tuple(earlier.get(name, name) for name in node.inputs)) for node in graph.nodes]
    return _without_unused(replace(graph, nodes=tuple(nodes)))


def _without_unused(graph: NetworkGraph) -> NetworkGraph:
    used_names = {graph.output}
    used_nodes = []
    for node in reversed(graph.nodes):
        if node.output in used_names:
            used_nodes.append(node)
            used_names |= set(node.inputs)
    return replace(graph, nodes=tuple(reversed(used_nodes)))


def _match_prelu(
    node: GraphNode, producers: dict[str, GraphNode], constants: Constants
) -> tuple[str, NDArray[np.float32]] | None:
    """Return the input and the slopes (c, 1, 1) of a rewritten PReLU; None if the node is not one."""
    if node.operator != "Add":
        return None
    summands = [producers.get(name) for name in node.inputs]
    for linear, positive in (summands, summands[::-1]):
        if (
            linear is None
            or positive is None
            or not (_is_channel_scale(linear, constants) and _is_channel_scale(positive, constants))
        ):
            continue
        relu = producers.get(positive.inputs[0])
        if relu is None or relu.operator != "Relu" or relu.inputs[0] != linear.inputs[0]:
            continue
        slope, positive_slope = (constants[scale.inputs[1]].astype(np.float32) for scale in (linear, positive))
        if slope.shape == positive_slope.shape and np.allclose(slope + positive_slope, 1, atol=1e-6):
            return linear.inputs[0], slope.reshape(-1, 1, 1)
    return None


def _is_channel_scale(node: GraphNode, constants: Constants) -> bool:
    """Return whether the node is a convolution that only scales each channel."""
    weight = constants.get(node.inputs[1]) if node.operator == "Conv" and len(node.inputs) == 2 else None
    return (
        weight is not None
        and weight.shape[1:] == (1, 1, 1)
        and node.attributes.get("group", 1) == len(weight)
        and not any(np.atleast_1d(node.attributes.get("pads", 0)))
        and all(np.atleast_1d(node.attributes.get("strides", 1)) == 1)
    )
