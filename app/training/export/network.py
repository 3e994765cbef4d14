"""A trained PyTorch network as an ONNX file that the service runs."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from app.alignment import CROP_SIDE
from app.errors import TrainingInvalid
from app.inference.conversion.prelu import rewrite_prelu
from app.training.export.batch_norm import fold_batch_norm

INPUT, OUTPUT = "input", "embedding"

_LOGGER = "torch.onnx"


def export_backbone(backbone: nn.Module, file: Path) -> None:
    """Write a backbone to `file`; see `as_onnx`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(as_onnx(backbone))


def as_onnx(backbone: nn.Module) -> bytes:
    """Return a backbone as ONNX: "input" (n, 3, 112, 112) float32 -> "embedding" (n, d), n free.

    As it is at inference, whatever its mode and device, which stay as they are. BatchNorm is folded where that is
    possible, PReLU written as `app.inference.conversion.prelu` has it. Raises TrainingInvalid when it has no ONNX form.
    """
    model = _exported(copy.deepcopy(backbone).eval().to("cpu", torch.float32))
    model = rewrite_prelu(_with_plain_slopes(fold_batch_norm(model)))
    _declare(model)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _exported(backbone: nn.Module) -> onnx.ModelProto:
    example = torch.zeros(2, 3, CROP_SIDE, CROP_SIDE)
    out = io.BytesIO()
    with _quiet():
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
            raise TrainingInvalid(f"the network has no ONNX form: {error}") from error
    return onnx.load_model_from_string(out.getvalue())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what PyTorch says of its own code and of packages that are not needed here."""
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


def _with_plain_slopes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give the PReLUs of maps slopes (c, 1, 1), which is what the slopes (1, c, 1, 1) of the exporter mean."""
    slopes = {node.input[1] for node in model.graph.node if node.op_type == "PRelu"}
    for tensor in model.graph.initializer:
        if tensor.name in slopes and len(tensor.dims) == 4 and tensor.dims[0] == 1:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[0], tensor.name))
    return model


def _declare(model: onnx.ModelProto) -> None:
    """Write the shapes of both ends, the batch free."""
    dimension = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    ends = (model.graph.input[0], [3, CROP_SIDE, CROP_SIDE]), (model.graph.output[0], [dimension])
    for end, shape in ends:
        end.CopyFrom(helper.make_tensor_value_info(end.name, TensorProto.FLOAT, ["n", *shape]))
