"""Rotated photos: the rule with fakes, the results with the pulled networks."""

import numpy as np
import pytest

from app.config import read_settings
from app.types import Detection
from app.vision.detection.evidence import evidence
from app.vision.detection.main_face import most_prominent_first
from app.vision.detection.orientations import OrientationSearch
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.runtime import Runtime
from app.wiring.networks import open_detector
from tests.conftest import DATA
from tests.vision.detection.fakes import SHARES

TURNS = pytest.mark.parametrize("turn", [0, 1, 2, 3])
SIZE = 40


def face_at(left, top, *, score=0.9, tilt=0.0):
    """Return a square face whose landmarks are rotated around its middle by `tilt` degrees."""
    cos, sin = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    points = (SHARES - 0.5) @ np.array([[cos, sin], [-sin, cos]]) + 0.5
    landmarks = (points * SIZE + [left, top]).astype(np.float32)
    return Detection((left, top, left + SIZE, top + SIZE), score, landmarks)


class MarkDetector:
    """A fake detector of an upright face if a red mark is above a blue one. It counts its calls."""

    def __init__(self, *always):
        self.always = list(always)
        self.looks = []

    def detect(self, pixels):
        self.looks.append(pixels.shape[:2])
        (red,) = np.argwhere(pixels[..., 0] > 200)[:1].tolist() or [None]
        (blue,) = np.argwhere(pixels[..., 2] > 200)[:1].tolist() or [None]
        if red is None or blue is None or abs(red[1] - blue[1]) > 8 or red[0] > blue[0]:
            return list(self.always)
        return [face_at(red[1] - SIZE / 2, red[0])]


def marked(turn):
    """Return a photo, rotated counter-clockwise, with a face whose middle is at (120, 70)."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[50:54, 118:122] = (255, 0, 0)
    pixels[86:90, 118:122] = (0, 0, 255)
    return np.ascontiguousarray(np.rot90(pixels, turn))


@TURNS
def test_a_face_is_found_in_every_orientation_where_it_is(turn):
    detector = MarkDetector()
    photo = marked(turn)
    (found,) = OrientationSearch(detector, detector, 1280).detect(photo)
    left, top, right, bottom = (round(each) for each in found.box)
    inside = photo[max(0, top - 3) : bottom + 3, max(0, left - 3) : right + 3]
    assert (right - left, bottom - top) == (SIZE, SIZE)
    assert (inside[..., 0] > 200).sum() == (photo[..., 0] > 200).sum()
    down = found.landmarks[3:].mean(axis=0) - found.landmarks[:2].mean(axis=0)
    across = {0: (0, 1), 1: (1, 0), 2: (0, -1), 3: (-1, 0)}[turn]
    assert down / np.linalg.norm(down) == pytest.approx(across, abs=0.01)


def test_an_upright_photo_is_looked_at_once():
    detector, scout = MarkDetector(), MarkDetector()
    OrientationSearch(detector, scout, 1280).detect(marked(0))
    assert (len(detector.looks), scout.looks) == (1, [])


def test_a_photo_without_faces_costs_three_looks_at_half_the_size():
    detector, scout = MarkDetector(), MarkDetector()
    assert OrientationSearch(detector, scout, 100).detect(np.zeros((200, 300, 3), np.uint8)) == []
    assert len(detector.looks) == 1
    assert scout.looks == [(50, 33), (50, 33), (33, 50)]


def test_a_large_photo_is_turned_at_a_bounded_size_and_its_faces_are_in_its_own_pixels():
    detector = MarkDetector()
    photo = np.kron(marked(1), np.ones((4, 4, 1), np.uint8))
    (found,) = OrientationSearch(detector, detector, 300).detect(photo)
    assert detector.looks[-1] == (400, 600)
    assert (found.box[2] - found.box[0]) == pytest.approx(2 * SIZE)


def test_what_is_better_upright_stays():
    weak = face_at(0, 0, score=0.8)
    other = MarkDetector(face_at(0, 0, score=0.81))
    assert OrientationSearch(MarkDetector(weak), other, 1280).detect(np.zeros((200, 300, 3), np.uint8)) == [weak]
    lying = face_at(0, 0, score=0.9, tilt=90)
    assert OrientationSearch(MarkDetector(lying), MarkDetector(), 1280).detect(np.zeros((200, 300, 3), np.uint8)) == [
        lying
    ]


@pytest.mark.parametrize(("tilt", "expected"), [(0, 0.9), (60, 0.45), (90, 0), (180, 0)])
def test_evidence_falls_with_the_tilt(tilt, expected):
    assert evidence(face_at(0, 0, tilt=tilt)) == pytest.approx(expected, abs=0.001)
    assert evidence(Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))) == 0


@pytest.fixture(scope="module")
def photo_of_one(portrait):
    return decode(portrait, Limits()).pixels


@TURNS
@pytest.mark.parametrize("name", ["yunet+retinaface", "yunet", "retinaface", "mtcnn"])
def test_real_networks_find_the_same_face(packs, photo_of_one, name, turn):
    for part in name.split("+"):
        if not packs.has(packs.manifest(part)):
            pytest.skip(f"the pack {part} is not pulled; run: arcid models pull {part}")
    detector = open_detector(packs, name, Runtime(), read_settings(models_dir=DATA))
    height, width = photo_of_one.shape[:2]
    first = most_prominent_first(detector.detect(photo_of_one), photo_of_one.shape)[0]
    turned = np.ascontiguousarray(np.rot90(photo_of_one, turn))
    found = most_prominent_first(detector.detect(turned), turned.shape)[0]
    points = first.landmarks
    for step in range(turn):
        points = np.stack([points[:, 1], (width, height)[step % 2] - points[:, 0]], axis=1)
    eyes = np.linalg.norm(first.landmarks[0] - first.landmarks[1])
    assert np.abs(found.landmarks - points).max() < 0.15 * eyes
