"""Two packs with a tiny embedder, in float32 and in int8."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.vision.inference.releases import sha256

ACCURACY = """
[embedder.accuracy]
photos = "ten photos"
tmr = { 1e-3 = 0.99, 1e-4 = 0.98 }
"""


def tiny_embedder() -> bytes:
    """Return an ONNX network (n, 3, 112, 112) -> 1x1 convolution -> mean -> (n, 2)."""
    weight = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1), "weight")
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["map"], kernel_shape=[1, 1]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 112, 112]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2]),
    ]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def write_manifests(folder: Path, *, accuracy: str = ACCURACY, int8_accuracy: str = ACCURACY) -> None:
    """Write the manifests of `zoo` and `zoo-int8`, whose network is `rec.onnx` in InsightFace's archive `zoo`."""
    for name, stated, ranges in (("zoo", accuracy, ""), ("zoo-int8", int8_accuracy, "ranges = { x = [0, 255] }")):
        (folder / f"{name}.toml").write_text(f"""
title = "Tiny"
licence = "for tests only"
commercial_use = "yes"
[detector]
kind = "yunet"
files = ["rec.onnx"]
[embedder]
model = "{name}"
file = "rec.onnx"
dimension = 2
input_size = 112
color = "rgb"
mean = 0
scale = 1
alignment = "arcface-112"
threshold = 0.3
{stated}
[[files]]
name = "rec.onnx"
archive = "zoo"
member = "rec.onnx"
sha256 = "{sha256(tiny_embedder())}"
{ranges}
[archives.zoo]
registry = "insightface"
package = "zoo"
version = "model-zoo"
""")
