from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from app.errors import NetworkInvalid, ProviderUnavailable
from app.types import Provider
from app.vision.inference import runtime as module
from app.vision.inference.runtime import Runtime, resolve, usable_providers
from app.vision.inference.session import Session

HAS_CUDA = Provider.CUDA in usable_providers()
without_cuda = pytest.mark.skipif(HAS_CUDA, reason="this machine has a working CUDA provider")


def relu_network(*, operator: str = "Relu", opset: int = 17, ir_version: int = 8) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    return bytes(model.SerializeToString())


def test_the_smallest_network_is_a_valid_one():
    onnx.checker.check_model(onnx.load_model_from_string(module._IDENTITY), full_check=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_runs_on_the_provider_that_was_asked_for(threads: int):
    session = Runtime(Provider.CPU, threads).open(relu_network())
    assert session.get_providers()[0] == "CPUExecutionProvider"
    assert session.get_session_options().intra_op_num_threads == threads
    (result,) = session.run(None, {"x": np.array([[-1, 2]], np.float32)})
    assert result.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no network",
        relu_network()[:-9],
        relu_network(operator="Invented"),
        relu_network(opset=9999),
        relu_network(ir_version=9999),
    ],
    ids=["empty", "text", "cut", "operator", "opset", "IR version"],
)
def test_what_is_no_network_is_refused(data: bytes, tmp_path: Path):
    with pytest.raises(NetworkInvalid, match="cannot load the network"):
        Runtime().open(data)
    path = tmp_path / "odd.onnx"
    path.write_bytes(data)
    with pytest.raises(NetworkInvalid, match=r"cannot load odd\.onnx"):
        Runtime().open(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(NetworkInvalid, match=r"missing\.onnx"):
        Runtime().open(tmp_path / "missing.onnx")


def test_the_cpu_is_always_usable_and_comes_last():
    assert usable_providers()[-1] is Provider.CPU
    assert Provider.AUTO not in usable_providers()


def test_auto_takes_what_works_and_keeps_the_threads():
    assert resolve(Provider.AUTO, 3) == Runtime(Provider.CUDA if HAS_CUDA else Provider.CPU, 3)
    assert resolve(Provider.CPU, 2) == Runtime(Provider.CPU, 2)


@without_cuda
def test_auto_is_the_cpu_where_there_is_no_gpu():
    assert resolve(Provider.AUTO, 1).provider is Provider.CPU


@without_cuda
@pytest.mark.parametrize("provider", [Provider.CUDA, Provider.TENSORRT, Provider.OPENVINO, Provider.COREML])
def test_a_provider_that_does_not_work_is_not_replaced(provider: Provider):
    with pytest.raises(ProviderUnavailable, match=f"{provider} was requested.*usable: cpu"):
        resolve(provider, 1)


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")  # ONNX Runtime warns about the same
def test_a_session_that_fell_back_is_refused():
    with pytest.raises(ProviderUnavailable, match="cuda was requested, but ONNX Runtime can only use CPU"):
        Runtime(Provider.CUDA).open(relu_network())


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_CUDA, reason="needs an NVIDIA GPU and the gpu installation (make test EXTRA=gpu)")
def test_cuda_really_runs_the_network(tmp_path: Path):
    opened = resolve(Provider.CUDA, 1)
    assert resolve(Provider.AUTO, 1) == opened
    assert Session(relu_network(), opened).run(np.array([[-1, 2]], np.float32))[0].tolist() == [[0, 2]]
    # The profile names the provider of each node that ran.
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    session = ort.InferenceSession(
        relu_network(), sess_options=options, providers=opened.open(relu_network()).get_providers()
    )
    session.run(None, {"x": np.ones((4, 2), np.float32)})
    assert "CUDAExecutionProvider" in Path(session.end_profiling()).read_text("utf-8")
