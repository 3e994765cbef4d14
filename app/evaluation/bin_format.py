"""InsightFace's `.bin` sets, read without unpickling.

The file is a pickled pair: a list of encoded photos (two for each comparison) and a list of labels. A photo is bytes or
a NumPy array of bytes; a label is a bool of Python or NumPy. Old pickle protocols encode bytes as a function call.
"""

from dataclasses import dataclass
from typing import Any

from app.errors import EvaluationInvalid
from app.vision.inference.pickles import MALFORMED, Name, PickleReader


@dataclass(frozen=True, slots=True)
class _Dtype:
    """Placeholder for a NumPy dtype."""

    code: str


@dataclass(slots=True)
class _Array:
    """Placeholder for a NumPy array of bytes. It is mutable, because the pickle may refer to it before its content."""

    content: Any = None


def read_bin(pickled: bytes) -> tuple[list[bytes], list[bool]]:
    """Return the photos, two for each pair, and whether a pair shows one person.

    Raises EvaluationInvalid if the bytes are not a set of pairs.
    """
    try:
        return _validate(_SetReader(pickled).read())
    except MALFORMED as error:
        raise EvaluationInvalid(f"this is not a .bin set of pairs: {error}") from error


def _validate(value: Any) -> tuple[list[bytes], list[bool]]:
    photos, labels = value
    if not isinstance(photos, list) or not isinstance(labels, list):
        raise EvaluationInvalid("this is not a .bin set of pairs: it must hold a list of photos and a list of labels")
    images = [_bytes(photo) for photo in photos]
    if not labels or len(images) != 2 * len(labels):
        raise EvaluationInvalid(f"the set has {len(images)} photos for {len(labels)} labels; it needs two for each")
    if any(label not in (0, 1) for label in labels):
        raise EvaluationInvalid("a label of the set is neither true nor false")
    return images, [bool(label) for label in labels]


def _bytes(value: Any) -> bytes:
    content = value.content if isinstance(value, _Array) else value
    if not isinstance(content, bytes | bytearray):
        raise EvaluationInvalid("an entry of the set is neither bytes nor an array of bytes")
    return bytes(content)


class _SetReader(PickleReader):
    """Pickle reader that allows only the calls that create bytes, arrays of bytes and bools."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(pickled)
        self._size = len(pickled)
        self._encoded = 0

    def call(self, function: Any, arguments: Any) -> Any:  # noqa: PLR0911 - one return for each call
        match function, arguments:
            case Name("_codecs", "encode"), (str(text), "latin1" | "latin-1"):
                return self._encode(text)
            case Name("__builtin__", "bytes"), ():
                return b""
            case Name("numpy", "dtype"), (code, *_):
                return _Dtype(_text(code))
            case Name("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct"), (array, *_) if array == Name(
                "numpy", "ndarray"
            ):
                return _Array()
            case Name("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer"), (content, _Dtype("u1"), *_):
                return _Array(content)
            case Name("numpy.core.multiarray" | "numpy._core.multiarray", "scalar"), (_Dtype("b1"), content):
                return content != b"\0"
        return super().call(function, arguments)

    def build(self, target: Any, state: Any) -> Any:
        match target, state:
            case _Dtype(), (3, order, *_) if _text(order) == "|":
                return target
            case _Array(), (1, _, _Dtype("u1"), _, content):
                target.content = content
                return target
        return super().build(target, state)

    def _encode(self, text: str) -> bytes:
        self._encoded += len(text)
        if self._encoded > self._size:
            raise EvaluationInvalid("the set grows beyond its own size")
        return text.encode("latin-1")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
