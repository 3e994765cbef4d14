"""MiniFASNet from its weight file, against the same layers in PyTorch."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from app.config import PROJECT
from app.errors import NetworkInvalid
from app.types import Floats
from app.vision.inference.conversion.minifasnet import to_onnx
from app.vision.inference.conversion.torch_reader import read_tensors
from app.vision.inference.manifest import read_manifest
from tests.vision.inference.conversion.torch_writer import dump

State = dict[str, Floats]
STAGES = {"conv_23": 0, "conv_3": 4, "conv_34": 0, "conv_4": 6, "conv_45": 0, "conv_5": 2}
RNG = np.random.default_rng(11)


def normal(*shape: int) -> Floats:
    deviation = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.2
    return RNG.normal(0, deviation, shape).astype(np.float32)


def norm(state: State, name: str, width: int) -> None:
    state[f"{name}.weight"], state[f"{name}.bias"] = 1 + normal(width), normal(width)
    state[f"{name}.running_mean"], state[f"{name}.running_var"] = normal(width), np.exp(normal(width))


def convolution(state: State, name: str, shape: tuple[int, ...], *, is_linear: bool = False) -> None:
    state[f"{name}.conv.weight"] = normal(*shape)
    norm(state, f"{name}.bn", shape[0])
    if not is_linear:
        state[f"{name}.prelu.weight"] = normal(shape[0])


def bottleneck(state: State, name: str, *, width: int, has_excitation: bool) -> None:
    convolution(state, f"{name}.conv", (6, width, 1, 1))
    convolution(state, f"{name}.conv_dw", (6, 1, 3, 3))
    convolution(state, f"{name}.project", (width, 6, 1, 1), is_linear=True)
    if has_excitation:
        state[f"{name}.se_module.fc1.weight"], state[f"{name}.se_module.fc2.weight"] = (
            normal(2, width, 1, 1),
            normal(width, 2, 1, 1),
        )
        norm(state, f"{name}.se_module.bn1", 2)
        norm(state, f"{name}.se_module.bn2", width)


def random_state(*, has_excitation: bool) -> State:
    """Return weights of a narrow network of 32 pixels, with its layout."""
    state: State = {}
    convolution(state, "conv1", (8, 3, 3, 3))
    convolution(state, "conv2_dw", (8, 1, 3, 3))
    for stage, blocks in STAGES.items():
        names = [f"{stage}.model.{place}" for place in range(blocks)] or [stage]
        for name in names:
            bottleneck(state, name, width=8, has_excitation=has_excitation and blocks > 0 and name == names[-1])
    convolution(state, "conv_6_sep", (16, 8, 1, 1))
    convolution(state, "conv_6_dw", (16, 1, 2, 2), is_linear=True)
    state["linear.weight"], state["prob.weight"] = normal(5, 16), normal(3, 5)
    norm(state, "bn", 5)
    return state


class InTorch:
    """The published layers one by one, with BatchNorm as it is."""

    def __init__(self, torch: Any, state: State) -> None:
        self._f = torch.nn.functional
        self._w = {name: torch.from_numpy(values) for name, values in state.items()}

    def logits(self, values: Any) -> Any:
        values = self._conv("conv2_dw", self._conv("conv1", values, stride=2, padding=1), padding=1)
        for stage, blocks in STAGES.items():
            if not blocks:
                values = self._block(stage, values, stride=2)
            for place in range(blocks):
                values = values + self._block(f"{stage}.model.{place}", values)
        values = self._conv("conv_6_dw", self._conv("conv_6_sep", values)).flatten(1)
        values = self._norm("bn", self._f.linear(values, self._w["linear.weight"]))
        return self._f.linear(values, self._w["prob.weight"])

    def _block(self, name: str, values: Any, stride: int = 1) -> Any:
        values = self._conv(f"{name}.conv_dw", self._conv(f"{name}.conv", values), stride=stride, padding=1)
        values = self._conv(f"{name}.project", values)
        excitation = f"{name}.se_module"
        if f"{excitation}.fc1.weight" not in self._w:
            return values
        pooled = self._f.conv2d(self._f.adaptive_avg_pool2d(values, 1), self._w[f"{excitation}.fc1.weight"])
        pooled = self._f.relu(self._norm(f"{excitation}.bn1", pooled))
        pooled = self._norm(f"{excitation}.bn2", self._f.conv2d(pooled, self._w[f"{excitation}.fc2.weight"]))
        return values * pooled.sigmoid()

    def _conv(self, name: str, values: Any, *, stride: int = 1, padding: int = 0) -> Any:
        kernel = self._w[f"{name}.conv.weight"]
        groups = len(kernel) if kernel.shape[1] == 1 else 1
        values = self._f.conv2d(values, kernel, stride=stride, padding=padding, groups=groups)
        values = self._norm(f"{name}.bn", values)
        slopes = self._w.get(f"{name}.prelu.weight")
        return values if slopes is None else self._f.prelu(values, slopes)

    def _norm(self, name: str, values: Any) -> Any:
        parts = [self._w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return self._f.batch_norm(values, *parts)


def run(weights: bytes, batch: Floats) -> Floats:
    session = ort.InferenceSession(to_onnx(weights).SerializeToString())
    logits: Floats = session.run(["logits"], {"input": batch})[0]
    return logits


@pytest.mark.parametrize("has_excitation", [False, True])
def test_random_weights_give_the_logits_of_pytorch(has_excitation):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; run: make training")
    state = random_state(has_excitation=has_excitation)
    batch = RNG.uniform(0, 255, (3, 3, 32, 32)).astype(np.float32)
    expected = InTorch(torch, state).logits(torch.from_numpy(batch)).numpy()
    parallel = {f"module.{name}": values for name, values in state.items()}
    for weights in (dump(state), dump(parallel)):
        assert run(weights, batch) == pytest.approx(expected, rel=1e-4, abs=1e-5 * float(np.abs(expected).max()))


@pytest.mark.parametrize("place", [0, 1])
def test_the_published_weights_give_the_logits_of_pytorch(place):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; run: make training")
    (download,) = read_manifest(PROJECT / "models" / "minifasnet.toml").files[place].downloads
    file = PROJECT.parent / "shared" / "networks" / download.name
    if not file.is_file():
        pytest.skip(f"{download.name} is not in ../shared/networks")
    weights = file.read_bytes()
    state = {name.removeprefix("module."): values for name, values in read_tensors(weights).items()}
    batch = RNG.uniform(0, 255, (4, 3, 80, 80)).astype(np.float32)
    expected = InTorch(torch, state).logits(torch.from_numpy(batch)).numpy()
    assert np.abs(run(weights, batch) - expected).max() < 2e-5


def test_weights_of_another_network_are_refused():
    state = random_state(has_excitation=True)
    fewer = {name: values for name, values in state.items() if name != "conv_45.conv.bn.running_mean"}
    with pytest.raises(NetworkInvalid, match=r"lacks conv_45\.conv\.bn\.running_mean"):
        to_onnx(dump(fewer))
    with pytest.raises(NetworkInvalid, match="1 tensors that MiniFASNet has not"):
        to_onnx(dump(state | {"prob.bias": normal(3)}))
    with pytest.raises(NetworkInvalid, match="do not fit"):
        to_onnx(dump(state | {"conv_5.model.1.conv.conv.weight": normal(6, 9, 1, 1)}))
