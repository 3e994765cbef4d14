import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vision.detection.orientations import ShrinkingDetector
from tests.vision.detection.fakes import FakeDetector, boxes_of, detection


@given(st.integers(1, 900), st.integers(1, 900), st.integers(64, 600))
def test_no_photo_reaches_the_detector_larger(height: int, width: int, longest_side: int):
    detector = FakeDetector()
    assert ShrinkingDetector(detector, longest_side).detect(np.zeros((height, width, 3), np.uint8)) == []
    (shape,) = detector.seen
    scale = min(1, longest_side / max(height, width))
    assert shape == (max(1, round(height * scale)), max(1, round(width * scale)), 3)


@pytest.mark.parametrize(("longest_side", "factor"), [(100, 4), (400, 1), (1000, 1)])
def test_faces_are_in_the_photos_pixels(longest_side: int, factor: int):
    faces = detection((10, 20, 30, 50), 0.9), detection((60, 5, 80, 30), 0.8)
    placed = ShrinkingDetector(FakeDetector(*faces), longest_side).detect(np.zeros((300, 400, 3), np.uint8))
    np.testing.assert_allclose(boxes_of(placed), np.array(boxes_of(faces)) * factor)
    assert [face.score for face in placed] == [face.score for face in faces]
    for face, original in zip(placed, faces, strict=True):
        np.testing.assert_allclose(face.landmarks, original.landmarks * factor)
        assert face.landmarks.dtype == np.float32
