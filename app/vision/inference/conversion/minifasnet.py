"""MiniFASNet as ONNX, from the weight files of minivision-ai/Silent-Face-Anti-Spoofing (Apache-2.0).

The networks are MobileFaceNets (Chen et al., "MobileFaceNets", CCBR 2018) with pruned widths, which the shapes of the
weights determine. In the variants "SE", the last block of each stage has squeeze-and-excitation (Hu et al., CVPR 2018).
BatchNorm is folded into the layer before it, or after it.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.conversion.torch_reader import read_tensors
from app.vision.inference.conversion.written import written

_STAGES = {"conv_3": 4, "conv_4": 6, "conv_5": 2}  # residual blocks
_STRIDE = 16  # of the whole network before its last convolution, which covers the whole map
_EPSILON = 1e-5  # of BatchNorm
_PARALLEL = "module."  # before each name, if the network was trained on several GPUs


def to_onnx(weights: bytes) -> onnx.ModelProto:
    """Build the network from the bytes of its `.pth` file; raises NetworkInvalid if they are not its weights.

    `input` is (n, 3, side, side), BGR, 0..255. `logits` is (n, classes).
    """
    tensors = {name.removeprefix(_PARALLEL): each for name, each in read_tensors(weights).items()}
    try:
        return _built(_MiniFasNet(tensors))
    except (IndexError, ValueError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise NetworkInvalid(f"the weights do not fit together: {error}") from error


def _built(net: "_MiniFasNet") -> onnx.ModelProto:
    net.convolve("conv1", stride=2, padding=1)
    net.convolve("conv2_dw", padding=1)
    net.block("conv_23", stride=2)
    net.stage("conv_3")
    net.block("conv_34", stride=2)
    net.stage("conv_4")
    net.block("conv_45", stride=2)
    net.stage("conv_5")
    net.convolve("conv_6_sep")
    net.convolve("conv_6_dw", is_linear=True)
    net.classify()
    return net.model()


class _MiniFasNet:
    """A chain of layers, built with named weights."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self._weights = weights
        self._graph = onnx.GraphProto(name="minifasnet")
        side = _STRIDE * (weights["conv_6_dw.conv.weight"].shape[-1] if "conv_6_dw.conv.weight" in weights else 0)
        self._graph.input.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, side, side]))
        self._top, self._channels = "input", 3

    def convolve(self, name: str, *, stride: int = 1, padding: int = 0, is_linear: bool = False) -> None:
        """Add a convolution, depthwise if each kernel has one channel, and its PReLU unless `is_linear`."""
        kernel, bias = self._normed(f"{name}.conv.weight", f"{name}.bn")
        self._convolve(kernel, bias, group=len(kernel) if kernel.shape[1] == 1 else 1, stride=stride, padding=padding)
        if not is_linear:
            self._top = self._add("PRelu", self._top, self._take(f"{name}.prelu.weight").reshape(-1, 1, 1))

    def block(self, name: str, *, stride: int = 1, is_residual: bool = False) -> None:
        """Add a bottleneck: 1x1 convolution, depthwise convolution, 1x1 projection."""
        shortcut = self._top
        self.convolve(f"{name}.conv")
        self.convolve(f"{name}.conv_dw", stride=stride, padding=1)
        self.convolve(f"{name}.project", is_linear=True)
        if f"{name}.se_module.fc1.weight" in self._weights:
            self._excite(f"{name}.se_module")
        if is_residual:
            self._top = self._add("Add", shortcut, self._top)

    def stage(self, name: str) -> None:
        """Add the residual blocks of a stage."""
        for place in range(_STAGES[name]):
            self.block(f"{name}.model.{place}", is_residual=True)

    def classify(self) -> None:
        """Add the embedding and the classes, of which BatchNorm and both linear layers make one."""
        scale, shift = self._norm("bn")
        classes = self._take("prob.weight").astype(np.float64)
        weight = (classes * scale) @ self._take("linear.weight").astype(np.float64)
        self._top = self._add("Flatten", self._top)
        self._add("Gemm", self._top, weight, classes @ shift, transB=1)
        self._graph.node[-1].output[0] = "logits"
        self._graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(classes)]))

    def model(self) -> onnx.ModelProto:
        """Return the network; raises NetworkInvalid if weights are left over."""
        if self._weights:
            raise NetworkInvalid(f"the weight file has {len(self._weights)} tensors that MiniFASNet has not")
        return written(self._graph)

    def _excite(self, name: str) -> None:
        values = self._top
        self._top = self._add("GlobalAveragePool", values)
        self._convolve(*self._normed(f"{name}.fc1.weight", f"{name}.bn1"))
        self._top = self._add("Relu", self._top)
        self._convolve(*self._normed(f"{name}.fc2.weight", f"{name}.bn2"))
        self._top = self._add("Mul", values, self._add("Sigmoid", self._top))

    def _convolve(
        self,
        kernel: NDArray[np.float64],
        bias: NDArray[np.float64],
        *,
        group: int = 1,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        if kernel.shape[1] * group != self._channels:
            raise ValueError(f"a kernel of {kernel.shape[1] * group} channels follows {self._channels} channels")
        self._top = self._add("Conv", self._top, kernel, bias, group=group, strides=[stride] * 2, pads=[padding] * 4)
        self._channels = len(kernel)

    def _normed(self, kernel: str, norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a kernel and a bias that contain the BatchNorm after them."""
        scale, shift = self._norm(norm)
        return self._take(kernel) * scale.reshape(-1, 1, 1, 1), shift

    def _norm(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the scale and the shift of a BatchNorm."""
        gamma, beta, mean, variance = (
            self._take(f"{name}.{part}").astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return scale, beta - mean * scale

    def _add(self, operator: str, *inputs: "str | NDArray[Any]", **attributes: Any) -> str:
        """Append a node; arrays among its inputs become constants. Return the name of its output."""
        name = f"{operator.lower()}_{len(self._graph.node)}"
        names = []
        for place, each in enumerate(inputs):
            if not isinstance(each, str):
                tensor = numpy_helper.from_array(np.ascontiguousarray(each, np.float32), f"{name}_{place}")
                self._graph.initializer.append(tensor)
            names.append(each if isinstance(each, str) else f"{name}_{place}")
        self._graph.node.append(helper.make_node(operator, names, [name], name, **attributes))
        return name

    def _take(self, name: str) -> Floats:
        if name not in self._weights:
            raise NetworkInvalid(f"the weight file lacks {name}, so it is not MiniFASNet")
        return self._weights.pop(name)
