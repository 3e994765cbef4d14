"""Conversion of MobileFaceNet from TFLite to ONNX, with the schema package `tflite`.

Only the operators of that network are converted: convolutions, sums, the final reshape, and PReLU, which TensorFlow 1
writes as five operators. The manifest pins the SHA-256 of the file, so no other file is converted.
"""

import struct
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

from app.errors import ArchiveUnavailable, NetworkInvalid
from app.types import Floats
from app.vision.inference.conversion.written import written

_NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, struct.error, checker.ValidationError)


def to_onnx(data: bytes) -> onnx.ModelProto:
    """Convert the TFLite network to ONNX: "input" (n, channels, height, width) to "embedding" (n, d), both float32.

    Raises ArchiveUnavailable if the schema package is not installed, NetworkInvalid if the bytes are another network.
    """
    try:
        import tflite  # noqa: PLC0415 - needed by this conversion alone
    except ImportError as error:
        raise ArchiveUnavailable("this pack is a TFLite file, and reading it needs: pip install tflite") from error
    if data[4:8] != b"TFL3":
        raise NetworkInvalid("this is not a TFLite file")
    try:
        return _Conversion(tflite, data).run()
    except (*_NOT_UNDERSTOOD, shape_inference.InferenceError) as error:
        raise NetworkInvalid(f"the TFLite file is not the network that this conversion knows: {error}") from error


class _Conversion:
    """The ONNX graph while it is written. Values go by their position among the tensors of the TFLite file."""

    def __init__(self, schema: ModuleType, data: bytes) -> None:
        self._schema = schema
        self._model = schema.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        (self._input,), (self._output,) = self._graph.InputsAsNumpy().tolist(), self._graph.OutputsAsNumpy().tolist()
        self._names = {self._input: "input"}  # of the values that the nodes so far compute
        self._argument: dict[int, int] = {}  # of relu(x), |x| and x - |x|: the position of x
        self._slopes: dict[int, Floats] = {}  # of c * (x - |x|): 2 * c
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def run(self) -> onnx.ModelProto:
        """Write all operators; ONNX's shape inference must agree with the shapes in the TFLite file."""
        for number in range(self._graph.OperatorsLength()):
            self._write(self._graph.Operators(number))
        values = {position: self._declaration(position) for position in self._names}
        ends = [values.pop(self._input)], [values.pop(self._output)]
        graph = helper.make_graph(self._nodes, "tflite", *ends, self._initializers, value_info=list(values.values()))
        return written(graph)

    def _write(self, operator: Any) -> None:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        kind = self._schema.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        inputs, (output,) = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
        match kind:
            case "CONV_2D" | "DEPTHWISE_CONV_2D":
                self._convolve(kind, operator.BuiltinOptions(), inputs, output)
            case "RELU" | "ABS":
                self._argument[output] = inputs[0]
            case "SUB" if self._argument[inputs[1]] == inputs[0]:
                self._argument[output] = inputs[0]
            case "MUL":
                self._argument[output] = self._argument[inputs[1]]
                self._slopes[output] = 2 * self._constant(inputs[0])
            case "ADD" if inputs[1] in self._slopes and self._argument[inputs[0]] == self._argument[inputs[1]]:
                slope = self._slopes[inputs[1]].reshape(-1, 1, 1)
                self._node("PRelu", output, [self._argument[inputs[0]]], {"slope": slope})
            case "ADD":
                self._node("Add", output, inputs, {})
            case "RESHAPE" if self._shape(inputs[0])[1:3] == (1, 1):
                self._node("Flatten", output, inputs[:1], {}, axis=1)
            case _:
                raise NetworkInvalid(f"the TFLite operator {kind} is not supported at this place")

    def _convolve(self, kind: str, table: Any, inputs: list[int], output: int) -> None:
        """Write a convolution; weights are (out, height, width, in), or (1, height, width, out) if it is depthwise."""
        is_depthwise = kind == "DEPTHWISE_CONV_2D"
        options = self._schema.DepthwiseConv2DOptions() if is_depthwise else self._schema.Conv2DOptions()
        options.Init(table.Bytes, table.Pos)
        if options.FusedActivationFunction() or (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise NetworkInvalid("a TFLite convolution with an activation or a dilation is not supported")
        kernel = self._constant(inputs[1]).transpose((3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2))
        shape, strides = self._shape(inputs[0]), [options.StrideH(), options.StrideW()]
        is_same = options.Padding() == self._schema.Padding.SAME
        pads = [
            _same_padding(*axis) if is_same else (0, 0)
            for axis in zip(shape[1:3], kernel.shape[2:], strides, strict=True)
        ]
        self._node(
            "Conv",
            output,
            inputs[:1],
            {"weights": kernel, "bias": self._constant(inputs[2])},
            group=shape[3] if is_depthwise else 1,
            strides=strides,
            pads=[before for before, _ in pads] + [after for _, after in pads],
        )

    def _node(
        self, kind: str, output: int, inputs: list[int], constants: dict[str, Floats], **attributes: int | list[int]
    ) -> None:
        name = "embedding" if output == self._output else f"t{output}"
        sources = [self._names[position] for position in inputs]
        for part, values in constants.items():
            sources.append(f"{name}/{part}")
            self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), sources[-1]))
        node = helper.make_node(kind, sources, [name])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        self._names[output] = name

    def _shape(self, position: int) -> tuple[int, ...]:
        return tuple(self._graph.Tensors(position).ShapeAsNumpy().tolist())

    def _constant(self, position: int) -> Floats:
        content: Floats = self._model.Buffers(self._graph.Tensors(position).Buffer()).DataAsNumpy().view("<f4")
        return content.reshape(self._shape(position))

    def _declaration(self, position: int) -> onnx.ValueInfoProto:
        """Declare a value with the shape of the TFLite file, channels first and the batch free."""
        _, *image, channels = self._shape(position)
        return helper.make_tensor_value_info(self._names[position], TensorProto.FLOAT, ["n", channels, *image])


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TFLite's padding before and after one axis; the odd pixel comes after."""
    padding = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return padding // 2, padding - padding // 2
