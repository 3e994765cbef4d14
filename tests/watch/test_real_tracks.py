"""Tracks with the real networks: photos of LFW that move through frames."""

import cv2
import numpy as np
import pytest

from app.container import Container
from app.vision.imaging.decode import Image, Limits, decode
from app.watch.camera_tracks import CameraTracks
from tests.watch.scenes import at

pytestmark = pytest.mark.lfw

KNOWN, STRANGER, ABSENT = "Tony_Blair", "Jacques_Chirac", "Abdullah_Gul"


@pytest.fixture(scope="module")
def container(settings):
    with Container(settings) as opened:
        opened.gallery.ensure("people")
        yield opened


def photo_of(lfw, person, number):
    return (lfw / "images" / person / f"{person}_{number:04}.jpg").read_bytes()


def frame_of(*photos: bytes, step: int) -> Image:
    """Return a frame in which photos lie next to each other, farther right and darker with each step."""
    pixels = np.full((300, 800, 3), 90, np.uint8)
    for place, photo in enumerate(photos):
        left = 20 + 380 * place + 8 * step
        pixels[20:270, left : left + 250] = decode(photo, Limits()).pixels
    return Image(cv2.convertScaleAbs(pixels, alpha=1 - 0.03 * step).astype(np.uint8, copy=False))


def test_the_known_person_matches_and_the_other_is_unknown(container, lfw):
    for person in (KNOWN, ABSENT):
        container.enrollment.enroll([photo_of(lfw, person, 1)], collection="people", identity_id=person, name=person)
    tracks = CameraTracks("door", "people", container.track_identification)
    both = photo_of(lfw, KNOWN, 2), photo_of(lfw, STRANGER, 2)
    sightings = [each for step in range(8) for each in tracks.see(frame_of(*both, step=step), at(step / 5))]
    sightings += tracks.finish()
    assert sorted((each.verdict, each.identity_id) for each in sightings) == [("match", KNOWN), ("unknown", None)]
    match = next(each for each in sightings if each.verdict == "match")
    assert match.fpir is not None
    assert match.fpir < 0.01
    assert match.best_shot is not None
    assert decode(match.best_shot, Limits()).pixels.shape[2] == 3
    assert tracks.finish() == []


def test_an_empty_frame_gives_nothing(container):
    tracks = CameraTracks("door", "people", container.track_identification)
    assert tracks.see(frame_of(step=0), at(0)) == []
    assert tracks.finish() == []
