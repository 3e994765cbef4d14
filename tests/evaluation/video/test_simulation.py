import cv2
import numpy as np
import pytest

from app.evaluation.values import Photo
from app.evaluation.video.simulation import FRAME_SIDE, Take, frames_of

FACE = (60.0, 40.0, 140.0, 140.0)


def picture(seed: int = 0, side: int = 200) -> bytes:
    """A photo with a white face on a dark, grainy ground."""
    pixels = np.random.default_rng(seed).integers(0, 60, (side, side, 3)).astype(np.uint8)
    factor = side / 200
    left, top, right, bottom = (round(each * factor) for each in FACE)
    pixels[top:bottom, left:right] = 230
    return cv2.imencode(".png", pixels)[1].tobytes()


def decoded(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return pixels


def face_of(data: bytes) -> tuple[float, float, float]:
    """Return centre and area of the bright part of a frame."""
    pixels = decoded(data)
    rows, columns = np.nonzero(pixels > (int(pixels.max()) + int(np.median(pixels))) / 2)
    return float(columns.mean()), float(rows.mean()), float(len(rows))


def test_frames_depend_only_on_the_photo_and_their_number():
    one, again = Take(picture(), FACE, 4), Take(picture(), FACE, 4)
    assert [one.frame(number) for number in range(4)] == [again.frame(number) for number in (0, 1, 2, 3)]
    assert one.frame(0) != one.frame(1)
    assert one.frame(0) != Take(picture(1), FACE, 4).frame(0)


@pytest.mark.parametrize("seed", range(4))
def test_a_face_is_small_near_the_middle_and_moves(seed):
    take = Take(picture(seed), FACE, 5)
    faces = [face_of(take.frame(number)) for number in range(5)]
    assert decoded(take.frame(0)).shape == (FRAME_SIDE, FRAME_SIDE)
    for x, y, area in faces:
        assert abs(x - FRAME_SIDE / 2) < 60
        assert abs(y - FRAME_SIDE / 2) < 60
        assert 15 < area**0.5 < 130
    assert len(set(faces)) == 5


def test_the_size_of_the_photo_does_not_matter():
    large = tuple(4 * each for each in FACE)
    one, other = Take(picture(), FACE, 1), Take(picture(side=800), large, 1)  # type: ignore[arg-type] # four numbers
    for area in (face_of(one.frame(0))[2], face_of(other.frame(0))[2]):
        assert 15 < area**0.5 < 130


def test_frames_are_photos_of_their_person():
    frames = frames_of(Photo("ada/1.jpg", picture(), "ada"), FACE, 3)
    assert [(each.name, each.person) for each in frames] == [(f"ada/1.jpg#{number}", "ada") for number in range(3)]
    assert [each.read()[:2] for each in frames] == [b"\xff\xd8"] * 3
