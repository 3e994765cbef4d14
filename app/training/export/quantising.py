"""Quantisation of a pack's network to int8, with activation ranges measured on an operator's photos.

Does not need PyTorch.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from app.errors import ManifestInvalid, TrainingInvalid
from app.training.data.source import CropSource
from app.vision.embedding import Preprocessing, as_input
from app.vision.inference.conversion.batch_norm import fold_batch_norm
from app.vision.inference.conversion.quantisation import quantisable, quantise
from app.vision.inference.ranges import activation_ranges

LEAST_FACES = 50
MOST_FACES = 200  # of one person each; more do not change the ranges
LEAST_CHANNELS = 64  # with fewer, a layer takes more time in int8 (docs/adr/0020-int8-is-a-separate-model.md)

_INTEGER_OPERATORS = {"QuantizeLinear", "DynamicQuantizeLinear", "MatMulIntegerToFloat", "ConvInteger", "MatMulInteger"}


def require_quantisable(network: bytes) -> None:
    """Raise TrainingInvalid if a network is quantised already, or has no layer that int8 would speed up."""
    try:
        model = onnx.load_model_from_string(network)
    except DecodeError as error:
        raise TrainingInvalid.not_onnx(error) from error
    operators = {node.op_type for node in model.graph.node}
    if operators & _INTEGER_OPERATORS:
        raise TrainingInvalid("the network is quantised already; name the pack that it was made from")
    if not wide_layers(network):
        raise TrainingInvalid(
            f"the network has no 1x1 convolution or fully connected layer of {LEAST_CHANNELS} or more inputs, "
            f"so int8 would not speed it up; its operators are {', '.join(sorted(operators))}"
        )


def quantise_network(network: bytes, preprocessing: Preprocessing, source: CropSource, places: Sequence[int]) -> bytes:
    """Return a network in int8, with activation ranges of the crops at these indices.

    Raises TrainingInvalid if there are too few crops or the network cannot be quantised.
    """
    require_quantisable(network)
    if len(places) < LEAST_FACES:
        raise TrainingInvalid(
            f"the ranges need {LEAST_FACES} faces, and these photos give {len(places)}: "
            "one of every second person, or all of a flat folder"
        )
    batches = (as_input(source.crop(place)[None], preprocessing) for place in places)
    wide = wide_layers(network)
    ranges = {name: limits for name, limits in activation_ranges(network, batches).items() if name in wide}
    try:
        quantised = quantise(onnx.load_model_from_string(network), ranges)
        onnx.checker.check_model(quantised)
    except (ManifestInvalid, onnx.checker.ValidationError) as error:
        raise TrainingInvalid(f"the network cannot be quantised: {error}") from error
    data: bytes = quantised.SerializeToString()
    return data


def one_of_each(source: CropSource, most: int = MOST_FACES) -> list[int]:
    """Return the index of one photo of each person, of `most` people at equal intervals."""
    first = np.unique(source.labels, return_index=True)[1]
    drawn = np.linspace(0, len(first) - 1, min(len(first), most)).round().astype(int)
    return [int(place) for place in np.sort(first)[drawn]]


def wide_layers(network: bytes) -> set[str]:
    """Return the inputs of the layers that `quantise` supports and that have enough channels."""
    model = fold_batch_norm(onnx.load_model_from_string(network))
    shapes = {tensor.name: numpy_helper.to_array(tensor).shape for tensor in model.graph.initializer}
    inputs = set(quantisable(model))
    return {
        node.input[0]
        for node in model.graph.node
        if node.input and node.input[0] in inputs and shapes.get(node.input[1], (0, 0))[1] >= LEAST_CHANNELS
    }
