"""TFLite to ONNX for face networks: one function for each family of operators, NHWC turned to NCHW on paper."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import onnx

from app.errors import NetworkInvalid
from app.faces import Floats
from app.inference.conversion.onnx_graph import Graph
from app.inference.conversion.tflite import Kind, Network, Operator, read
from app.inference.conversion.tflite_prelu import with_prelu


def to_onnx(tflite: bytes) -> onnx.ModelProto:
    """Convert a TFLite face network, image to vector, to ONNX.

    The result takes the float32 "input" of shape (n, channels, height, width), n free whatever batch the TFLite file is
    made for, and gives the float32 "embedding" of shape (n, d). An L2_NORMALIZATION at the end is left out, because the
    vector's norm says how much of a face the network has seen. PReLUs are `PRelu`, their slope (channels, 1, 1).

    Raises NetworkInvalid when the bytes are no TFLite file, are damaged, or hold what this conversion does not know.
    """
    network = _live(_without_normalisation(with_prelu(read(tflite))))
    if len(network.tensors[network.input].shape) != 4 or len(network.tensors[network.output].shape) != 2:
        raise NetworkInvalid("a TFLite face network must take a batch of images and give a batch of vectors")
    graph = Graph(network)
    for operator in network.operators:
        if operator.kind not in _WRITERS:
            raise NetworkInvalid(f"{operator.kind.name} is not supported at this place of the network")
        _WRITERS[operator.kind](graph, operator)
    return graph.model()


def _without_normalisation(network: Network) -> Network:
    last = next((operator for operator in network.operators if operator.output == network.output), None)
    if last is not None and last.kind is Kind.L2_NORMALIZATION:
        return replace(network, output=last.inputs[0])
    return network


def _live(network: Network) -> Network:
    """Keep the operators that the output depends on."""
    needed, kept = {network.output}, []
    for operator in reversed(network.operators):
        if operator.output in needed:
            needed.update(operator.inputs)
            kept.append(operator)
    return replace(network, operators=tuple(reversed(kept)))


def _convolve(graph: Graph, operator: Operator) -> None:
    """Weights are (out, height, width, in), or (1, height, width, out) for a depthwise convolution."""
    source, at = operator.inputs[:2]
    weights, window, shape = graph.constant(at), operator.window, graph.shape(source)
    if weights is None or weights.ndim != 4 or window is None or len(shape) != 4:
        raise NetworkInvalid(f"{operator.kind.name} needs an image, constant weights of rank 4 and its options")
    is_depthwise = operator.kind is Kind.DEPTHWISE_CONV_2D
    kernel, groups = weights.transpose((3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2)), shape[3] if is_depthwise else 1
    if kernel.shape[1] * groups != shape[3] or kernel.shape[0] % groups:
        raise NetworkInvalid(f"{operator.kind.name} has weights for another number of channels")
    pads = [
        _same_padding(*sizes) if window.is_same else (0, 0)
        for sizes in zip(shape[1:3], kernel.shape[2:], window.strides, window.dilations, strict=True)
    ]
    graph.result(
        operator,
        "Conv",
        [graph.value(source), *_parameters(graph, operator, kernel)],
        group=groups,
        strides=list(window.strides),
        dilations=list(window.dilations),
        pads=[before for before, _ in pads] + [after for _, after in pads],
    )


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return TFLite's padding before and after one axis: the odd pixel comes after."""
    outputs = -(-size // stride)
    padding = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return padding // 2, padding - padding // 2


def _parameters(graph: Graph, operator: Operator, weights: Floats) -> list[str]:
    """Return the names of the weights and, when the operator has one, of the bias."""
    name = graph.name(operator)
    names = [graph.initializer(f"{name}/weights", weights)]
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = graph.constant(operator.inputs[2])
        if bias is None or bias.shape != (graph.shape(operator.output)[-1],):
            raise NetworkInvalid(f"{operator.kind.name} needs a constant bias, one number for each channel")
        names.append(graph.initializer(f"{name}/bias", bias))
    return names


def _connect(graph: Graph, operator: Operator) -> None:
    """Weights are (out, in)."""
    weights = graph.constant(operator.inputs[1])
    if weights is None or weights.ndim != 2 or len(graph.shape(operator.output)) != 2:
        raise NetworkInvalid("FULLY_CONNECTED needs constant weights of rank 2 and gives vectors")
    flat = graph.node("Flatten", [_nhwc(graph, operator)], f"{graph.name(operator)}/flat", axis=1)
    graph.result(operator, "Gemm", [flat, *_parameters(graph, operator, weights)], transB=1)


def _flatten(graph: Graph, operator: Operator) -> None:
    """Only the reshape that makes each image of the batch a vector is one that leaves the batch free."""
    batch, *image = graph.shape(operator.inputs[0])
    if graph.shape(operator.output) != (batch, prod(image)):
        raise NetworkInvalid("RESHAPE is only supported from a batch of images to a batch of vectors")
    graph.result(operator, "Flatten", [_nhwc(graph, operator)], axis=1)


def _nhwc(graph: Graph, operator: Operator) -> str:
    """Return the operator's first input with its elements in TFLite's order, which costs nothing for 1x1 images."""
    source = operator.inputs[0]
    if prod(graph.shape(source)[1:-1]) == 1:
        return graph.value(source)
    return graph.node("Transpose", [graph.value(source)], f"{graph.name(operator)}/nhwc", perm=[0, 2, 3, 1])


def _combine(graph: Graph, operator: Operator) -> None:
    """Broadcasting counts from the last axis, so both sides must have the same rank before channels come first."""
    node = {Kind.ADD: "Add", Kind.SUB: "Sub", Kind.MUL: "Mul", Kind.PRELU: "PRelu"}[operator.kind]
    rank, names = len(graph.shape(operator.output)), []
    for side, position in enumerate(operator.inputs[:2]):
        constant = graph.constant(position)
        if constant is not None:
            names.append(graph.initializer(f"{graph.name(operator)}/operand{side}", _per_channel(constant, rank)))
        elif len(graph.shape(position)) == rank:
            names.append(graph.value(position))
        else:
            raise NetworkInvalid(f"{operator.kind.name} of activations with different ranks is not supported")
    graph.result(operator, node, names)


def _per_channel(constant: Floats, rank: int) -> Floats:
    """Return a constant, broadcast over the batch, as (channels, height, width) or, for vectors, (channels,)."""
    whole: Floats = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
    if whole.ndim != rank or whole.shape[0] != 1:
        raise NetworkInvalid(f"a TFLite constant of shape {constant.shape} does not leave the batch free")
    one: Floats = whole[0]
    return one.transpose(2, 0, 1) if rank == 4 else one


def _apply(graph: Graph, operator: Operator) -> None:
    graph.result(operator, "Abs" if operator.kind is Kind.ABS else "Relu", [graph.value(operator.inputs[0])])


_WRITERS: dict[Kind, Callable[[Graph, Operator], None]] = {
    Kind.CONV_2D: _convolve,
    Kind.DEPTHWISE_CONV_2D: _convolve,
    Kind.FULLY_CONNECTED: _connect,
    Kind.RESHAPE: _flatten,
    Kind.ADD: _combine,
    Kind.SUB: _combine,
    Kind.MUL: _combine,
    Kind.PRELU: _combine,
    Kind.ABS: _apply,
    Kind.RELU: _apply,
}
