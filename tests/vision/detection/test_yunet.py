"""Comparison with OpenCV's FaceDetectorYN, which runs the same network with its own engine and decoding."""

import cv2
import numpy as np
import pytest

from app.types import Floats, Pixels
from app.vision.detection.boxes import nms
from app.vision.detection.detections import Detections
from app.vision.detection.views import fitted
from app.vision.detection.yunet import OUTPUTS, STRIDES, Yunet, decode
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.vision.detection.people import ASTRONAUT, SIX_PEOPLE, decoded, error

LOWEST, OVERLAP = 0.6, 0.3


@pytest.fixture(scope="module")
def yunet(network) -> Yunet:
    return Yunet(Session(network("yunet", "yunet.onnx"), Runtime(), OUTPUTS))


@pytest.fixture(scope="module")
def opencv(network):
    """OpenCV's detector: opencv(pixels) gives rows of x, y, width, height, ten landmark figures, score."""
    detector = cv2.FaceDetectorYN.create(str(network("yunet", "yunet.onnx")), "", (320, 320), LOWEST, OVERLAP)

    def detect(pixels: Pixels) -> Floats:
        detector.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, rows = detector.detect(np.ascontiguousarray(pixels[..., ::-1]))
        return np.empty((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)

    return detect


def found_in(yunet: Yunet, pixels: Pixels) -> Detections:
    (faces,) = yunet.find(fitted(pixels, 10_000).pixels[None], LOWEST)
    return faces.take(nms(faces.boxes, faces.scores, OVERLAP))


def assert_same(faces: Detections, rows: Floats) -> None:
    assert len(faces.scores) == len(rows)
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    np.testing.assert_allclose(faces.scores, rows[:, 14], atol=1e-3)
    np.testing.assert_allclose(faces.boxes[:, :2], rows[:, :2], atol=0.05)
    np.testing.assert_allclose(faces.boxes[:, 2:] - faces.boxes[:, :2], rows[:, 2:4], atol=0.05)
    np.testing.assert_allclose(faces.landmarks.reshape(-1, 10), rows[:, 4:14], atol=0.05)


@pytest.mark.parametrize("scale", [1, 0.5, 0.25])
def test_the_group_is_found_as_by_opencv(yunet: Yunet, opencv, group_photo: bytes, scale: float):
    pixels = cv2.resize(decoded(group_photo), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    rows = opencv(pixels)
    assert len(rows) >= 5
    assert_same(found_in(yunet, pixels), rows)


@pytest.mark.parametrize("crop", [(512, 512), (300, 301), (333, 479)])
def test_the_portrait_is_found_as_by_opencv(yunet: Yunet, opencv, portrait: bytes, crop: tuple[int, int]):
    pixels = decoded(portrait)[: crop[0], : crop[1]]
    rows = opencv(pixels)
    assert len(rows) == 1
    assert_same(found_in(yunet, pixels), rows)


def test_landmarks_are_where_another_network_sees_them(yunet: Yunet, group_photo: bytes, portrait: bytes):
    faces = sorted(found_in(yunet, decoded(group_photo)).to_list(), key=lambda face: face.box)
    for face, (_, landmarks) in zip(faces, SIX_PEOPLE, strict=True):
        assert error(face, np.array(landmarks, np.float32)) < 0.2
    (face,) = found_in(yunet, decoded(portrait)).to_list()
    assert error(face, np.array(ASTRONAUT, np.float32)) < 0.2


def test_views_in_one_batch_are_as_alone(yunet: Yunet, portrait: bytes):
    pixels = decoded(portrait)[:320, :320]
    views = np.stack([pixels, pixels[:, ::-1], np.zeros_like(pixels)])
    together = yunet.find(views, LOWEST)
    assert [len(faces.scores) > 0 for faces in together] == [True, True, False]
    for view, faces in zip(views, together, strict=True):
        (alone,) = yunet.find(view[None], LOWEST)
        np.testing.assert_allclose(faces.boxes, alone.boxes, atol=1e-2)
        np.testing.assert_allclose(faces.landmarks, alone.landmarks, atol=1e-2)


def levels(height: int, width: int) -> list[tuple[Floats, ...]]:
    counts = [(height // stride) * (width // stride) for stride in STRIDES]
    return [tuple(np.zeros((count, size), np.float32) for size in (1, 1, 4, 10)) for count in counts]


def test_one_cell_is_decoded_by_hand():
    outputs = levels(64, 96)
    classes, objectness, box, points = outputs[1]  # stride 16: 4 rows of 6 cells
    cell = 2 * 6 + 5
    classes[cell], objectness[cell] = 0.81, 1.4  # more than 1 counts as 1
    box[cell] = [0.5, -0.25, np.log(3), np.log(2)]
    points[cell] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    faces = decode(outputs, 96, 0.6)
    assert faces.scores.tolist() == [pytest.approx(0.9)]
    centre_x, centre_y = (5 + 0.5) * 16, (2 - 0.25) * 16
    np.testing.assert_allclose(faces.boxes, [[centre_x - 24, centre_y - 16, centre_x + 24, centre_y + 16]], atol=1e-4)
    np.testing.assert_allclose(faces.landmarks[0], [[80, 32], [96, 32], [88, 40], [80, 48], [96, 48]], atol=1e-4)


def test_nobody_gives_no_face():
    faces = decode(levels(32, 64), 64, 0.6)
    assert (faces.boxes.shape, faces.scores.shape, faces.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))
