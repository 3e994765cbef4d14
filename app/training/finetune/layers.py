"""ONNX operators of ArcFace-family embedders as PyTorch layers."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.errors import TrainingInvalid
from app.training.finetune.graph import Constants, Step


class Convolution(nn.Module):
    """Conv in two dimensions, also with other padding at one edge than at the opposite one."""

    def __init__(self, step: Step, constants: Constants) -> None:
        super().__init__()
        self.weight = _parameter(step, 1, constants)
        self.bias = _parameter(step, 2, constants) if _has(step, 2) else None
        if self.weight.ndim != 4 or step.attributes.get("auto_pad", b"NOTSET") not in {b"NOTSET", b"VALID"}:
            raise TrainingInvalid(f"the Conv that gives {step.output} is of a form that cannot be trained here")
        self._stride = _numbers(step, "strides", [1, 1])
        self._dilation = _numbers(step, "dilations", [1, 1])
        self._groups = int(_number(step, "group", 1))
        top, left, bottom, right = _numbers(step, "pads", [0, 0, 0, 0])
        self._pads = (left, right, top, bottom)

    def forward(self, values: Tensor) -> Tensor:
        """Convolve maps (n, channels, height, width)."""
        left, right, top, bottom = self._pads
        padding = (top, left)
        if (left, top) != (right, bottom):
            values, padding = functional.pad(values, self._pads), (0, 0)
        return functional.conv2d(values, self.weight, self.bias, self._stride, padding, self._dilation, self._groups)


class FrozenStatistics(nn.Module):
    """BatchNorm with the mean and variance it was trained with: those of a few other photos would be worse."""

    def __init__(self, step: Step, constants: Constants) -> None:
        super().__init__()
        self.weight, self.bias = (_parameter(step, place, constants) for place in (1, 2))
        for place, name in ((3, "mean"), (4, "variance")):
            self.register_buffer(name, _tensor(step, place, constants))
        self._epsilon = _number(step, "epsilon", 1e-5)

    def forward(self, values: Tensor) -> Tensor:
        """Normalise values (n, channels, ...)."""
        return functional.batch_norm(
            values, self.mean, self.variance, self.weight, self.bias, training=False, eps=self._epsilon
        )


class Slopes(nn.Module):
    """PReLU with one slope, or one for each channel."""

    def __init__(self, step: Step, constants: Constants) -> None:
        super().__init__()
        self.weight = nn.Parameter(_tensor(step, 1, constants).flatten())

    def forward(self, values: Tensor) -> Tensor:
        """Take values (n, channels, ...)."""
        return functional.prelu(values, self.weight)


class Linear(nn.Module):
    """Gemm, and MatMul with a constant matrix; the weights are kept as (outputs, inputs)."""

    def __init__(self, step: Step, constants: Constants) -> None:
        super().__init__()
        if _number(step, "transA", 0) or _number(step, "alpha", 1) != 1 or _number(step, "beta", 1) != 1:
            raise TrainingInvalid(f"the Gemm that gives {step.output} is of a form that cannot be trained here")
        matrix = _tensor(step, 1, constants)
        self.weight = nn.Parameter((matrix if _number(step, "transB", 0) else matrix.T).contiguous())
        self.bias = nn.Parameter(_tensor(step, 2, constants).flatten()) if _has(step, 2) else None

    def forward(self, values: Tensor) -> Tensor:
        """Take values (..., inputs), give (..., outputs)."""
        return functional.linear(values, self.weight, self.bias)


class Between(nn.Module):
    """Add, Sub, Mul or Div of two values, one of which may be constant; constants are not trained."""

    def __init__(self, step: Step, constants: Constants) -> None:
        super().__init__()
        self._operation = _ARITHMETIC[step.kind]
        for place, side in enumerate(("first", "second")):
            known = _tensor(step, place, constants) if step.inputs[place] in constants else None
            self.register_buffer(side, known)

    def forward(self, *values: Tensor) -> Tensor:
        """Take what is not constant, in the operator's order."""
        given = iter(values)
        first = next(given) if self.first is None else self.first
        second = next(given) if self.second is None else self.second
        return self._operation(first, second)


