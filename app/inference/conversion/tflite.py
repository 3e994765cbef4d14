"""Reads a TFLite file (a flatbuffer, TensorFlow's `lite/schema/schema.fbs` version 3) into plain values.

Only what face networks need is read: one subgraph, its operators with their options, float constants.
"""

import math
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from app.errors import NetworkInvalid
from app.faces import Floats
from app.inference.conversion.flatbuffer import Table, root


class Kind(IntEnum):
    """The operators that are understood, numbered as `BuiltinOperator` in the schema."""

    ADD = 0
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    L2_NORMALIZATION = 11
    MUL = 18
    RELU = 19
    RESHAPE = 22
    SUB = 41
    PRELU = 54
    ABS = 101


_UNARY = {Kind.DEQUANTIZE, Kind.L2_NORMALIZATION, Kind.RELU, Kind.RESHAPE, Kind.ABS}


class Activation(IntEnum):
    """What an operator applies to its own result, numbered as `ActivationFunctionType` in the schema."""

    NONE = 0
    RELU = 1
    RELU6 = 3


class TensorType(IntEnum):
    """The constants that are read, numbered as in the schema; float16 ones become float32 on the way."""

    FLOAT32 = 0
    FLOAT16 = 1


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution slides: pairs are (height, width); `is_same` is TFLite's SAME padding, else VALID."""

    is_same: bool
    strides: tuple[int, int]
    dilations: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph: its shape (images are NHWC) and, for a float constant, its elements."""

    shape: tuple[int, ...]
    constant: Floats | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """One step; `inputs` and `output` are positions in the network's tensors, -1 an input that was left out."""

    kind: Kind
    inputs: tuple[int, ...]
    output: int
    activation: Activation = Activation.NONE
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A TFLite network with one input and one output, operators in the order in which they run."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    input: int
    output: int


def read(data: bytes) -> Network:
    """Read a TFLite file.

    Raises NetworkInvalid when it is none, is damaged, or holds an operator or option that is not understood.
    """
    if data[4:8] != b"TFL3":
        raise NetworkInvalid("this is no TFLite file")
    model = root(data)
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    buffers = [buffer.vector(0) for buffer in model.tables(4)]
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise NetworkInvalid(f"a TFLite network must have one subgraph, this one has {len(graphs)}")
    tensors = tuple(_tensor(table, buffers) for table in graphs[0].tables(0))
    operators = tuple(_operator(table, codes, len(tensors)) for table in graphs[0].tables(3))
    inputs, outputs = graphs[0].integers(1), graphs[0].integers(2)
    if len(inputs) != 1 or len(outputs) != 1 or not all(0 <= at < len(tensors) for at in inputs + outputs):
        raise NetworkInvalid("a TFLite network must have exactly one input and one output")
    return _dequantized(Network(tensors, operators, inputs[0], outputs[0]))


def _dequantized(network: Network) -> Network:
    """Fold the operators that make a float16 constant float32, which it is here already."""
    tensors, operators = list(network.tensors), []
    for operator in network.operators:
        if operator.kind is Kind.DEQUANTIZE and tensors[operator.inputs[0]].constant is not None:
            tensors[operator.output] = tensors[operator.inputs[0]]
        else:
            operators.append(operator)
    return replace(network, tensors=tuple(tensors), operators=tuple(operators))


def _tensor(table: Table, buffers: list[bytes]) -> Tensor:
    """Read a `Tensor`: shape 0, type 1, buffer 2."""
    shape, at = table.integers(0), table.number(2, "I")
    if at >= len(buffers) or any(size < 1 for size in shape):
        raise NetworkInvalid("a TFLite tensor has no valid shape or buffer")
    content, element = buffers[at], table.number(1, "b")
    if not content or element not in list(TensorType):
        return Tensor(shape)
    dtype = np.dtype("<f4" if element == TensorType.FLOAT32 else "<f2")
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise NetworkInvalid(f"a TFLite constant of shape {shape} has {len(content)} bytes")
    return Tensor(shape, np.frombuffer(content, dtype).reshape(shape).astype(np.float32))


def _operator(table: Table, codes: list[int], tensors: int) -> Operator:
    """Read an `Operator`: opcode_index 0, inputs 1, outputs 2, builtin_options 4."""
    code = table.number(0, "I")
    if code >= len(codes):
        raise NetworkInvalid("a TFLite operator has no code")
    try:
        kind = Kind(codes[code])
    except ValueError as error:
        raise NetworkInvalid(f"TFLite operator {codes[code]} is not supported") from error
    inputs, outputs = table.integers(1), table.integers(2)
    count = 1 if kind in _UNARY else 2
    is_complete = len(inputs) >= count and len(outputs) == 1 and min(inputs[:count] + outputs) >= 0
    if not is_complete or min(inputs) < -1 or max(inputs + outputs) >= tensors:
        raise NetworkInvalid(f"{kind.name} has no valid inputs or outputs")
    return Operator(kind, inputs, outputs[0], *_options(kind, table.table(4)))


def _options(kind: Kind, table: Table | None) -> tuple[Activation, Window | None]:
    """Read the options of an operator of this kind; a missing table stands for the schema's defaults."""
    if kind is Kind.CONV_2D and table:
        return _activation(table, 3), _window(table, dilation=4)
    if kind is Kind.DEPTHWISE_CONV_2D and table:
        return _activation(table, 4), _window(table, dilation=5)
    if kind is Kind.FULLY_CONNECTED and table and table.number(1, "b") != 0:
        raise NetworkInvalid("FULLY_CONNECTED with shuffled weights is not supported")
    if kind in {Kind.ADD, Kind.SUB, Kind.MUL, Kind.FULLY_CONNECTED} and table:
        return _activation(table, 0), None
    return Activation.NONE, None


def _activation(table: Table, field: int) -> Activation:
    try:
        return Activation(table.number(field, "b"))
    except ValueError as error:
        raise NetworkInvalid(f"TFLite fused activation {table.number(field, 'b')} is not supported") from error


def _window(table: Table, dilation: int) -> Window:
    """Read padding 0 (SAME 0, VALID 1), stride_w 1, stride_h 2 and the dilation factors, width first."""
    padding, strides = table.number(0, "b"), (table.number(2, "i"), table.number(1, "i"))
    dilations = (table.number(dilation + 1, "i", 1), table.number(dilation, "i", 1))
    if padding not in {0, 1} or min(strides + dilations) < 1:
        raise NetworkInvalid("a convolution has no valid padding, stride or dilation")
    return Window(is_same=padding == 0, strides=strides, dilations=dilations)
