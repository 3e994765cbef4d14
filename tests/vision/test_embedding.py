"""Preprocessing, flip averaging and norms, on tiny networks whose features are also computed in NumPy."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper

from app.errors import ShuttingDown
from app.types import Floats, Pixels
from app.vision.alignment import align
from app.vision.embedding import Embedder, Preprocessing, as_input
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.batcher import Batching
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.wiring.networks import open_embedder

SIDE, DIMENSION = 6, 5
WEIGHTS: Floats = np.random.default_rng(3).normal(size=(3 * SIDE * SIDE, DIMENSION)).astype(np.float32)

CROPS = arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(SIDE), st.just(SIDE), st.just(3)))


def linear_network(weights: Floats) -> bytes:
    """Build a network whose feature is the flattened input times `weights`."""
    nodes = [helper.make_node("Flatten", ["input"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["feature"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, ["n", weights.shape[1]])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(linear_network(WEIGHTS), Runtime())


def random_crops(count: int) -> Pixels:
    return np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def features_of(crops: Pixels, *, mean: float = 127.5, scale: float = 128.0, is_bgr: bool = False) -> Floats:
    """Compute the features pixel by pixel in float64."""
    order = [2, 1, 0] if is_bgr else [0, 1, 2]
    planes = [(crops[..., channel].astype(np.float64) - mean) / scale for channel in order]
    return np.asarray(np.stack(planes, axis=1).reshape(len(crops), -1) @ WEIGHTS.astype(np.float64), np.float32)


@given(CROPS, st.sampled_from([0.0, 104.0, 127.5]), st.sampled_from([1.0, 127.5, 128.0]), st.booleans())
def test_input_is_what_the_formula_says(crops: Pixels, mean: float, scale: float, is_bgr: bool):  # noqa: FBT001 - drawn
    batch = as_input(crops, Preprocessing(mean, scale, is_bgr=is_bgr))
    assert batch.dtype == np.float32
    assert batch.shape == (len(crops), 3, SIDE, SIDE)
    for channel in range(3):
        source = crops[..., 2 - channel if is_bgr else channel].astype(np.float64)
        np.testing.assert_allclose(batch[:, channel], (source - mean) / scale, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("is_bgr", [False, True])
@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (127.5, 128.0), (127.5, 127.5)])
def test_vectors_and_norms_are_those_of_the_features(session: Session, mean: float, scale: float, is_bgr: bool):  # noqa: FBT001 - a case
    crops = random_crops(7)
    expected = features_of(crops, mean=mean, scale=scale, is_bgr=is_bgr)
    lengths = np.linalg.norm(expected, axis=1)
    embeddings = Embedder(session, Preprocessing(mean, scale, is_bgr=is_bgr)).embed(crops)
    np.testing.assert_allclose(embeddings.norms, lengths, rtol=1e-4)
    np.testing.assert_allclose(embeddings.vectors, expected / lengths[:, None], atol=1e-5)
    assert embeddings.vectors.dtype == embeddings.norms.dtype == np.float32


@given(CROPS, st.booleans())
def test_vectors_have_length_one(session: Session, crops: Pixels, is_flip_averaged: bool):  # noqa: FBT001 - drawn
    embeddings = Embedder(session, Preprocessing()).embed(crops, is_flip_averaged=is_flip_averaged)
    assert embeddings.vectors.shape == (len(crops), DIMENSION)
    assert embeddings.norms.shape == (len(crops),)
    np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), np.ones(len(crops)), rtol=1e-5)


@given(CROPS)
def test_a_flip_averaged_crop_equals_its_mirror_image(session: Session, crops: Pixels):
    embedder = Embedder(session, Preprocessing())
    one, other = (embedder.embed(each, is_flip_averaged=True) for each in (crops, crops[:, :, ::-1]))
    np.testing.assert_array_equal(one.vectors, other.vectors)
    np.testing.assert_array_equal(one.norms, other.norms)


def test_flip_averaging_is_the_mean_of_two_features(session: Session):
    crops = random_crops(4)
    expected = (features_of(crops) + features_of(crops[:, :, ::-1])) / 2
    embeddings = Embedder(session, Preprocessing()).embed(crops, is_flip_averaged=True)
    np.testing.assert_allclose(embeddings.vectors * embeddings.norms[:, None], expected, rtol=1e-3, atol=1e-4)


def test_one_embedder_serves_both_ways_and_remembers_neither(session: Session):
    embedder, crops = Embedder(session, Preprocessing()), random_crops(4)
    plain, averaged, again = embedder.embed(crops), embedder.embed(crops, is_flip_averaged=True), embedder.embed(crops)
    np.testing.assert_array_equal(plain.vectors, again.vectors)
    np.testing.assert_array_equal(plain.norms, again.norms)
    assert not np.allclose(plain.vectors, averaged.vectors, atol=0.01)


def test_flip_averaging_never_lengthens_a_feature_beyond_its_two_parts(session: Session):
    embedder, crops = Embedder(session, Preprocessing()), random_crops(16)
    one, other = embedder.embed(crops), embedder.embed(crops[:, :, ::-1])
    averaged = embedder.embed(crops, is_flip_averaged=True)
    assert (averaged.norms <= (one.norms + other.norms) / 2 * (1 + 1e-5)).all()


@pytest.mark.parametrize("is_flip_averaged", [False, True])
def test_no_crop_gives_no_vector(session: Session, is_flip_averaged: bool):  # noqa: FBT001 - a case
    embeddings = Embedder(session, Preprocessing()).embed(random_crops(0), is_flip_averaged=is_flip_averaged)
    assert embeddings.vectors.shape == (0, DIMENSION)
    assert embeddings.norms.shape == (0,)
    assert embeddings.vectors.dtype == np.float32


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64, 70])
def test_many_crops_equal_one_by_one(session: Session, count: int):
    embedder, crops = Embedder(session, Preprocessing()), random_crops(count)
    together = embedder.embed(crops, is_flip_averaged=True)
    apart = [embedder.embed(crop[None], is_flip_averaged=True) for crop in crops]
    np.testing.assert_allclose(together.vectors, np.concatenate([each.vectors for each in apart]), atol=1e-6)
    np.testing.assert_allclose(together.norms, np.concatenate([each.norms for each in apart]), rtol=1e-5)


def test_a_crowd_comes_to_the_network_in_bounded_batches(session: Session, monkeypatch: pytest.MonkeyPatch):
    sizes, run = [], session.run

    def counting(batch: Floats) -> list[Floats]:
        sizes.append(len(batch))
        return run(batch)

    monkeypatch.setattr(session, "run", counting)
    Embedder(session, Preprocessing()).embed(random_crops(70))
    assert sum(sizes) == 70
    assert max(sizes) <= 32


def test_a_feature_of_zero_is_not_divided_by_zero():
    embedder = Embedder(Session(linear_network(np.zeros_like(WEIGHTS)), Runtime()), Preprocessing())
    embeddings = embedder.embed(random_crops(3))
    assert not embeddings.norms.any()
    assert not embeddings.vectors.any()


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_very_short_and_very_long_features_are_normalised(factor: float):
    embedder = Embedder(Session(linear_network(WEIGHTS * np.float32(factor)), Runtime()), Preprocessing())
    embeddings = embedder.embed(random_crops(3))
    np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), np.ones(3), rtol=1e-4)


@pytest.mark.parametrize("pack", ["open", "arcface-mobilefacenet"])
def test_the_real_network_knows_a_face_again(pack: str, network, packs, portrait: bytes):
    manifest = packs.manifest(pack)
    assert manifest.embedder is not None
    network(pack, manifest.embedder.file)
    embedder = open_embedder(packs, manifest, Runtime())
    pixels = decode(portrait, Limits()).pixels
    points = np.array([[204, 101], [247, 103], [225, 129], [202, 139], [246, 141]], np.float32)
    crops = align(pixels, np.stack([points, points + 1.5, points + 300]))
    embeddings = embedder.embed(np.concatenate([crops, crops[:1, :, ::-1]]), is_flip_averaged=True)
    similarities = embeddings.vectors @ embeddings.vectors.T
    assert similarities[0, 1] > 0.9
    assert similarities[0, 2] < 0.5
    assert similarities[0, 3] == pytest.approx(1, abs=1e-4)
    assert embeddings.norms[0] > embeddings.norms[2]


def test_concurrent_calls_share_runs_and_get_the_same(session: Session):
    batched = Embedder(session, Preprocessing(), Batching(largest=16, wait_seconds=0.05))
    alone = Embedder(session, Preprocessing())
    photos = [random_crops(count) for count in (1, 2, 3, 1, 40, 0)]
    with ThreadPoolExecutor(len(photos)) as pool:
        found = list(pool.map(lambda crops: batched.embed(crops, is_flip_averaged=True), photos))
    for crops, each in zip(photos, found, strict=True):
        expected = alone.embed(crops, is_flip_averaged=True)
        np.testing.assert_allclose(each.vectors, expected.vectors, atol=1e-6)
        np.testing.assert_allclose(each.norms, expected.norms, rtol=1e-5)
    assert batched.batcher is not None
    sizes = batched.batcher.state().sizes
    assert sum(size * runs for size, runs in sizes.items()) == 94
    assert sum(sizes.values()) < 10
    assert max(sizes) <= 16
    batched.close()
    with pytest.raises(ShuttingDown):
        batched.embed(photos[0])
    alone.close()
    alone.embed(photos[0])


def test_a_face_and_its_mirror_image_take_one_run(session: Session):
    embedder = Embedder(session, Preprocessing(), Batching(wait_seconds=0))
    embedder.embed(random_crops(1), is_flip_averaged=True)
    assert embedder.batcher is not None
    assert embedder.batcher.state().sizes == {2: 1}
    embedder.close()
