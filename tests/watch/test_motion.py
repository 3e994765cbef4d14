import numpy as np
import pytest

from app.watch.motion import has_motion, thumbnail

GENERATOR = np.random.default_rng(0)
ROOM = np.repeat(GENERATOR.integers(40, 200, (90, 160, 1)), 8, 0).repeat(8, 1).repeat(3, 2).astype(np.uint8)


def noisy(frame: np.ndarray, *, gain: float = 1.0) -> np.ndarray:
    return np.clip(frame * gain + GENERATOR.normal(0, 6, frame.shape), 0, 255).astype(np.uint8)


def test_noise_is_not_motion():
    assert not has_motion(thumbnail(noisy(ROOM)), thumbnail(noisy(ROOM)))


def test_light_that_changes_a_little_is_not_motion():
    before = np.full((720, 1280, 3), 100, np.uint8)
    assert not has_motion(thumbnail(noisy(before)), thumbnail(noisy(before, gain=1.4)))


@pytest.mark.parametrize("side", [40, 200])
def test_a_face_that_moves_is_motion(side):
    now = ROOM.copy()
    now[300 : 300 + side, 600 : 600 + side] = 250
    assert has_motion(thumbnail(noisy(ROOM)), thumbnail(noisy(now)))


def test_the_first_frame_and_another_size_are_motion():
    now = thumbnail(ROOM)
    assert has_motion(None, now)
    assert has_motion(thumbnail(ROOM[:, :640]), now)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (50, 40, 3)])
def test_frames_of_any_size(shape):
    small = thumbnail(np.zeros(shape, np.uint8))
    assert not has_motion(small, small)