class Function(nn.Module):
    """An operator without weights."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *values: Tensor) -> Tensor:
        """Call the function."""
        return self._function(*values)


def layer(step: Step, constants: Constants) -> nn.Module:
    """Return the layer of an operator; raises TrainingInvalid, which names it, where there is none."""
    if step.kind in _WITH_WEIGHTS:
        return _WITH_WEIGHTS[step.kind](step, constants)
    if step.kind in _WITHOUT:
        return Function(_WITHOUT[step.kind](step, constants))
    known = ", ".join(sorted([*_WITH_WEIGHTS, *_WITHOUT]))
    raise TrainingInvalid(f"the operator {step.kind} (of {step.output}) cannot be trained here; known: {known}")


def _reshape(step: Step, constants: Constants) -> Callable[[Tensor], Tensor]:
    wanted = _constant(step, 1, constants).tolist()
    keeps = not _number(step, "allowzero", 0)

    def reshape(values: Tensor) -> Tensor:
        return values.reshape(
            [values.shape[place] if size == 0 and keeps else size for place, size in enumerate(wanted)]
        )

    return reshape


def _clip(step: Step, constants: Constants) -> Callable[[Tensor], Tensor]:
    """Limits are attributes up to opset 10, inputs after."""
    ends = [
        float(_constant(step, place, constants)) if _has(step, place) else step.attributes.get(name)
        for place, name in ((1, "min"), (2, "max"))
    ]
    return lambda values: values.clamp(*ends)


def _mean(step: Step, constants: Constants) -> Callable[[Tensor], Tensor]:
    axes = _constant(step, 1, constants).tolist() if _has(step, 1) else _numbers(step, "axes", [])
    keeps = bool(_number(step, "keepdims", 1))
    return lambda values: values.mean(axes, keepdim=keeps)


def _unsqueeze(step: Step, constants: Constants) -> Callable[[Tensor], Tensor]:
    axes = _constant(step, 1, constants).tolist() if _has(step, 1) else _numbers(step, "axes", [])

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
_WITH_WEIGHTS: Final[dict[str, Callable[[Step, Constants], nn.Module]]] = {
    "Conv": Convolution,
    "BatchNormalization": FrozenStatistics,
    "PRelu": Slopes,
    "Gemm": Linear,
    "MatMul": Linear,
    **dict.fromkeys(_ARITHMETIC, Between),
}
_WITHOUT: Final[dict[str, Callable[[Step, Constants], Callable[..., Tensor]]]] = {
    "Relu": lambda *_: torch.relu,
    "Sigmoid": lambda *_: torch.sigmoid,
    "Identity": lambda *_: lambda values: values,
    "Dropout": lambda *_: lambda values: values,
    "GlobalAveragePool": lambda *_: lambda values: values.mean((2, 3), keepdim=True),
    "Flatten": lambda step, _: lambda values: values.flatten(int(_number(step, "axis", 1))),
    "Transpose": lambda step, _: lambda values: values.permute(_numbers(step, "perm", [])),
    "Concat": lambda step, _: lambda *values: torch.cat(values, int(_number(step, "axis", 1))),
    "Reshape": _reshape,
    "Clip": _clip,
    "ReduceMean": _mean,
    "Unsqueeze": _unsqueeze,
}


def _has(step: Step, place: int) -> bool:
    return len(step.inputs) > place and bool(step.inputs[place])


def _constant(step: Step, place: int, constants: Constants) -> NDArray[np.generic]:
    if not _has(step, place) or step.inputs[place] not in constants:
        raise TrainingInvalid(f"the {step.kind} that gives {step.output} takes weights or a shape that are computed")
    return constants[step.inputs[place]]


def _tensor(step: Step, place: int, constants: Constants) -> Tensor:
    return torch.from_numpy(_constant(step, place, constants).astype(np.float32))


def _parameter(step: Step, place: int, constants: Constants) -> nn.Parameter:
    return nn.Parameter(_tensor(step, place, constants))


def _number(step: Step, name: str, default: float) -> float:
    value: float = step.attributes.get(name, default)
    return value


def _numbers(step: Step, name: str, default: list[int]) -> list[int]:
    return [int(each) for each in step.attributes.get(name, default)]
