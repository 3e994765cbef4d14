"""An ONNX embedder as the service has it, made ready to be read as layers. Needs no PyTorch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from app.errors import TrainingInvalid

Constants = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Step:
    """One operator: the values that it takes ("" where one is left out), the value it gives, its attributes."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in the order they run in, between one input and one output, and the constants they use."""

    input: str
    output: str
    steps: tuple[Step, ...]
    constants: Constants


def read_graph(network: bytes) -> Graph:
    """Read an ONNX network of one input; of several outputs the first counts. Raises TrainingInvalid."""
    try:
        graph = onnx.load_model_from_string(network).graph
    except DecodeError as error:
        raise TrainingInvalid(f"this is no ONNX network: {error}") from error
    constants: Constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    inputs = [each.name for each in graph.input if each.name not in constants]
    if len(inputs) != 1 or not graph.output:
        raise TrainingInvalid(f"the network has the inputs {', '.join(inputs)}; an embedder has one, and an output")
    steps = []
    for node in graph.node:
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Constant" and isinstance(attributes.get("value"), onnx.TensorProto):
            constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
        else:
            steps.append(Step(node.op_type, tuple(node.input), node.output[0], attributes))
    return _with_prelu(Graph(inputs[0], graph.output[0].name, tuple(steps), constants))


def _with_prelu(graph: Graph) -> Graph:
    """Read a*x + (1 - a)*relu(x) as the PReLU that `app.inference.conversion.prelu` wrote that way.

    Trained as two convolutions, its slopes below and above zero would part.
    """
    producers = {step.output: step for step in graph.steps}
    steps, constants = [], dict(graph.constants)
    for step in graph.steps:
        slope = _slope(step, producers, graph.constants)
        if slope is None:
            steps.append(step)
            continue
        name = f"{step.output}/slope"
        constants[name] = slope[1]
        steps.append(Step("PRelu", (slope[0], name), step.output, {}))
    used = {graph.output}
    kept = []
    for step in reversed(steps):
        if step.output in used:
            kept.append(step)
            used |= set(step.inputs)
    return Graph(graph.input, graph.output, tuple(reversed(kept)), constants)


def _slope(step: Step, producers: dict[str, Step], constants: Constants) -> tuple[str, NDArray[np.float32]] | None:
    """Return what a rewritten PReLU takes and its slopes (c, 1, 1); None for what is none."""
    if step.kind != "Add":
        return None
    parts = [producers.get(name) for name in step.inputs]
    for whole, positive in (parts, parts[::-1]):
        if whole is None or positive is None or not (_scales(whole, constants) and _scales(positive, constants)):
            continue
        relu = producers.get(positive.inputs[0])
        if relu is None or relu.kind != "Relu" or relu.inputs[0] != whole.inputs[0]:
            continue
        slope, rest = (constants[each.inputs[1]].astype(np.float32) for each in (whole, positive))
        if slope.shape == rest.shape and np.allclose(slope + rest, 1, atol=1e-6):
            return whole.inputs[0], slope.reshape(-1, 1, 1)
    return None


def _scales(step: Step, constants: Constants) -> bool:
    """Say whether this is a convolution that multiplies each channel by a number."""
    weight = constants.get(step.inputs[1]) if step.kind == "Conv" and len(step.inputs) == 2 else None
    return (
        weight is not None
        and weight.shape[1:] == (1, 1, 1)
        and step.attributes.get("group", 1) == len(weight)
        and not any(np.atleast_1d(step.attributes.get("pads", 0)))
        and all(np.atleast_1d(step.attributes.get("strides", 1)) == 1)
    )
