import numpy as np
import pytest

from app.types import Floats
from app.vision.liveness.upright import turned, turned_box, turns_to_upright


def face(eyes: tuple[int, int], mouth: tuple[int, int]) -> Floats:
    return np.array([eyes, eyes, (0, 0), mouth, mouth], np.float32)


@pytest.mark.parametrize(
    ("mouth", "turns"),
    [((50, 90), 0), ((70, 80), 0), ((50, 10), 2), ((10, 50), 1), ((20, 70), 1), ((90, 50), 3), ((50, 50), 0)],
)
def test_the_mouth_comes_below_the_eyes(mouth, turns):
    assert turns_to_upright(face((50, 50), mouth)) == turns


@pytest.mark.parametrize("turns", range(4))
def test_a_box_holds_the_same_pixels_after_turns(turns):
    photo = np.zeros((40, 30, 3), np.uint8)
    photo[5:15, 20:28] = 200
    left, top, right, bottom = map(int, turned_box((20.0, 5.0, 28.0, 15.0), photo.shape, turns))
    view = turned(photo, turns)
    assert (view[top:bottom, left:right] == 200).all()
    assert view.sum() == photo.sum() == 200 * 3 * (bottom - top) * (right - left)
