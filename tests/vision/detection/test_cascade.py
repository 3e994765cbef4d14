import numpy as np
import pytest

from app.types import Box, Detection, Pixels
from app.vision.detection.cascade import CROP_SIDE, FACE_SIDE, Cascade
from app.vision.detection.detections import Detections
from tests.vision.detection.fakes import SHARES, BrightNetwork, FakeDetector, boxes_of, detection, found, photo_with

MIDDLE = CROP_SIDE / 2
IN_PLACE: Box = (MIDDLE - 80, MIDDLE - 80, MIDDLE + 80, MIDDLE + 80)


class FixedNetwork:
    """A fake landmarker that returns the same faces for each crop and records the size of each batch."""

    input_shape = None

    def __init__(self, faces: Detections) -> None:
        self.faces = faces
        self.batches: list[int] = []

    def find(self, views: Pixels, lowest_score: float) -> list[Detections]:
        assert 0 < lowest_score < 0.6, "what the finder has found may look faint to the landmarker"
        self.batches.append(len(views))
        return [self.faces] * len(views)


def squares(count: int) -> list[Detection]:
    """Return faces of different sizes in a row, with falling scores."""
    return [
        detection((100.0 * index, 20, 100.0 * index + 30 + index, 50.0 + index), 0.95 - 0.01 * index)
        for index in range(count)
    ]


BLACK = np.zeros((100, 2000, 3), np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 16, 19])
def test_order_and_count_are_the_finders(count: int):
    faces = squares(count)
    landmarker = FixedNetwork(found(IN_PLACE))
    placed = Cascade(FakeDetector(*faces), landmarker, FakeDetector()).detect(BLACK)
    assert boxes_of(placed) == boxes_of(faces)
    assert [face.score for face in placed] == [face.score for face in faces]
    assert sum(landmarker.batches) == count
    assert all(0 < size <= 8 for size in landmarker.batches)


def test_landmarks_are_placed_on_the_most_prominent_faces_only():
    faces = squares(19)
    landmarker = FixedNetwork(found(IN_PLACE))
    placed = Cascade(FakeDetector(*faces), landmarker, FakeDetector(), most=10).detect(BLACK)
    assert boxes_of(placed) == boxes_of(faces)
    assert landmarker.batches == [8, 2]
    assert [number for number, (one, other) in enumerate(zip(placed, faces, strict=True)) if one is not other] == list(
        range(9, 19)
    )


@pytest.mark.parametrize("count", [1, 8, 11])
def test_landmarks_are_brought_back_to_each_face(count: int):
    # For the landmarker the face is in the middle of its crop and FACE_SIDE pixels large.
    seen = found(IN_PLACE, scores=[0.9])
    faces = [Detection(face.box, face.score, np.zeros((5, 2), np.float32)) for face in squares(count)]
    placed = Cascade(FakeDetector(*faces), FixedNetwork(seen), FakeDetector()).detect(BLACK)
    for face in placed:
        left, top, right, bottom = face.box
        expected = SHARES * [right - left, bottom - top] + [left, top]
        np.testing.assert_allclose(face.landmarks, expected, atol=0.01)


@pytest.mark.parametrize(
    "box", [(400, 300, 480, 420), (40, 30, 52, 44), (900, 600, 1300, 1000), (-20, -30, 60, 50), (1350, 900, 1450, 1050)]
)
def test_the_crop_shows_the_face_in_its_middle(box: tuple[int, int, int, int]):
    left, top, right, bottom = box
    pixels = photo_with((max(left, 0), max(top, 0), right, bottom), 1000, 1400)
    landmarker = BrightNetwork()
    Cascade(FakeDetector(detection(box)), landmarker, FakeDetector()).detect(pixels)
    (crops,) = landmarker.views
    assert crops.shape == (1, CROP_SIDE, CROP_SIDE, 3)
    (face,) = landmarker.find(crops, 0.5)[0].to_list()
    scale = FACE_SIDE / max(right - left, bottom - top)
    visible = np.array([max(left, 0), max(top, 0), min(right, 1400), min(bottom, 1000)])
    expected = MIDDLE + (visible - np.tile([(left + right) / 2, (top + bottom) / 2], 2)) * scale
    np.testing.assert_allclose(face.box, expected, atol=scale + 2)


def test_of_several_faces_the_one_in_the_same_place_counts():
    neighbour: Box = (0, 0, 90, 90)
    seen = found(neighbour, IN_PLACE, scores=[0.99, 0.4])
    (face,) = Cascade(FakeDetector(*squares(1)), FixedNetwork(seen), FakeDetector()).detect(BLACK)
    np.testing.assert_allclose(face.landmarks, SHARES * 30 + [0, 20], atol=0.01)


def test_of_two_in_the_same_place_the_likelier_counts():
    shifted: Box = (MIDDLE - 90, MIDDLE - 90, MIDDLE + 70, MIDDLE + 70)
    seen = found(shifted, IN_PLACE, scores=[0.95, 0.35])
    (face,) = Cascade(FakeDetector(*squares(1)), FixedNetwork(seen), FakeDetector()).detect(BLACK)
    np.testing.assert_allclose(face.landmarks, SHARES * 30 + [0, 20] - 10 * 30 / FACE_SIDE, atol=0.01)


@pytest.mark.parametrize(
    "seen",
    [
        found(),
        found((0, 0, 90, 90)),
        found((MIDDLE - 20, MIDDLE - 20, MIDDLE + 20, MIDDLE + 20)),
        found((0, 0, 320, 320)),
    ],
    ids=["none", "elsewhere", "much smaller", "much larger"],
)
def test_the_finders_landmarks_stay_where_the_landmarker_sees_no_such_face(seen: Detections):
    (face,) = squares(1)
    (placed,) = Cascade(FakeDetector(face), FixedNetwork(seen), FakeDetector()).detect(BLACK)
    assert placed is face


def test_the_fallback_looks_only_when_the_finder_finds_nobody():
    face, other = squares(2)
    finder, fallback = FakeDetector(face), FakeDetector(other)
    cascade = Cascade(finder, FixedNetwork(found()), fallback)
    assert cascade.detect(BLACK) == [face]
    assert fallback.seen == []
    finder.faces = []
    assert cascade.detect(BLACK) == [other]
    assert fallback.seen == [BLACK.shape]
    fallback.faces = []
    assert cascade.detect(BLACK) == []


@pytest.mark.parametrize("box", [(5, 5, 5, 5), (9, 9, 3, 3), (-900, -900, -800, -800), (0, 0, 1e5, 1e5)])
def test_odd_boxes_do_no_harm(box: Box):
    (face,) = Cascade(FakeDetector(detection(box)), BrightNetwork(), FakeDetector()).detect(BLACK)
    assert face.box == box
