"""Writes tiny TFLite files; field numbers and enumerations are those of TensorFlow's `lite/schema/schema.fbs`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from flatbuffers import Builder  # type: ignore[import-untyped] # has neither types nor stubs
from numpy.typing import NDArray

Array = NDArray[np.generic]
Fields = Mapping[int, tuple[str, int]]
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2}


class Code(IntEnum):
    ADD = 0
    AVERAGE_POOL_2D = 1
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


@dataclass
class TinyNetwork:
    """Tensors and operators in the order in which they are added; tensor 0 is the input, the last one the output."""

    shape: tuple[int, ...]
    tensors: list[tuple[tuple[int, ...], Array | None]] = field(default_factory=list)
    operators: list[tuple[int, list[int], int, Fields]] = field(default_factory=list)

    def __post_init__(self):
        self.tensors.append((self.shape, None))

    def constant(self, values: Array) -> int:
        self.tensors.append((values.shape, values))
        return len(self.tensors) - 1

    def add(self, code: int, inputs: list[int], shape: tuple[int, ...], options: Fields | None = None) -> int:
        """Add an operator that gives an activation of this shape; options: field number -> (b or i, value)."""
        self.tensors.append((shape, None))
        self.operators.append((code, inputs, len(self.tensors) - 1, options or {}))
        return len(self.tensors) - 1

    def flatten(self, source: int) -> int:
        batch, *image = self.tensors[source][0]
        shape = (batch, int(np.prod(image)))
        return self.add(Code.RESHAPE, [source, self.constant(np.array(shape, np.int32))], shape)

    def data(self) -> bytes:
        builder = Builder(1024)
        codes = sorted({code for code, *_ in self.operators})
        graph = _table(
            builder,
            {
                0: ("o", _tables(builder, [self._tensor(builder, at) for at in range(len(self.tensors))])),
                1: ("o", _integers(builder, [0])),
                2: ("o", _integers(builder, [self.operators[-1][2]])),
                3: ("o", _tables(builder, [_operator(builder, codes, operator) for operator in self.operators])),
            },
        )
        contents = [b"", *(b"" if values is None else values.tobytes() for _, values in self.tensors)]
        buffers = [_table(builder, {0: ("o", builder.CreateByteVector(content))}) for content in contents]
        numbered = [_table(builder, {0: ("b", code), 3: ("i", code)}) for code in codes]
        model = {1: _tables(builder, numbered), 2: _tables(builder, [graph]), 4: _tables(builder, buffers)}
        root = _table(builder, {0: ("i", 3)} | {at: ("o", offset) for at, offset in model.items()})
        builder.Finish(root, file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _tensor(self, builder: Builder, at: int) -> int:
        shape, values = self.tensors[at]
        kind = 0 if values is None else _TYPES[values.dtype]
        return _table(builder, {0: ("o", _integers(builder, shape)), 1: ("b", kind), 2: ("i", at + 1)})


def _operator(builder: Builder, codes: list[int], operator: tuple[int, list[int], int, Fields]) -> int:
    code, inputs, output, options = operator
    ends = {1: ("o", _integers(builder, inputs)), 2: ("o", _integers(builder, [output]))}
    return _table(builder, {0: ("i", codes.index(code)), **ends, 4: ("o", _table(builder, options))})


def _table(builder: Builder, fields: Fields) -> int:
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (form, value) in fields.items():
        add = {"b": builder.PrependInt8Slot, "i": builder.PrependInt32Slot, "o": builder.PrependUOffsetTRelativeSlot}
        add[form](slot, value, 0)
    return int(builder.EndObject())


def _tables(builder: Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _integers(builder: Builder, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, np.int32)))
