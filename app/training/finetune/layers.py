"""ONNX operators of ArcFace-family embedders as PyTorch layers."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.errors import TrainingInvalid
from app.training.finetune.graph import Constants, GraphNode


class Convolution(nn.Module):
    """Two-dimensional Conv with possibly asymmetric padding."""

    def __init__(self, node: GraphNode, constants: Constants) -> None:
        super().__init__()
        self.weight = _parameter(node, 1, constants)
        self.bias = _parameter(node, 2, constants) if _has_input(node, 2) else None
        if self.weight.ndim != 4 or node.attributes.get("auto_pad", b"NOTSET") not in {b"NOTSET", b"VALID"}:
            raise TrainingInvalid(f"the Conv with output {node.output} has unsupported attributes")
        self._stride = _integers(node, "strides", [1, 1])
        self._dilation = _integers(node, "dilations", [1, 1])
        self._groups = int(_number(node, "group", 1))
        top, left, bottom, right = _integers(node, "pads", [0, 0, 0, 0])
        self._pads = (left, right, top, bottom)

    def forward(self, values: Tensor) -> Tensor:
        """Convolve maps (n, channels, height, width)."""
        left, right, top, bottom = self._pads
        padding = (top, left)
        if (left, top) != (right, bottom):
            values, padding = functional.pad(values, self._pads), (0, 0)
        return functional.conv2d(values, self.weight, self.bias, self._stride, padding, self._dilation, self._groups)


class FrozenBatchNorm(nn.Module):
    """BatchNorm with fixed mean and variance, because the statistics of a few other photos would be worse."""

    def __init__(self, node: GraphNode, constants: Constants) -> None:
        super().__init__()
        self.weight, self.bias = (_parameter(node, index, constants) for index in (1, 2))
        for index, name in ((3, "mean"), (4, "variance")):
            self.register_buffer(name, _tensor(node, index, constants))
        self._epsilon = _number(node, "epsilon", 1e-5)

    def forward(self, values: Tensor) -> Tensor:
        """Normalise values (n, channels, ...)."""
        return functional.batch_norm(
            values, self.mean, self.variance, self.weight, self.bias, training=False, eps=self._epsilon
        )


class PRelu(nn.Module):
    """PReLU with one slope, or with one slope per channel."""

    def __init__(self, node: GraphNode, constants: Constants) -> None:
        super().__init__()
        self.weight = nn.Parameter(_tensor(node, 1, constants).flatten())

    def forward(self, values: Tensor) -> Tensor:
        """Apply the slopes to values (n, channels, ...)."""
        return functional.prelu(values, self.weight)


class Linear(nn.Module):
    """Gemm, or MatMul with a constant matrix; the weights are stored as (outputs, inputs)."""

    def __init__(self, node: GraphNode, constants: Constants) -> None:
        super().__init__()
        if _number(node, "transA", 0) or _number(node, "alpha", 1) != 1 or _number(node, "beta", 1) != 1:
            raise TrainingInvalid(f"the Gemm with output {node.output} has unsupported attributes")
        matrix = _tensor(node, 1, constants)
        self.weight = nn.Parameter((matrix if _number(node, "transB", 0) else matrix.T).contiguous())
        self.bias = nn.Parameter(_tensor(node, 2, constants).flatten()) if _has_input(node, 2) else None

    def forward(self, values: Tensor) -> Tensor:
        """Map values (..., inputs) to (..., outputs)."""
        return functional.linear(values, self.weight, self.bias)


class BinaryOperation(nn.Module):
    """Add, Sub, Mul or Div of two values; either can be a constant, which is not trained."""

    def __init__(self, node: GraphNode, constants: Constants) -> None:
        super().__init__()
        self._operation = _ARITHMETIC[node.operator]
        for index, side in enumerate(("first", "second")):
            constant = _tensor(node, index, constants) if node.inputs[index] in constants else None
            self.register_buffer(side, constant)

    def forward(self, *values: Tensor) -> Tensor:
        """Apply the operation to the values that are not constant, in the operator's order."""
        operands = iter(values)
        first = next(operands) if self.first is None else self.first
        second = next(operands) if self.second is None else self.second
        return self._operation(first, second)


