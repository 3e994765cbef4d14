"""Comparison with a plain version of the PyTorch port's decoding, and tests on real photos."""

import math

import numpy as np
import pytest

from app.types import Floats, Pixels
from app.vision.detection.boxes import nms, overlaps
from app.vision.detection.detections import Detections
from app.vision.detection.retinaface import OUTPUTS, RetinaFace, anchor_boxes, decode
from app.vision.detection.views import fitted
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.vision.detection.people import ASTRONAUT, SIX_PEOPLE, decoded, error

SIZES = [(32, 32), (64, 96), (160, 96)]


def priors(height: int, width: int) -> list[tuple[float, float, float, float]]:
    """Return the port's anchors (`PriorBox`), as shares of the photo: centre x, centre y, width, height."""
    anchors = []
    for step, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for row in range(math.ceil(height / step)):
            for column in range(math.ceil(width / step)):
                for side in sides:
                    x, y = (column + 0.5) * step / width, (row + 0.5) * step / height
                    anchors.append((x, y, side / width, side / height))
    return anchors


def restated(offsets: Floats, points: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Decode every anchor as the port does (`decode` and `decode_landm`, variances 0.1 and 0.2), then scale."""
    boxes, landmarks = [], []
    for (x, y, w, h), (dx, dy, dw, dh), moved in zip(
        priors(height, width), offsets.tolist(), points.tolist(), strict=True
    ):
        middle_x, middle_y = x + dx * 0.1 * w, y + dy * 0.1 * h
        wide, high = w * math.exp(dw * 0.2), h * math.exp(dh * 0.2)
        left, top = middle_x - wide / 2, middle_y - high / 2
        boxes.append([left * width, top * height, (left + wide) * width, (top + high) * height])
        landmarks.append(
            [
                [(x + moved[2 * point] * 0.1 * w) * width, (y + moved[2 * point + 1] * 0.1 * h) * height]
                for point in range(5)
            ]
        )
    return np.array(boxes, np.float32), np.array(landmarks, np.float32)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_anchors_are_the_ports(height: int, width: int):
    expected = np.array(priors(height, width)) * [width, height, width, height]
    np.testing.assert_allclose(anchor_boxes(height, width), expected, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("lowest_score", [0.0, 0.5, 1.1])
def test_decoding_is_the_ports(height: int, width: int, lowest_score: float):
    rng = np.random.default_rng(3)
    anchors = anchor_boxes(height, width)
    offsets, points = (rng.normal(0, 2, (len(anchors), size)).astype(np.float32) for size in (4, 10))
    scores = rng.uniform(0, 1, len(anchors)).astype(np.float32)
    faces = decode(offsets, scores, points, anchors=anchors, lowest_score=lowest_score)
    boxes, landmarks = restated(offsets, points, height, width)
    kept = scores >= lowest_score
    np.testing.assert_array_equal(faces.scores, scores[kept])
    np.testing.assert_allclose(faces.boxes, boxes[kept], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(faces.landmarks, landmarks[kept], rtol=1e-4, atol=1e-3)


@pytest.fixture(scope="module")
def session(network) -> Session:
    return Session(network("retinaface", "retinaface.onnx"), Runtime(), OUTPUTS)


@pytest.fixture(scope="module")
def retinaface(session: Session) -> RetinaFace:
    return RetinaFace(session)


def found_in(retinaface: RetinaFace, pixels: Pixels) -> Detections:
    (faces,) = retinaface.find(fitted(pixels, 1280).pixels[None], 0.6)
    return faces.take(nms(faces.boxes, faces.scores, 0.4))


def test_the_real_outputs_are_decoded_as_the_port_does(session: Session, retinaface: RetinaFace, portrait: bytes):
    view = decoded(portrait)[32:256, 96:320]
    centred = view[..., ::-1].astype(np.float32) - [104, 117, 123]
    offsets, scores, points = session.run(centred.transpose(2, 0, 1)[None].astype(np.float32))
    np.testing.assert_allclose(scores.sum(axis=2), np.ones(scores.shape[:2]), rtol=1e-4)
    (faces,) = retinaface.find(view[None], 0.6)
    boxes, landmarks = restated(offsets[0], points[0], 224, 224)
    kept = scores[0, :, 1] >= 0.6
    assert kept.any()
    np.testing.assert_allclose(faces.boxes, boxes[kept], atol=1e-2)
    np.testing.assert_allclose(faces.landmarks, landmarks[kept], atol=1e-2)


def test_six_people_are_found(retinaface: RetinaFace, group_photo: bytes):
    faces = sorted(found_in(retinaface, decoded(group_photo)).to_list(), key=lambda face: face.box)
    for face, (box, landmarks) in zip(faces, SIX_PEOPLE, strict=True):
        assert overlaps(np.array(box, np.float32), np.array([face.box], np.float32)) > 0.65
        assert error(face, np.array(landmarks, np.float32)) < 0.18


def test_one_astronaut_is_found(retinaface: RetinaFace, portrait: bytes):
    (face,) = found_in(retinaface, decoded(portrait)).to_list()
    assert error(face, np.array(ASTRONAUT, np.float32)) < 0.06


def test_views_in_one_batch_are_as_alone(retinaface: RetinaFace, portrait: bytes):
    pixels = decoded(portrait)[:320, :320]
    views = np.stack([pixels, pixels[:, ::-1], np.zeros_like(pixels)])
    for view, faces in zip(views, retinaface.find(views, 0.6), strict=True):
        (alone,) = retinaface.find(view[None], 0.6)
        np.testing.assert_allclose(faces.boxes, alone.boxes, atol=1e-2)
        np.testing.assert_allclose(faces.landmarks, alone.landmarks, atol=1e-2)
