"""InsightFace's `.bin` sets, without unpickling anything.

Such a file is a pickled pair: a list of encoded photos (two for each comparison) and a list of truth values. The reader
follows only the opcodes that build plain data, and recognises the few names by which old protocols spell bytes and by
which NumPy spells an array of bytes or a truth value. A name stays a mere name, everything else is refused, and nothing
is ever imported or called: a hostile file can run nothing.
"""

import pickletools
from dataclasses import dataclass
from typing import Any

from app.errors import EvaluationInvalid

_CONSTANTS = {"NONE": None, "NEWFALSE": False, "NEWTRUE": True, "EMPTY_TUPLE": ()}
_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_PYTHON_2_BYTES = {"SHORT_BINSTRING", "BINSTRING"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "STOP"}
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
_ENCODE, _BYTES, _DTYPE, _ARRAY, _EMPTY_ARRAY, _FROM_BUFFER, _SCALAR = range(7)
_NAMES = {
    ("_codecs", "encode"): _ENCODE,
    ("__builtin__", "bytes"): _BYTES,
    ("numpy", "dtype"): _DTYPE,
    ("numpy", "ndarray"): _ARRAY,
    **{(module, "_reconstruct"): _EMPTY_ARRAY for module in _MULTIARRAY},
    **{(module, "_frombuffer"): _FROM_BUFFER for module in _NUMERIC},
    **{(module, "scalar"): _SCALAR for module in _MULTIARRAY},
}


@dataclass(frozen=True, slots=True)
class _Name:
    number: int


@dataclass(slots=True)
class _Object:
    """What stands for a NumPy type (`content` is its code) or an array (its bytes, once they are known)."""

    kind: int
    content: Any = None


def read_bin(pickled: bytes) -> tuple[list[bytes], list[bool]]:
    """Return the photos, two for each pair, and whether each pair shows one person; raises EvaluationInvalid."""
    try:
        return _checked(_Reader(pickled).read())
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise EvaluationInvalid(f"this is no .bin set of pairs: {error}") from error


def _checked(value: Any) -> tuple[list[bytes], list[bool]]:
    photos, labels = value
    if not isinstance(photos, list) or not isinstance(labels, list):
        raise EvaluationInvalid("this is no .bin set of pairs: it must hold a list of photos and a list of labels")
    images = [_bytes(each) for each in photos]
    if not labels or len(images) != 2 * len(labels):
        raise EvaluationInvalid(f"the set has {len(images)} photos for {len(labels)} labels; it takes two for each")
    if any(label not in (0, 1) for label in labels):
        raise EvaluationInvalid("a label of the set is neither true nor false")
    return images, [bool(label) for label in labels]


def _bytes(value: Any) -> bytes:
    content = value.content if isinstance(value, _Object) and value.kind == _ARRAY else value
    if not isinstance(content, bytes | bytearray):
        raise EvaluationInvalid("an entry of the set is neither bytes nor an array of bytes")
    return bytes(content)


class _Reader:
    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._encoded = 0

    def read(self) -> Any:
        end = 0
        for opcode, argument, position in pickletools.genops(self._pickled):
            end = position or 0
            self._step(opcode.name, argument)
        if end + 1 != len(self._pickled) or len(self._stack) != 1:
            raise EvaluationInvalid("the set goes on behind its end")
        return self._stack[0]

    def _step(self, opcode: str, argument: Any) -> None:
        if opcode in _LITERALS:
            self._stack.append(argument)
        elif opcode in _PYTHON_2_BYTES:
            self._stack.append(argument.encode("latin-1"))
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _TUPLES:
            self._stack.append(tuple(self._pop(_TUPLES[opcode])))
        elif opcode in {"PUT", "BINPUT", "LONG_BINPUT"}:
            self._memo[argument] = self._stack[-1]
        elif opcode in {"GET", "BINGET", "LONG_BINGET"}:
            self._stack.append(self._memo[argument])
        elif opcode not in _IGNORED:
            self._compose(opcode, argument)

    def _compose(self, opcode: str, argument: Any) -> None:
        match opcode:
            case "MARK":
                self._marks.append(len(self._stack))
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._stack[-1]
            case "APPEND" | "APPENDS":
                items = self._pop(1) if opcode == "APPEND" else self._pop_to_mark()
                self._list().extend(items)
            case "BUILD":
                (state,) = self._pop(1)
                _build(self._stack[-1], state)
            case _:
                self._stack.append(self._made(opcode, argument))

    def _made(self, opcode: str, argument: Any) -> Any:
        match opcode:
            case "EMPTY_LIST":
                return []
            case "LIST":
                return self._pop_to_mark()
            case "TUPLE":
                return tuple(self._pop_to_mark())
            case "GLOBAL":
                return _named(*argument.split(" "))
            case "STACK_GLOBAL":
                return _named(*self._pop(2))
            case "REDUCE":
                return self._reduced(*self._pop(2))
        raise EvaluationInvalid(f"the set holds more than photos and labels ({opcode})")

    def _reduced(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """Return what stands for the result of a call; none is ever made."""
        match function, arguments:
            case _Name(number=n), (str(text), "latin1" | "latin-1") if n == _ENCODE:
                self._encoded += len(text)
                if self._encoded > len(self._pickled):
                    raise EvaluationInvalid("the set grows beyond its own size")
                return text.encode("latin-1")
            case _Name(number=n), () if n == _BYTES:
                return b""
            case _Name(number=n), (code, *_) if n == _DTYPE:
                return _Object(_DTYPE, _text(code))
            case _Name(number=n), (_Name(number=kind), *_) if (n, kind) == (_EMPTY_ARRAY, _ARRAY):
                return _Object(_ARRAY)
            case _Name(number=n), (content, _Object(kind=kind, content="u1"), *_) if (n, kind) == (
                _FROM_BUFFER,
                _DTYPE,
            ):
                return _Object(_ARRAY, content)
            case _Name(number=n), (_Object(kind=kind, content="b1"), content) if (n, kind) == (_SCALAR, _DTYPE):
                return content != b"\0"
        raise EvaluationInvalid("the set holds an object that is neither a photo nor a label")

    def _list(self) -> list[Any]:
        if not isinstance(self._stack[-1], list):
            raise EvaluationInvalid("the set appends to what is no list")
        return self._stack[-1]

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise EvaluationInvalid("the set takes more than it gave")
        popped = self._stack[-count:]
        del self._stack[-count:]
        return popped

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        popped = self._stack[start:]
        del self._stack[start:]
        return popped


def _named(module: Any, name: Any) -> _Name:
    number = _NAMES.get((module, name))
    if number is None:
        raise EvaluationInvalid(f"the set names {module}.{name}, which no set of photos needs; it was not run")
    return _Name(number)


def _build(target: Any, state: Any) -> None:
    """Take over the state of a NumPy type (nothing of it matters for bytes) or of an array of bytes."""
    match target, state:
        case _Object(kind=kind), (3, order, *_) if kind == _DTYPE and _text(order) == "|":
            return
        case _Object(kind=kind), (1, _, _Object(kind=of, content="u1"), _, content) if (kind, of) == (_ARRAY, _DTYPE):
            target.content = content
            return
    raise EvaluationInvalid("the set holds an array that is not of bytes")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
