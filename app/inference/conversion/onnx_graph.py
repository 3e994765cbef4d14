"""An ONNX graph while it is written from a TFLite network: values go by their position in the TFLite file's tensors."""

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

from app.errors import NetworkInvalid
from app.faces import Floats
from app.inference.conversion.tflite import Activation, Network, Operator

_OPSET = 17
_IR_VERSION = 8


class Graph:
    """Nodes and initializers so far. Activations are NCHW; all methods raise NetworkInvalid for what cannot be."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._names = {network.input: "input"}

    def shape(self, position: int) -> tuple[int, ...]:
        """Return an activation's shape as TFLite orders it: (batch, height, width, channels) or (batch, d)."""
        shape = self._network.tensors[position].shape
        if len(shape) not in {2, 4}:
            raise NetworkInvalid(f"TFLite activations of shape {shape} are not supported")
        return shape

    def value(self, position: int) -> str:
        """Return the name of an activation that the nodes so far compute."""
        if position not in self._names:
            raise NetworkInvalid("a TFLite operator reads a value that no operator before it computes")
        return self._names[position]

    def constant(self, position: int) -> Floats | None:
        """Return a constant's elements as they are in the TFLite file, None when this is not a constant."""
        return self._network.tensors[position].constant if position >= 0 else None

    def initializer(self, name: str, values: Floats) -> str:
        """Add a constant of the ONNX graph and return its name."""
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def name(self, operator: Operator) -> str:
        """Return the name of what this operator computes."""
        return "embedding" if operator.output == self._network.output else f"t{operator.output}"

    def node(self, kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> str:
        """Add a node and return the name of what it computes."""
        node = helper.make_node(kind, inputs, [output])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return output

    def result(self, operator: Operator, kind: str, inputs: list[str], **attributes: int | list[int]) -> None:
        """Add the node that computes an operator's output, and the activation that is fused to it."""
        name = self.name(operator)
        if operator.activation is Activation.NONE:
            self.node(kind, inputs, name, **attributes)
        else:
            linear = self.node(kind, inputs, f"{name}/linear", **attributes)
            limits = {"lowest": 0, "highest": 6} if operator.activation is Activation.RELU6 else {}
            names = [self.initializer(f"{name}/{key}", np.array(at, np.float32)) for key, at in limits.items()]
            self.node("Clip" if limits else "Relu", [linear, *names], name)
        self._names[operator.output] = name

    def model(self) -> onnx.ModelProto:
        """Return the finished network.

        Every activation is declared with the shape that the TFLite file gives it, the batch left free, and ONNX's own
        shape inference has to agree with all of them.
        """
        self.value(self._network.output)
        values = {position: self._declared(position, name) for position, name in self._names.items()}
        first, last = values.pop(self._network.input), values.pop(self._network.output)
        inner = list(values.values())
        graph = helper.make_graph(self._nodes, "tflite", [first], [last], self._initializers, value_info=inner)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        try:
            checker.check_model(model, full_check=True)
        except (checker.ValidationError, shape_inference.InferenceError) as error:
            raise NetworkInvalid(f"the TFLite network makes no valid graph: {error}") from error
        return model

    def _declared(self, position: int, name: str) -> onnx.ValueInfoProto:
        _, *image, channels = self.shape(position)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, *image])
