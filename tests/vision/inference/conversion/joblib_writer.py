"""Writer of joblib's format: a pickled list of float32 arrays, each with its values after its description."""

import struct

import lz4.frame

from app.types import Floats


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


FLOAT32 = (
    name("numpy", "dtype")
    + (text("f4") + b"\x89\x88\x87R")
    + (b"(" + number(3) + text("<") + b"NNN" + number(-1) * 2 + number(0) + b"tb")
)


def dumped(array: Floats, *, dtype: bytes = FLOAT32, order: str = "C", padding: int = 3) -> bytes:
    description = (
        (text("subclass") + name("numpy", "ndarray"))
        + (text("shape") + b"(" + b"".join(map(number, array.shape)) + b"t")
        + (text("order") + text(order))
        + (text("dtype") + dtype)
    )
    wrapper = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}(" + description + b"ub"
    return wrapper + bytes([padding]) + b"\xff" * padding + array.tobytes()


def dump(*arrays: Floats) -> bytes:
    return b"\x80\x04](" + b"".join(map(dumped, arrays)) + b"e."


def compress(pickled: bytes) -> bytes:
    return bytes(lz4.frame.compress(pickled))
