"""Fusion: tiny linear networks against NumPy, and the shipped pack against its two networks."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.errors import NetworkInvalid
from app.types import Floats, Pixels
from app.vision.alignment import ARCFACE_TEMPLATE
from app.vision.embedding import Embedder, Preprocessing
from app.vision.imaging.warp import warp
from app.vision.inference.conversion.fusion import Branch, fuse
from app.vision.inference.downloads import Mirrors
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.vision.inference.templates import TEMPLATES, upright_transform
from app.wiring.networks import open_embedder
from tests.conftest import MODELS


def linear(side: int, dimension: int, *, seed: int = 0, opset: int = 17) -> tuple[bytes, Floats]:
    """Return a network whose feature is the flattened input times a matrix, and this matrix."""
    matrix = np.random.default_rng(seed).normal(size=(3 * side * side, dimension)).astype(np.float32)
    nodes = [helper.make_node("Flatten", ["input"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["feature"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, ["n", dimension])],
        [numpy_helper.from_array(matrix, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(model.SerializeToString()), matrix


def smooth_crops(count: int, side: int = 112) -> Pixels:
    """Return crops without fine detail, so that two ways to interpolate agree."""
    rows, columns = np.mgrid[:side, :side] / side * np.pi
    phases = np.random.default_rng(1).uniform(0, 3, (count, 3, 1, 1))
    waves = np.sin(rows + phases) * np.cos(2 * columns + phases)
    crops: Pixels = np.round(127 + 120 * waves).astype(np.uint8).transpose(0, 2, 3, 1)
    return crops


def fed(crops: Pixels) -> Floats:
    return crops.transpose(0, 3, 1, 2).astype(np.float32)


def unit(features: Floats) -> Floats:
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def test_the_cosine_is_the_weighted_sum_and_the_length_that_of_the_first():
    (first, w1), (second, w2) = linear(112, 5), linear(112, 7, seed=1, opset=13)
    session = Session(fuse([Branch(first, 0.3), Branch(second, 0.7, is_bgr=True)]), Runtime())
    values = fed(np.random.default_rng(5).integers(0, 256, (4, 112, 112, 3), dtype=np.uint8))
    (fused,) = session.run(values)
    f1, f2 = values.reshape(4, -1) @ w1, values[:, ::-1].reshape(4, -1) @ w2
    assert session.output_shapes == {"embedding": (None, 12)}
    np.testing.assert_allclose(np.linalg.norm(fused, axis=1), np.linalg.norm(f1, axis=1), rtol=1e-4)
    expected = 0.3 * unit(f1) @ unit(f1).T + 0.7 * unit(f2) @ unit(f2).T
    np.testing.assert_allclose(unit(fused) @ unit(fused).T, expected, atol=1e-4)


def test_a_branch_gets_the_part_of_the_crop_that_its_template_shows():
    zoo = TEMPLATES["zoo-128"]
    (first, _), (second, matrix) = linear(112, 2), linear(128, 6, seed=2)
    crops = smooth_crops(3)
    (fused,) = Session(fuse([Branch(first, 0.5), Branch(second, 0.5, template=zoo)]), Runtime()).run(fed(crops))
    scale, (right, down) = upright_transform(ARCFACE_TEMPLATE, zoo.landmarks)
    cut = np.stack([warp(crop, np.array([[scale, 0, right], [0, scale, down]]), 128) for crop in crops])
    expected = unit(fed(cut).reshape(3, -1) @ matrix)
    assert (unit(fused[:, 2:]) * expected).sum(axis=1).min() > 0.9999


def test_a_black_crop_has_a_finite_feature():
    session = Session(fuse([Branch(linear(112, 2)[0], 0.5), Branch(linear(112, 2, seed=1)[0], 0.5)]), Runtime())
    assert np.array_equal(session.run(np.zeros((1, 3, 112, 112), np.float32))[0], np.zeros((1, 4)))


def test_what_cannot_be_fused_is_refused():
    good, _ = linear(112, 2)
    two = onnx.load_model_from_string(good)
    two.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, None))
    for wrong in (b"no network", two.SerializeToString(), linear(64, 2)[0]):
        with pytest.raises(NetworkInvalid, match="fused"):
            fuse([Branch(good, 0.5), Branch(wrong, 0.5)])


# The shipped pack


@pytest.fixture(scope="module")
def open_plus(zoo_mirror, tmp_path_factory) -> Embedder:
    pulled = Packs(MODELS, tmp_path_factory.mktemp("models"), Mirrors(files=str(zoo_mirror)))
    pulled.pull(pulled.manifest("open-plus"))
    return open_embedder(pulled, pulled.manifest("open-plus"), Runtime())


def test_open_plus_begins_with_the_vector_of_open(open_plus, network):
    sface = Embedder(Session(network("open", "sface.onnx"), Runtime()), Preprocessing(0, 1))
    crops = smooth_crops(4)
    plus, plain = open_plus.embed(crops), sface.embed(crops)
    assert plus.vectors.shape == (4, 384)
    np.testing.assert_allclose(plus.norms, plain.norms, rtol=1e-4)
    np.testing.assert_allclose(plus.vectors[:, :128], plain.vectors * np.sqrt(0.53), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(plus.vectors[:, 128:], axis=1), np.sqrt(0.47), atol=1e-4)
