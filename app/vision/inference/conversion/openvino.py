"""Conversion of an OpenVINO network (intermediate representation, version 11) to ONNX.

Only the operators of Open Model Zoo's `face-reidentification-retail-0095` are converted. Their meaning is that of the
operation sets in OpenVINO's documentation. OpenVINO itself is not needed: it takes 180 MB, and its converters to ONNX
need it. The manifest pins the SHA-256 of both files, so no other file is parsed.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

from app.errors import NetworkInvalid
from app.vision.inference.conversion.written import written

_TYPES: Final = {"f16": "<f2", "f32": "<f4", "i64": "<i8"}
_NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, checker.ValidationError, shape_inference.InferenceError)


Constants = dict[str, NDArray[np.generic]]


def to_onnx(description: bytes, weights: bytes) -> onnx.ModelProto:
    """Convert a network to ONNX: "input" (1, channels, height, width) to "embedding" (1, d), both float32.

    Args:
        description: The `.xml` file, with the layers and their edges.
        weights: The `.bin` file, with the constants.

    Raises:
        NetworkInvalid: If the files are not a network of the operators that this conversion knows.
    """
    try:
        net = ET.fromstring(description)  # noqa: S314 - the manifest pins its hash
        return _IrConversion(net, weights).run()
    except ET.ParseError as error:
        raise NetworkInvalid(f"the description is not XML: {error}") from error
    except _NOT_UNDERSTOOD as error:
        raise NetworkInvalid(f"the OpenVINO files are not the network that this conversion knows: {error}") from error


class _IrConversion:
    """The ONNX graph while it is written. A value goes by the id of its layer: all layers have one output."""

    def __init__(self, net: ET.Element, weights: bytes) -> None:
        self._weights = weights
        self._layers = {layer.attrib["id"]: layer for layer in net.iterfind("layers/layer")}
        self._sources: dict[str, dict[int, str]] = {}
        for edge in net.iterfind("edges/edge"):
            ports = self._sources.setdefault(edge.attrib["to-layer"], {})
            ports[int(edge.attrib["to-port"])] = edge.attrib["from-layer"]
        self._constants: Constants = {}
        self._names: dict[str, str] = {}
        self._graph = onnx.GraphProto(name="openvino")

    def run(self) -> onnx.ModelProto:
        """Write all layers, which the file lists before those that need them, and check the result."""
        for key, layer in self._layers.items():
            kind, data = layer.attrib["type"], layer.find("data")
            write = self._WRITERS.get(kind)
            if write is None:
                raise NetworkInvalid(f"the OpenVINO operator {kind} is not supported")
            write(self, key, data if data is not None else ET.Element("data"))
        if len(self._graph.input) != 1 or len(self._graph.output) != 1:
            raise NetworkInvalid("only a network with one input and one output is supported")
        return written(self._graph)

    def _parameter(self, key: str, data: ET.Element) -> None:
        self._names[key] = "input"
        shape = _numbers(data.attrib["shape"])
        self._graph.input.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, shape))

    def _constant(self, key: str, data: ET.Element) -> None:
        offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
        values = np.frombuffer(self._weights[offset : offset + size], _TYPES[data.attrib["element_type"]])
        self._constants[key] = values.reshape(_numbers(data.attrib["shape"]))

    def _convert(self, key: str, data: ET.Element) -> None:
        (source,) = self._inputs(key)
        if data.attrib["destination_type"] != "f32":
            raise NetworkInvalid("only conversions to f32 are supported")
        self._constants[key] = self._constants[source].astype(np.float32)

    def _elementwise(self, key: str, data: ET.Element) -> None:
        if data.attrib["auto_broadcast"] != "numpy":
            raise NetworkInvalid("only broadcasting as in NumPy is supported")
        operator = {"Add": "Add", "Multiply": "Mul"}[self._layers[key].attrib["type"]]
        self._node(operator, key, self._inputs(key))

    def _convolution(self, key: str, data: ET.Element) -> None:
        """Write a convolution; the kernels of a grouped one are (groups, out, in, height, width)."""
        source, kernel = self._inputs(key)
        values, groups = self._constants[kernel], 1
        if self._layers[key].attrib["type"] == "GroupConvolution":
            groups = values.shape[0]
            values = values.reshape(-1, *values.shape[2:])
        self._constants[kernel] = values
        attributes = {"strides": _numbers(data.attrib["strides"]), "dilations": _numbers(data.attrib["dilations"])}
        self._node("Conv", key, [source, kernel], group=groups, pads=_padding(data), **attributes)

    def _prelu(self, key: str, _: ET.Element) -> None:
        """Write a PReLU, which is a LeakyReLU if it has one slope: ONNX Runtime merges that with a convolution."""
        source, slope = self._inputs(key)
        (alpha,) = self._constants[slope].tolist()
        self._node("LeakyRelu", key, [source], alpha=alpha)

    def _pool(self, key: str, data: ET.Element) -> None:
        kernel, padding = _numbers(data.attrib["kernel"]), _padding(data)
        if any(padding) or data.attrib["rounding_type"] != "floor":
            raise NetworkInvalid("only pooling without padding is supported")
        strides = _numbers(data.attrib["strides"])
        self._node("AveragePool", key, self._inputs(key), kernel_shape=kernel, strides=strides)

    def _sigmoid(self, key: str, _: ET.Element) -> None:
        self._node("Sigmoid", key, self._inputs(key))

    def _result(self, key: str, _: ET.Element) -> None:
        self._names[key] = "embedding"
        (source,) = self._inputs(key)
        self._graph.node.append(helper.make_node("Flatten", [self._names[source]], ["embedding"], axis=1))
        self._graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, None]))

    _WRITERS: Final[dict[str, Callable[["_IrConversion", str, ET.Element], None]]] = {
        "Parameter": _parameter,
        "Const": _constant,
        "Convert": _convert,
        "Add": _elementwise,
        "Multiply": _elementwise,
        "Convolution": _convolution,
        "GroupConvolution": _convolution,
        "PReLU": _prelu,
        "AvgPool": _pool,
        "Sigmoid": _sigmoid,
        "Result": _result,
    }

    def _inputs(self, key: str) -> list[str]:
        return [source for _, source in sorted(self._sources[key].items())]

    def _node(self, operator: str, key: str, inputs: Iterable[str], **attributes: Any) -> None:
        """Append a node; constants become initializers when they are first used."""
        inputs = list(inputs)
        for source in inputs:
            if source not in self._names:
                self._names[source] = f"constant_{source}"
                values = np.ascontiguousarray(self._constants[source])
                self._graph.initializer.append(numpy_helper.from_array(values, self._names[source]))
        self._names[key] = f"t{key}"
        names = [self._names[source] for source in inputs]
        self._graph.node.append(helper.make_node(operator, names, [self._names[key]], **attributes))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _padding(data: ET.Element) -> list[int]:
    if data.attrib["auto_pad"] != "explicit":
        raise NetworkInvalid("only explicit padding is supported")
    return _numbers(data.attrib["pads_begin"]) + _numbers(data.attrib["pads_end"])
