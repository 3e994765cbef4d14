"""All detectors that a setting can name, on real photos."""

import cv2
import numpy as np
import pytest

from app.config import Settings
from app.types import Detection, Effort, Floats, Pixels
from app.vision.detection.boxes import overlaps
from app.vision.detection.detections import Detector
from app.vision.inference.runtime import Runtime
from app.wiring.networks import open_detector, open_detectors
from tests.vision.detection.people import ASTRONAUT, SIX_PEOPLE, decoded, error

NAMES = ["yunet", "retinaface", "mtcnn", "yunet+retinaface"]
OF_CLOSE_UPS = ["yunet", "mtcnn", "yunet+retinaface"]


@pytest.fixture(scope="module")
def detectors(packs):
    """Detectors by name, each opened once. Skips the test if a pack is not pulled."""
    opened: dict[str, Detector] = {}

    def named(name: str) -> Detector:
        for part in name.split("+"):
            if not packs.has(packs.manifest(part)):
                pytest.skip(f"the pack {part} is not pulled; run: arcid models pull {part}")
        if name not in opened:
            opened[name] = open_detector(packs, name, Runtime(), Settings())
        return opened[name]

    return named


@pytest.fixture(scope="module")
def six_people(group_photo: bytes) -> Pixels:
    return decoded(group_photo)


def enlarged(pixels: Pixels, factor: float) -> Pixels:
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)


def overlap(face: Detection, box: Floats) -> float:
    return float(overlaps(box.astype(np.float32), np.array([face.box], np.float32))[0])


def assert_six_people(faces: list[Detection], scale: float = 1, offset: tuple[float, float] = (0, 0)) -> list[float]:
    """Check boxes and order of the group photo's six faces; return the error of each face's landmarks."""
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    ordered = sorted(faces, key=lambda face: face.box)
    errors = []
    for face, (box, landmarks) in zip(ordered, SIX_PEOPLE, strict=True):
        assert overlap(face, np.array(box) * scale + np.tile(offset, 2)) > 0.6
        errors.append(error(face, (np.array(landmarks) * scale + offset).astype(np.float32)))
    return errors


@pytest.mark.parametrize("name", NAMES)
def test_six_people_are_found(detectors, name: str, six_people: Pixels):
    assert max(assert_six_people(detectors(name).detect(six_people))) < 0.2


@pytest.mark.parametrize("name", NAMES)
def test_one_astronaut_is_found(detectors, name: str, portrait: bytes):
    (face,) = detectors(name).detect(decoded(portrait))
    assert error(face, np.array(ASTRONAUT, np.float32)) < 0.2


def test_the_landmarker_of_a_cascade_places_the_landmarks(detectors, six_people: Pixels):
    finder, cascade = (detectors(name).detect(six_people) for name in ("yunet", "yunet+retinaface"))
    assert [face.box for face in cascade] == [face.box for face in finder]
    coarse, precise = np.mean(assert_six_people(finder)), np.mean(assert_six_people(cascade))
    assert precise < 0.1
    assert precise < coarse * 0.75


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_of_twelve_megapixels_shows_the_same_people(detectors, name: str, six_people: Pixels):
    scale = 3
    large = enlarged(six_people, scale)
    canvas = np.zeros((3000, 4000, 3), np.uint8)
    left, top = 4000 - large.shape[1], 3000 - large.shape[0]
    canvas[top:, left:] = large
    errors = assert_six_people(detectors(name).detect(canvas), scale, (left, top))
    assert np.median(errors) < 0.2  # at some scales MTCNN misplaces the landmarks of one tilted face


@pytest.mark.parametrize("person", range(6))
@pytest.mark.parametrize("name", OF_CLOSE_UPS)
@pytest.mark.parametrize("side", [300, 1000])
def test_a_face_that_fills_the_frame_is_found_as_one(detectors, name: str, person: int, side: int, six_people: Pixels):
    (left, top, right, bottom), landmarks = SIX_PEOPLE[person]
    cut = six_people[int(top) : int(bottom), int(left) : int(right)]
    factor = side / max(cut.shape[:2])
    close_up = enlarged(cut, factor)
    (face,) = detectors(name).detect(close_up)
    assert overlap(face, np.array([0, 0, close_up.shape[1], close_up.shape[0]])) > 0.65
    expected = (np.array(landmarks) - [left, top]) * factor
    # Only the cascade refines the landmarks of a close-up. YuNet alone sees it at 96 pixels.
    assert error(face, expected.astype(np.float32)) < (0.35 if name == "yunet" else 0.2)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (31, 33), (2, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_tiny_photos_show_nobody(detectors, name: str, size: tuple[int, int]):
    detector = detectors(name)
    for pixels in (np.zeros((*size, 3), np.uint8), np.full((*size, 3), 255, np.uint8), noise(*size)):
        assert detector.detect(pixels) == []


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("cell", [1, 16, 50], ids=["fine", "blotches", "large blotches"])
@pytest.mark.parametrize("name", NAMES)
def test_noise_shows_nobody(detectors, name: str, cell: int):
    for seed in range(3):
        pixels = enlarged(noise(480 // cell, 640 // cell, seed), cell)
        assert detectors(name).detect(pixels) == []


def test_a_quick_cascade_leaves_the_finders_landmarks(detectors, packs, six_people):
    finder = detectors("yunet").detect(six_people)
    quick = open_detectors(packs, "yunet+retinaface", Runtime(), Settings()).photos[Effort.FAST].detect(six_people)
    assert_six_people(quick)
    for one, other in zip(quick, finder, strict=True):
        assert one.box == other.box
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
