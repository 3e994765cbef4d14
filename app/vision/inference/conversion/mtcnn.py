"""P-, R- and O-Net of MTCNN (Zhang et al., IEEE SPL 2016) as ONNX, from the weight files of PyPI's `mtcnn` 1.0.0.

The layout of their arrays was found by comparison with other ports. Kernels are (height, width, in, out), so photos are
not transposed. The first dense layer counts its inputs by (width, height, channel), as the MATLAB original does, so its
rows are reordered here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.conversion.joblib_reader import read_arrays
from app.vision.inference.conversion.written import written


def pnet(weights: bytes) -> onnx.ModelProto:
    """Build P-Net from the bytes of `pnet.lz4`; raises NetworkInvalid if they are not its weights.

    `input` is (n, 3, height, width), RGB scaled to -1..1, with sides of at least 12. The outputs are a grid with a
    window of 12x12 pixels every 2 pixels: `probability` (n, 1, rows, columns) of a face, 0..1, and `box` (n, 4, rows,
    columns), the offsets of the face's left, top, right and bottom from the window's, as shares of its side.
    """
    net = _Net("pnet", ["n", 3, "height", "width"], read_arrays(weights))
    net.convolve(10, 3)
    net.pool(2)
    net.convolve(16, 3)
    net.convolve(32, 3)
    net.head("box", 4)
    net.face_head()
    return net.model()


def rnet(weights: bytes) -> onnx.ModelProto:
    """Build R-Net from the bytes of `rnet.lz4`; raises NetworkInvalid if they are not its weights.

    `input` is (n, 3, 24, 24), RGB scaled to -1..1. The outputs are `probability` (n, 1) of a face, 0..1, and `box`
    (n, 4), as those of P-Net.
    """
    net = _Net("rnet", ["n", 3, 24, 24], read_arrays(weights))
    net.convolve(28, 3)
    net.pool(3)
    net.convolve(48, 3)
    net.pool(3)
    net.convolve(64, 2)
    net.dense(128, side=3)
    net.head("box", 4)
    net.face_head()
    return net.model()


def onet(weights: bytes) -> onnx.ModelProto:
    """Build O-Net from the bytes of `onet.lz4`; raises NetworkInvalid if they are not its weights.

    `input` is (n, 3, 48, 48), RGB scaled to -1..1. The outputs are those of R-Net, and `landmarks` (n, 10). These are
    five x coordinates, then five y coordinates, in the order of `Detection`. Each is a distance from the left or top
    of the window, divided by its side.
    """
    net = _Net("onet", ["n", 3, 48, 48], read_arrays(weights))
    net.convolve(32, 3)
    net.pool(3)
    net.convolve(64, 3)
    net.pool(3)
    net.convolve(64, 3)
    net.pool(2)
    net.convolve(128, 2)
    net.dense(256, side=3)
    net.head("box", 4)
    net.head("landmarks", 10)
    net.face_head()
    return net.model()


class _Net:
    """A chain of layers, built with the weights in the order of the file. The shape of each array is checked."""

    def __init__(self, name: str, shape: Sequence[str | int], weights: list[Floats]) -> None:
        self._graph = onnx.GraphProto(name=name)
        self._graph.input.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, shape))
        self._weights = weights[::-1]
        self._top, self._channels = "input", 3
        self._cells: tuple[str, ...] = ("rows", "columns")

    def convolve(self, channels: int, side: int) -> None:
        """Add an unpadded convolution and its PReLU."""
        kernel, bias = self._take(side, side, self._channels, channels), self._take(channels)
        self._top = self._add("Conv", kernel.transpose(3, 2, 0, 1), bias)
        self._top = self._add("PRelu", self._take(1, 1, channels).reshape(channels, 1, 1))
        self._channels = channels

    def pool(self, side: int) -> None:
        """Add pooling by 2 that keeps an odd last row and column, as "same" padding does at these sizes."""
        self._top = self._add("MaxPool", kernel_shape=[side, side], strides=[2, 2], ceil_mode=1)

    def dense(self, units: int, side: int) -> None:
        """Add a dense layer over a map of `side` x `side`: (column, row, channel) becomes (channel, row, column)."""
        kernel = self._take(side * side * self._channels, units).reshape(side, side, self._channels, units)
        self._top = self._add("Flatten")
        self._top = self._add("Gemm", kernel.transpose(2, 1, 0, 3).reshape(-1, units), self._take(units))
        self._top = self._add("PRelu", self._take(units))
        self._channels, self._cells = units, ()

    def head(self, name: str, channels: int) -> None:
        """Add an output."""
        self._project(*self._linear(channels))
        self._output(name, channels)

    def face_head(self) -> None:
        """Add `probability`: the second of two softmax classes is the sigmoid of their difference."""
        kernel, bias = self._linear(2)
        self._top = self._project(kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1])
        self._add("Sigmoid")
        self._output("probability", 1)

    def model(self) -> onnx.ModelProto:
        """Return the network; raises NetworkInvalid if weights are left over."""
        if self._weights:
            raise NetworkInvalid(f"{len(self._weights)} arrays too many for {self._graph.name}")
        return written(self._graph)

    def _linear(self, channels: int) -> tuple[Floats, Floats]:
        window = (1, 1) if self._cells else ()
        return self._take(*window, self._channels, channels), self._take(channels)

    def _project(self, kernel: Floats, bias: Floats) -> str:
        return self._add("Conv", kernel.transpose(3, 2, 0, 1), bias) if self._cells else self._add("Gemm", kernel, bias)

    def _output(self, name: str, channels: int) -> None:
        """Name the last node's result as an output."""
        self._graph.node[-1].output[0] = name
        self._graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, *self._cells]))

    def _add(self, operator: str, *constants: Floats, **attributes: Any) -> str:
        """Append a node over the top of the chain and `constants`; return the name of its output."""
        name = f"{operator.lower()}_{len(self._graph.node)}"
        names = [f"{name}_{index}" for index in range(len(constants))]
        self._graph.initializer.extend(map(numpy_helper.from_array, map(np.ascontiguousarray, constants), names))
        self._graph.node.append(helper.make_node(operator, [self._top, *names], [name], name, **attributes))
        return name

    def _take(self, *shape: int) -> Floats:
        if not self._weights or self._weights[-1].shape != shape:
            raise NetworkInvalid(f"{self._graph.name} needs weights of shape {shape} next")
        return self._weights.pop()
