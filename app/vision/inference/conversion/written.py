"""The model of a graph that a converter has written."""

from typing import Final

import onnx
from onnx import checker, helper

_OPSET: Final = 17
_IR_VERSION: Final = 8


def written(graph: onnx.GraphProto) -> onnx.ModelProto:
    """Return the model of a graph of opset 17. Raises errors of `onnx.checker` if the graph is not valid."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    checker.check_model(model, full_check=True)
    return model
