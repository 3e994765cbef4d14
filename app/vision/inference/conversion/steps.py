"""Conversion steps that a manifest may name. Each maps bytes to bytes."""

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import onnx
from google.protobuf.message import DecodeError

from app.errors import ManifestInvalid, NetworkInvalid
from app.vision.inference.conversion import minifasnet, mtcnn, openvino, tflite
from app.vision.inference.conversion.folding import fold_constants, free_dimensions
from app.vision.inference.conversion.prelu import rewrite_prelu
from app.vision.inference.conversion.quantisation import Ranges, quantise

Step = Callable[[bytes], bytes]
Join = Callable[[bytes, bytes], bytes]


def convert(data: bytes, names: Sequence[str], others: Sequence[bytes] = (), *, ranges: Ranges | None = None) -> bytes:
    """Apply the named conversions to `data` in order.

    Args:
        data: The source's file.
        names: Names of conversions.
        others: Further files of the source, which the first conversion joins with `data`.
        ranges: Ranges of activations with which the result is quantised to int8.

    Raises:
        ManifestInvalid: If a conversion is unknown or takes another number of files, or if a range is missing.
        NetworkInvalid: If a file is not what a conversion expects.
    """
    steps = list(names)
    if others:
        join = _JOINS.get(steps.pop(0) if steps else "")
        if join is None or len(others) != 1:
            raise ManifestInvalid(f"{len(others) + 1} files need a conversion that joins them; known: {_known(_JOINS)}")
        data = join(data, *others)
    for name in steps:
        step = _STEPS.get(name)
        if step is None:
            raise ManifestInvalid(f"there is no conversion {name!r} of one file; known: {_known(_STEPS)}")
        data = step(data)
    return _on_graph(partial(quantise, ranges=ranges), data) if ranges else data


def bytes_literal(module: bytes) -> bytes:
    """Return the bytes literal that the first statement of a Python module assigns, without running the module."""
    try:
        statement = ast.parse(module).body[0]
        value = ast.literal_eval(statement.value) if isinstance(statement, ast.Assign) else None
    except (SyntaxError, ValueError, IndexError, MemoryError, RecursionError) as error:  # the last two: deep nesting
        raise NetworkInvalid(f"this is not a Python module with one bytes literal: {error}") from error
    if not isinstance(value, bytes):
        raise NetworkInvalid("this is not a Python module with one bytes literal")
    return value


def _on_graph(change: Callable[[onnx.ModelProto], onnx.ModelProto], data: bytes) -> bytes:
    try:
        model = onnx.load_model_from_string(data)
        changed = change(model)
        onnx.checker.check_model(changed)
    except (DecodeError, onnx.checker.ValidationError, LookupError, TypeError, ValueError) as error:
        raise NetworkInvalid(f"this is not a valid ONNX network: {error}") from error
    result: bytes = changed.SerializeToString()
    return result


def _known(steps: Iterable[str]) -> str:
    return ", ".join(steps)


_JOINS: Final[dict[str, Join]] = {
    "openvino": lambda description, weights: openvino.to_onnx(description, weights).SerializeToString(),
}
_STEPS: Final[dict[str, Step]] = {
    "bytes-literal": bytes_literal,
    "fold-constants": partial(_on_graph, fold_constants),
    "free-batch": partial(_on_graph, partial(free_dimensions, free={0: "n"})),
    "free-batch-and-size": partial(_on_graph, partial(free_dimensions, free={0: "n", 2: "height", 3: "width"})),
    "rewrite-prelu": partial(_on_graph, rewrite_prelu),
    "tflite": lambda data: tflite.to_onnx(data).SerializeToString(),
    "minifasnet": lambda data: minifasnet.to_onnx(data).SerializeToString(),
    "mtcnn-pnet": lambda data: mtcnn.pnet(data).SerializeToString(),
    "mtcnn-rnet": lambda data: mtcnn.rnet(data).SerializeToString(),
    "mtcnn-onet": lambda data: mtcnn.onet(data).SerializeToString(),
}
