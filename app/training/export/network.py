"""Export of a PyTorch network as an ONNX file for the service."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from app.errors import TrainingInvalid
from app.vision.alignment import CROP_SIDE
from app.vision.inference.conversion.batch_norm import fold_batch_norm
from app.vision.inference.conversion.prelu import rewrite_prelu

INPUT, OUTPUT = "input", "embedding"

_LOGGER = "torch.onnx"


def as_onnx(backbone: nn.Module) -> bytes:
    """Return a backbone as ONNX: "input" (n, 3, 112, 112) float32 -> "embedding" (n, d), for any n.

    Exports the backbone in evaluation mode without changing its mode or device. BatchNorm is folded where possible, and
    PReLU is rewritten by `conversion.prelu`. Raises TrainingInvalid if ONNX cannot represent the network.
    """
    model = _export(copy.deepcopy(backbone).eval().to("cpu", torch.float32))
    model = rewrite_prelu(_squeeze_slopes(fold_batch_norm(model)))
    _declare_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _export(backbone: nn.Module) -> onnx.ModelProto:
    example = torch.zeros(2, 3, CROP_SIDE, CROP_SIDE)
    out = io.BytesIO()
    with _silence():
        try:
            torch.onnx.export(
                backbone,
                (example,),
                out,
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise TrainingInvalid(f"the network cannot be exported to ONNX: {error}") from error
    return onnx.load_model_from_string(out.getvalue())


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress PyTorch's warnings about its own code and about optional packages."""
    logger = logging.getLogger(_LOGGER)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (DeprecationWarning, FutureWarning, UserWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        logger.setLevel(level)


def _squeeze_slopes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Reshape the slopes of PReLUs from the exporter's (1, c, 1, 1) to the equivalent (c, 1, 1)."""
    slopes = {node.input[1] for node in model.graph.node if node.op_type == "PRelu"}
    for tensor in model.graph.initializer:
        if tensor.name in slopes and len(tensor.dims) == 4 and tensor.dims[0] == 1:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[0], tensor.name))
    return model


def _declare_shapes(model: onnx.ModelProto) -> None:
    """Declare the shapes of input and output, with a free batch dimension."""
    dimension = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    values = (model.graph.input[0], [3, CROP_SIDE, CROP_SIDE]), (model.graph.output[0], [dimension])
    for value, shape in values:
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["n", *shape]))