class Stateless(nn.Module):
    """An operator without weights."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *values: Tensor) -> Tensor:
        """Apply the function."""
        return self._function(*values)


def build_layer(node: GraphNode, constants: Constants) -> nn.Module:
    """Return the layer of an operator; raises TrainingInvalid, naming the operator, if it is unsupported."""
    if node.operator in _WITH_WEIGHTS:
        return _WITH_WEIGHTS[node.operator](node, constants)
    if node.operator in _WITHOUT_WEIGHTS:
        return Stateless(_WITHOUT_WEIGHTS[node.operator](node, constants))
    supported = ", ".join(sorted([*_WITH_WEIGHTS, *_WITHOUT_WEIGHTS]))
    raise TrainingInvalid(
        f"the operator {node.operator} (output {node.output}) is not supported in training; supported: {supported}"
    )


def _reshape(node: GraphNode, constants: Constants) -> Callable[[Tensor], Tensor]:
    target = _constant(node, 1, constants).tolist()
    is_kept = not _number(node, "allowzero", 0)

    def reshape(values: Tensor) -> Tensor:
        return values.reshape(
            [values.shape[index] if size == 0 and is_kept else size for index, size in enumerate(target)]
        )

    return reshape


def _clip(node: GraphNode, constants: Constants) -> Callable[[Tensor], Tensor]:
    """Return a clamp; its limits are attributes up to opset 10 and inputs since."""
    limits = [
        float(_constant(node, index, constants)) if _has_input(node, index) else node.attributes.get(name)
        for index, name in ((1, "min"), (2, "max"))
    ]
    return lambda values: values.clamp(*limits)


def _mean(node: GraphNode, constants: Constants) -> Callable[[Tensor], Tensor]:
    axes = _constant(node, 1, constants).tolist() if _has_input(node, 1) else _integers(node, "axes", [])
    is_kept = bool(_number(node, "keepdims", 1))
    return lambda values: values.mean(axes, keepdim=is_kept)


def _unsqueeze(node: GraphNode, constants: Constants) -> Callable[[Tensor], Tensor]:
    axes = _constant(node, 1, constants).tolist() if _has_input(node, 1) else _integers(node, "axes", [])

    def unsqueeze(values: Tensor) -> Tensor:
        for axis in sorted(axes):
            values = values.unsqueeze(axis)
        return values

    return unsqueeze


_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Tensor]]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": torch.div,
}
_WITH_WEIGHTS: Final[dict[str, Callable[[GraphNode, Constants], nn.Module]]] = {
    "Conv": Convolution,
    "BatchNormalization": FrozenBatchNorm,
    "PRelu": PRelu,
    "Gemm": Linear,
    "MatMul": Linear,
    **dict.fromkeys(_ARITHMETIC, BinaryOperation),
}
_WITHOUT_WEIGHTS: Final[dict[str, Callable[[GraphNode, Constants], Callable[..., Tensor]]]] = {
    "Relu": lambda *_: torch.relu,
    "Sigmoid": lambda *_: torch.sigmoid,
    "Identity": lambda *_: lambda values: values,
    "Dropout": lambda *_: lambda values: values,
    "GlobalAveragePool": lambda *_: lambda values: values.mean((2, 3), keepdim=True),
    "Flatten": lambda node, _: lambda values: values.flatten(int(_number(node, "axis", 1))),
    "Transpose": lambda node, _: lambda values: values.permute(_integers(node, "perm", [])),
    "Concat": lambda node, _: lambda *values: torch.cat(values, int(_number(node, "axis", 1))),
    "Reshape": _reshape,
    "Clip": _clip,
    "ReduceMean": _mean,
    "Unsqueeze": _unsqueeze,
}


def _has_input(node: GraphNode, index: int) -> bool:
    return len(node.inputs) > index and bool(node.inputs[index])


def _constant(node: GraphNode, index: int, constants: Constants) -> NDArray[np.generic]:
    if not _has_input(node, index) or node.inputs[index] not in constants:
        raise TrainingInvalid(
            f"the {node.operator} with output {node.output} needs constant weights and shapes; here they are computed"
        )
    return constants[node.inputs[index]]


def _tensor(node: GraphNode, index: int, constants: Constants) -> Tensor:
    return torch.from_numpy(_constant(node, index, constants).astype(np.float32))


def _parameter(node: GraphNode, index: int, constants: Constants) -> nn.Parameter:
    return nn.Parameter(_tensor(node, index, constants))


def _number(node: GraphNode, name: str, default: float) -> float:
    value: float = node.attributes.get(name, default)
    return value


def _integers(node: GraphNode, name: str, default: list[int]) -> list[int]:
    return [int(value) for value in node.attributes.get(name, default)]
