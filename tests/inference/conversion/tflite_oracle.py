"""A TFLite interpreter in float64 NumPy, one plain statement for each operator: what a conversion has to agree with.

It shares nothing with the conversion: the file is read with the `flatbuffers` package, images stay NHWC, and no
operator is put together with another one.
"""

from collections.abc import Callable, Iterator

import numpy as np
from flatbuffers import number_types  # type: ignore[import-untyped] # has neither types nor stubs
from flatbuffers.table import Table  # type: ignore[import-untyped] # has neither types nor stubs
from numpy.typing import NDArray

Array = NDArray[np.float64]


def run(data: bytes, image: Array) -> Array:
    """Run the network on images (n, height, width, channels) and return its output."""
    model = Table(bytearray(data), int.from_bytes(data[:4], "little"))
    codes = [max(number(code, 0, "Int8"), number(code, 3, "Int32")) for code in tables(model, 1)]
    graph, buffers = tables(model, 2)[0], tables(model, 4)
    values = {integers(graph, 1)[0]: image}
    for position, tensor in enumerate(tables(graph, 0)):
        content = vector(buffers[number(tensor, 2, "Uint32")], 0, "u1").tobytes()
        if content:
            dtype = {0: "<f4", 1: "<f2", 2: "<i4"}[number(tensor, 1, "Int8")]
            values[position] = np.frombuffer(content, dtype).reshape(integers(tensor, 0)).astype(np.float64)
    for operator in tables(graph, 3):
        inputs = [values[at] if at >= 0 else None for at in integers(operator, 1)]
        output, code = integers(operator, 2)[0], codes[number(operator, 0, "Uint32")]
        values[output] = OPERATORS[code](child(operator, 4), *inputs)
    return values[integers(graph, 2)[0]]


def add(options: Table, x: Array, y: Array) -> Array:
    return activated(x + y, number(options, 0, "Int8"))


def subtract(options: Table, x: Array, y: Array) -> Array:
    return activated(x - y, number(options, 0, "Int8"))


def multiply(options: Table, x: Array, y: Array) -> Array:
    return activated(x * y, number(options, 0, "Int8"))


def connect(options: Table, x: Array, weights: Array, bias: Array | None = None) -> Array:
    total: Array = x.reshape(len(x), -1) @ weights.T
    return activated(total if bias is None else total + bias, number(options, 0, "Int8"))


def reshape(_options: Table, x: Array, shape: Array) -> Array:
    """The shape's first number is the batch that the file was made for; the images' own takes its place."""
    result: Array = x.reshape(len(x), *shape.astype(int)[1:])
    return result


def prelu(_options: Table, x: Array, slope: Array) -> Array:
    return np.where(x < 0, x * slope, x)


def rectify(_options: Table, x: Array) -> Array:
    return np.maximum(x, 0)


def absolute(_options: Table, x: Array) -> Array:
    return np.abs(x)


def normalise(_options: Table, x: Array) -> Array:
    result: Array = x / np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return result


def dequantise(_options: Table, x: Array) -> Array:
    return x


def activated(x: Array, function: int) -> Array:
    return {0: x, 1: np.maximum(x, 0), 3: np.clip(x, 0, 6)}[function]


def convolve(options: Table, x: Array, weights: Array, bias: Array | None = None) -> Array:
    """Weights (out, height, width, in): for each place of the kernel, the pixels below it times its matrix."""
    total = np.zeros(1)
    for (row, column), patch in pixels(x, weights.shape[1:3], options, dilation=4):
        total = total + patch @ weights[:, row, column].T
    return activated(total if bias is None else total + bias, number(options, 3, "Int8"))


def convolve_depthwise(options: Table, x: Array, weights: Array, bias: Array | None = None) -> Array:
    """Weights (1, height, width, in * m): output channel c * m + k is made of input channel c."""
    repeated = np.repeat(x, weights.shape[3] // x.shape[3], axis=3)
    total = np.zeros(1)
    for (row, column), patch in pixels(repeated, weights.shape[1:3], options, dilation=5):
        total = total + patch * weights[0, row, column]
    return activated(total if bias is None else total + bias, number(options, 4, "Int8"))


def pixels(x: Array, kernel: tuple[int, ...], options: Table, dilation: int) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yield, for each place of the kernel, what lies below it as it slides over the image."""
    is_same = number(options, 0, "Int8") == 0
    strides = number(options, 2, "Int32"), number(options, 1, "Int32")
    dilations = number(options, dilation + 1, "Int32", 1), number(options, dilation, "Int32", 1)
    outputs, pads = [], []
    for size, places, stride, step in zip(x.shape[1:3], kernel, strides, dilations, strict=True):
        span = (places - 1) * step + 1
        count = int(np.ceil(size / stride)) if is_same else (size - span) // stride + 1
        missing = max((count - 1) * stride + span - size, 0) if is_same else 0
        outputs.append(count)
        pads.append((missing // 2, missing - missing // 2))
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    for row, column in np.ndindex(*kernel):
        rows = row * dilations[0] + strides[0] * np.arange(outputs[0])
        columns = column * dilations[1] + strides[1] * np.arange(outputs[1])
        yield (row, column), padded[:, rows[:, None], columns]


OPERATORS: dict[int, Callable[..., Array]] = {
    0: add,
    3: convolve,
    4: convolve_depthwise,
    6: dequantise,
    9: connect,
    11: normalise,
    18: multiply,
    19: rectify,
    22: reshape,
    41: subtract,
    54: prelu,
    101: absolute,
}
"""Numbered as `BuiltinOperator` in the schema."""


def number(table: Table, field: int, form: str, default: int = 0) -> int:
    offset = table.Offset(4 + 2 * field)
    return int(table.Get(getattr(number_types, f"{form}Flags"), table.Pos + offset)) if offset else default


def child(table: Table, field: int) -> Table | None:
    offset = table.Offset(4 + 2 * field)
    return Table(table.Bytes, table.Indirect(table.Pos + offset)) if offset else None


def vector(table: Table, field: int, dtype: str) -> NDArray[np.generic]:
    offset = table.Offset(4 + 2 * field)
    return np.frombuffer(table.Bytes, dtype, table.VectorLen(offset), table.Vector(offset)) if offset else np.zeros(0)


def integers(table: Table, field: int) -> list[int]:
    return [int(value) for value in vector(table, field, "<i4").tolist()]


def tables(table: Table, field: int) -> list[Table]:
    offset = table.Offset(4 + 2 * field)
    first, count = (table.Vector(offset), table.VectorLen(offset)) if offset else (0, 0)
    return [Table(table.Bytes, table.Indirect(first + 4 * position)) for position in range(count)]
