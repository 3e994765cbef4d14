import cv2
import numpy as np
import pytest

from app.types import Detection
from app.vision.imaging.portrait import PORTRAIT_SIDE, encode_jpeg, portrait

RED, GREEN = (200, 0, 0), (0, 200, 0)


def face(box, turns=0):
    """A detection whose eyes are `turns` quarters of a turn clockwise from level."""
    eyes = np.array([[0, 0], [[10, 0], [0, 10], [-10, 0], [0, -10]][turns]], np.float32)
    return Detection(box, 0.9, np.concatenate([eyes, np.zeros((3, 2), np.float32)]))


def photo(height=600, width=800):
    return np.zeros((height, width, 3), np.uint8)


def test_a_large_face_is_shrunk_and_centred():
    pixels = photo()
    pixels[200:400, 300:500] = RED
    image = portrait(pixels, face((300, 200, 500, 400)))
    assert image.shape == (PORTRAIT_SIDE, PORTRAIT_SIDE, 3)
    red = np.argwhere(image[..., 0] > 100)
    margin = PORTRAIT_SIDE * (1 - 1 / 1.6) / 2
    assert np.abs(red.min(axis=0) - margin).max() < 2
    assert np.abs(red.max(axis=0) - (PORTRAIT_SIDE - margin)).max() < 2


def test_a_small_face_is_not_enlarged():
    assert portrait(photo(), face((300, 200, 350, 240))).shape == (80, 80, 3)


@pytest.mark.parametrize("box", [(-20, -30, 100, 100), (750, 550, 830, 640), (0, 200, 100, 300), (300, 0, 400, 90)])
def test_a_face_at_an_edge_is_shown_without_black_borders(box):
    assert portrait(photo() + np.uint8(7), face(box)).min() == 7


@pytest.mark.parametrize(("height", "width"), [(1, 1), (10, 400), (300, 20)])
def test_a_face_larger_than_the_photo(height, width):
    side = min(height, width)
    assert portrait(photo(height, width), face((0, 0, width, height))).shape == (side, side, 3)


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_face_is_shown_upright(turns):
    upright = photo(100, 100)
    upright[:50] = GREEN
    turned = np.ascontiguousarray(np.rot90(upright, -turns))
    assert (portrait(turned, face((20, 20, 80, 80), turns)) == portrait(upright, face((20, 20, 80, 80)))).all()


def test_a_jpeg_has_the_colours_of_the_image():
    pixels = np.full((224, 224, 3), RED, np.uint8)
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(pixels), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded[..., ::-1].astype(int) - RED).max() < 5
