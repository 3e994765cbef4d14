"""Float32 arrays out of what joblib dumped in an LZ4 frame, without unpickling anything.

Such a dump is a pickled list whose arrays stand as raw bytes behind the pickled description of each. `_Reader` follows
the few data opcodes that such a list needs, a name stays a mere string, and all else is refused, so a hostile file can
run nothing.
"""

import io
import pickletools
from typing import Any

import lz4.frame
import numpy as np

from app.errors import NetworkInvalid
from app.faces import Floats

LARGEST_PICKLE = 8 << 20  # bytes; the largest of the three has 1.6 MB

_WRAPPER, _ARRAY, _DTYPE = ("joblib.numpy_pickle", "NumpyArrayWrapper"), ("numpy", "ndarray"), ("numpy", "dtype")
_FLOAT32 = ("f4", False, True)
_LITTLE_ENDIAN = (3, "<", None, None, None, -1, -1, 0)
_LITERALS = {"BININT", "BININT1", "BININT2", "SHORT_BINUNICODE"}
_CONSTANTS = {"NONE": None, "NEWFALSE": False, "NEWTRUE": True, "EMPTY_TUPLE": (), "EMPTY_LIST": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "STOP"}


def read_arrays(dump: bytes) -> list[Floats]:
    """Read the float32 arrays of a joblib dump in an LZ4 frame, in order; raises NetworkInvalid for anything else."""
    try:
        frame = lz4.frame.LZ4FrameDecompressor()
        pickled = frame.decompress(dump, max_length=LARGEST_PICKLE)
        if not frame.eof:
            raise NetworkInvalid("the weight file is truncated or too large")
        return _Reader(pickled).read()
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise NetworkInvalid(f"the weight file is malformed: {error}") from error


class _Reader:
    """The little of pickle that a list of arrays needs: data is stacked and remembered, names are mere strings."""

    def __init__(self, pickled: bytes) -> None:
        self._stream = io.BytesIO(pickled)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: list[Any] = []
        self._arrays: list[Floats] = []

    def read(self) -> list[Floats]:
        """Return the arrays; `genops` goes on reading wherever `_array` has left the stream."""
        argument: Any
        for opcode, argument, _ in pickletools.genops(self._stream):
            if opcode.name in _LITERALS:
                self._stack.append(argument)
            elif opcode.name in _CONSTANTS:
                self._stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _TUPLES:
                self._stack.append(tuple(self._pop(_TUPLES[opcode.name])))
            elif opcode.name == "BINGET":
                self._stack.append(self._memo[argument])
            elif opcode.name not in _IGNORED:
                self._compose(opcode.name)
        if self._stream.read(1):
            raise NetworkInvalid("the weight file goes on behind its end")
        return self._arrays

    def _compose(self, opcode: str) -> None:
        match opcode:
            case "MARK":
                self._marks.append(len(self._stack))
            case "MEMOIZE":
                self._memo.append(self._stack[-1])
            case "TUPLE":
                self._stack.append(tuple(self._pop_to_mark()))
            case "EMPTY_DICT":
                self._stack.append({})
            case "SETITEMS":
                items = self._pop_to_mark()
                if not all(isinstance(key, str) for key in items[::2]):
                    raise NetworkInvalid("the weight file describes an array in unknown terms")
                self._stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "APPENDS":
                self._pop_to_mark()
            case _:
                self._stack.append(self._object(opcode, *self._pop(2)))

    def _object(self, opcode: str, below: Any, top: Any) -> Any:
        """Return what stands for an object of the three kinds admitted; none is ever made."""
        match opcode:
            case "STACK_GLOBAL" if (below, top) in (_WRAPPER, _ARRAY, _DTYPE):
                return below, top
            case "NEWOBJ" if (below, top) == (_WRAPPER, ()):
                return _WRAPPER
            case "REDUCE" if (below, top) == (_DTYPE, _FLOAT32):
                return _FLOAT32
            case "BUILD" if (below, top) == (_FLOAT32, _LITTLE_ENDIAN):
                return _FLOAT32
            case "BUILD" if below == _WRAPPER:
                return self._array(top)
        raise NetworkInvalid(f"the weight file holds more than arrays ({opcode})")

    def _array(self, description: dict[str, Any]) -> None:
        """Read the array that follows its description: a byte n, n bytes of padding, the values."""
        if [description[key] for key in ("subclass", "dtype", "order")] != [_ARRAY, _FLOAT32, "C"]:
            raise NetworkInvalid("the weight file holds an array that is not float32 in C order")
        self._stream.seek(self._stream.read(1)[0], io.SEEK_CUR)
        shape = description["shape"]
        values = np.frombuffer(self._stream.read(4 * int(np.prod(shape))), "<f4")
        self._arrays.append(values.reshape(shape).astype(np.float32))

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise NetworkInvalid("the weight file takes more than it gave")
        popped = self._stack[-count:]
        del self._stack[-count:]
        return popped

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        popped = self._stack[start:]
        del self._stack[start:]
        return popped
