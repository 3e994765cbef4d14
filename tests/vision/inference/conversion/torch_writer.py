"""Writer of the files of PyTorch before version 1.6: pickles of tensors, then their values."""

import pickle
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
FLOATS, INTEGERS = b"ctorch\nFloatStorage\n", b"ctorch\nLongStorage\n"
DICTIONARY = b"ccollections\nOrderedDict\n)R"

Tensors = Mapping[str, NDArray[np.generic]]


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key: str, array: NDArray[np.generic], strides: tuple[int, ...] | None = None, offset: int = 0) -> bytes:
    kind = FLOATS if array.dtype == np.float32 else INTEGERS
    storage = b"(" + text("storage") + kind + text(key) + text("cuda:0") + number(array.size) + b"NtQ"
    own = tuple(step // array.itemsize for step in array.strides)
    shape = numbers(array.shape) + numbers(own if strides is None else strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + shape + b"\x89" + DICTIONARY + b"tR"


def dictionary(tensors: Tensors) -> bytes:
    items = b"".join(text(name) + tensor(name, array) for name, array in tensors.items())
    versions = b"}(" + text("_metadata") + DICTIONARY + b"ub"
    return b"\x80\x02" + DICTIONARY + b"(" + items + b"u" + versions + b"."


def dump(tensors: Tensors, described: bytes | None = None, magic: int = MAGIC_NUMBER) -> bytes:
    facts = [pickle.dumps(each, 2) for each in (magic, 1001, {"little_endian": True})]
    keys = pickle.dumps(list(tensors), 2)
    values = [struct.pack("<q", array.size) + array.tobytes() for array in tensors.values()]
    return b"".join([*facts, described or dictionary(tensors), keys, *values])
