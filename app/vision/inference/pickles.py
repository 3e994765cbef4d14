"""Reader of pickled plain data that imports and calls nothing, so a hostile file cannot run code.

It follows the opcodes that build plain data. A subclass decides which calls to accept and which values replace their
results. Everything else is refused.
"""

import io
import pickletools
from dataclasses import dataclass
from typing import Any

MALFORMED = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""The errors that a damaged or hostile pickle may raise."""

_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_PYTHON_2_BYTES = {"SHORT_BINSTRING", "BINSTRING"}
_CONSTANTS = {"NONE": None, "NEWFALSE": False, "NEWTRUE": True, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME", "STOP"}


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that a pickle names; never imported."""

    module: str
    name: str


class PickleReader:
    """Reader of a pickle. The base class accepts no call. Its methods raise errors of MALFORMED for other data."""

    def __init__(self, pickled: bytes) -> None:
        self.stream = io.BytesIO(pickled)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """Return the value of the pickle, which must end where the bytes end."""
        value = self.read_next()
        if self.stream.read(1):
            raise ValueError("it continues after its end")
        return value

    def read_next(self) -> Any:
        """Return the value of the next of several pickles, one after the other."""
        self._stack, self._marks, self._memo = [], [], {}
        for opcode, argument, _ in pickletools.genops(self.stream):
            self._step(opcode.name, argument)
        if len(self._stack) != 1:
            raise ValueError("it ends before its end")
        return self._stack[0]

    def call(self, function: Any, arguments: Any) -> Any:  # noqa: ARG002 - for subclasses
        """Return the value that replaces the result of a call (REDUCE, NEWOBJ)."""
        raise ValueError(f"it calls {function}")

    def build(self, target: Any, state: Any) -> Any:  # noqa: ARG002 - for subclasses
        """Return the value that replaces an object after its state is set (BUILD)."""
        raise ValueError(f"it holds a {type(target).__name__} with a state")

    def reference(self, target: Any) -> Any:
        """Return the value that replaces a reference to data outside the pickle (BINPERSID)."""
        raise ValueError(f"it refers to {target}")

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
                self._top(list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._pop(2) if opcode == "SETITEM" else self._pop_to_mark()
                self._top(dict).update(zip(items[::2], items[1::2], strict=True))
            case "EMPTY_LIST" | "EMPTY_DICT":
                self._stack.append([] if opcode == "EMPTY_LIST" else {})
            case _:
                self._stack.append(self._made(opcode, argument))

    def _made(self, opcode: str, argument: Any) -> Any:  # noqa: PLR0911 - one return for each opcode
        match opcode:
            case "LIST":
                return self._pop_to_mark()
            case "TUPLE":
                return tuple(self._pop_to_mark())
            case "GLOBAL":
                return Name(*argument.split(" "))
            case "STACK_GLOBAL":
                return Name(*map(str, self._pop(2)))
            case "REDUCE" | "NEWOBJ":
                return self.call(*self._pop(2))
            case "BUILD":
                return self.build(*self._pop(2))
            case "BINPERSID":
                return self.reference(*self._pop(1))
        raise ValueError(f"it holds more than plain data ({opcode})")

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise ValueError(f"it adds items to a {type(self._stack[-1]).__name__}")  # noqa: TRY004 - one kind of error
        return self._stack[-1]

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise ValueError("it takes more than it gave")
        popped = self._stack[-count:]
        del self._stack[-count:]
        return popped

    def _pop_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        popped = self._stack[start:]
        del self._stack[start:]
        return popped
