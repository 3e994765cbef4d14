"""Comparison with InsightFace's SCRFD: its decoding functions, and its class on a synthetic network."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.errors import NetworkInvalid
from app.types import Floats, Pixels
from app.vision.detection.boxes import nms
from app.vision.detection.scrfd import ANCHORS_PER_CELL, STRIDES, Scrfd, decode
from app.vision.detection.single_shot import Options, SingleShotDetector
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session

KINDS = {"score": 1, "bbox": 4, "kps": 10}


def synthetic_network(*, is_batched: bool = False, kinds: tuple[str, ...] = tuple(KINDS)) -> bytes:
    """Build a network of the published form: a convolution for each output, with its kernel size as stride."""
    rng = np.random.default_rng(2)
    nodes, tensors, outputs = [], [], []
    for kind in kinds:
        for stride in STRIDES:
            name, size = f"{kind}_{stride}", KINDS[kind]
            spread = {"score": 3.0, "bbox": 1.0, "kps": 1.0}[kind] / stride
            kernel = rng.normal(0, spread, (ANCHORS_PER_CELL * size, 3, stride, stride)).astype(np.float32)
            bias = np.full(len(kernel), {"score": -1.0, "bbox": 12.0, "kps": 0.0}[kind], np.float32)
            shape = np.array([*([1] if is_batched else []), -1, size], np.int64)
            tensors += [
                numpy_helper.from_array(value, f"{name}_{part}")
                for part, value in (("kernel", kernel), ("bias", bias), ("shape", shape))
            ]
            last = "Sigmoid" if kind == "score" else "Identity"
            nodes += [
                helper.make_node(
                    "Conv", ["input", f"{name}_kernel", f"{name}_bias"], [f"{name}_map"], strides=[stride] * 2
                ),
                helper.make_node(last, [f"{name}_map"], [f"{name}_on"]),
                helper.make_node("Transpose", [f"{name}_on"], [f"{name}_last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [name]),
            ]
            form: list[str | int | None] = [*([1] if is_batched else []), f"cells_{name}", size]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, form))
    size_free = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])
    graph = helper.make_graph(nodes, "scrfd", [size_free], outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def photo(height: int, width: int) -> Pixels:
    return np.random.default_rng([height, width]).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(params=[False, True], ids=["flat", "batched"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "scrfd.onnx"
    file.write_bytes(synthetic_network(is_batched=request.param))
    return file


@pytest.fixture
def published(path: Path):
    from insightface.model_zoo.scrfd import SCRFD  # noqa: PLC0415 - heavy, and wanted here alone

    return SCRFD(str(path), static_shape_sessions=False)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (320, 256)])
def test_decoding_equals_insightface(height: int, width: int):
    from insightface.model_zoo.scrfd import distance2bbox, distance2kps  # noqa: PLC0415 - as above

    rng = np.random.default_rng(1)
    cells = [(height // stride) * (width // stride) for stride in STRIDES]
    outputs = [
        rng.uniform(0, 1, (count * ANCHORS_PER_CELL, size)).astype(np.float32) * (1 if size == 1 else 6)
        for size in KINDS.values()
        for count in cells
    ]
    faces = decode(outputs, width, 0.5)
    boxes, landmarks = [], []
    for level, stride in enumerate(STRIDES):
        rows = np.flatnonzero(outputs[level][:, 0] >= 0.5)
        # Two anchors in each cell, cell by cell, row by row.
        grid = np.array([(x, y) for y in range(height // stride) for x in range(width // stride)], np.float32) * stride
        centres = np.repeat(grid, ANCHORS_PER_CELL, axis=0)
        boxes.append(distance2bbox(centres, outputs[level + 3] * stride)[rows])
        landmarks.append(distance2kps(centres, outputs[level + 6] * stride)[rows].reshape(-1, 5, 2))
    np.testing.assert_allclose(faces.boxes, np.concatenate(boxes), atol=1e-3)
    np.testing.assert_allclose(faces.landmarks, np.concatenate(landmarks), atol=1e-3)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (320, 224)])
def test_a_view_gives_what_insightfaces_forward_gives(path: Path, published, size: tuple[int, int]):
    view = photo(*size)
    scores, boxes, landmarks = (np.concatenate(parts) for parts in published.forward(view[..., ::-1], 0.5))
    (faces,) = Scrfd(Session(path, Runtime())).find(view[None], 0.5)
    assert len(scores) > 3
    np.testing.assert_allclose(faces.scores, scores[:, 0], atol=1e-5)
    np.testing.assert_allclose(faces.boxes, boxes, atol=1e-3)
    np.testing.assert_allclose(faces.landmarks, landmarks, atol=1e-3)


@pytest.mark.parametrize("size", [(64, 96), (160, 128)])
def test_faces_after_suppression_equal_insightfaces(path: Path, published, size: tuple[int, int]):
    view = photo(*size)
    expected, landmarks = published.detect(view[..., ::-1], input_size=size[::-1], det_thresh=0.5)
    (faces,) = Scrfd(Session(path, Runtime())).find(view[None], 0.5)
    kept = faces.take(nms(faces.boxes, faces.scores, published.nms_thresh))
    np.testing.assert_allclose(kept.boxes, expected[:, :4], atol=1e-3)
    np.testing.assert_allclose(kept.scores, expected[:, 4], atol=1e-5)
    np.testing.assert_allclose(kept.landmarks, landmarks, atol=1e-3)


def test_several_views_are_looked_at_one_by_one(path: Path):
    network = Scrfd(Session(path, Runtime()))
    views = np.stack([photo(64, 96), photo(64, 96)[::-1], np.zeros((64, 96, 3), np.uint8)])
    for view, together in zip(views, network.find(views, 0.5), strict=True):
        (alone,) = network.find(view[None], 0.5)
        np.testing.assert_array_equal(together.boxes, alone.boxes)
        np.testing.assert_array_equal(together.landmarks, alone.landmarks)


def test_it_is_a_network_of_the_single_shot_detector(path: Path):
    faces = SingleShotDetector(Scrfd(Session(path, Runtime())), Options(longest_side=96)).detect(photo(100, 150))
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.6


def no_outputs(width: int, height: int) -> list[Floats]:
    cells = [(height // stride) * (width // stride) * ANCHORS_PER_CELL for stride in STRIDES]
    return [np.zeros((count, size), np.float32) for size in KINDS.values() for count in cells]


def test_nobody_gives_no_face():
    faces = decode(no_outputs(64, 64), 64, 0.5)
    assert (faces.boxes.shape, faces.scores.shape, faces.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))


def test_a_network_without_landmarks_is_refused():
    with pytest.raises(NetworkInvalid, match="nine outputs"):
        Scrfd(Session(synthetic_network(kinds=("score", "bbox")), Runtime()))
