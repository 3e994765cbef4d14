import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vision.liveness.motion import motion
from tests.vision.liveness.heads import HEAD, PHOTO, moved, seen

ANGLE = st.floats(-60, 60)
START = seen(PHOTO)


@given(ANGLE, ANGLE, st.floats(-45, 45), st.floats(3, 20))
def test_a_flat_photo_has_no_parallax_however_it_is_moved(yaw, pitch, roll, distance):
    found = motion(START, seen(PHOTO, yaw=yaw, pitch=pitch, roll=roll, distance=distance))
    assert found is None or (found.parallax < 0.01 and not found.has_depth)


@pytest.mark.parametrize(("yaw", "pitch"), [(25, 0), (-25, 0), (0, 25), (0, -25), (40, 10), (-20, -20)])
def test_a_head_that_turns_has_parallax_in_the_direction_of_the_turn(yaw, pitch):
    turned = moved(seen(HEAD), seen(HEAD, yaw=yaw, pitch=pitch))
    assert turned.has_depth
    assert not turned.is_flat
    assert yaw == 0 or np.sign(turned.across) == np.sign(yaw)
    assert pitch == 0 or np.sign(turned.along) == -np.sign(pitch)


@pytest.mark.parametrize("degrees", [45, -50])
def test_a_flat_photo_that_tilts_far_is_flat(degrees):
    for turned in (seen(PHOTO, yaw=degrees, noise=0.01), seen(PHOTO, pitch=degrees, noise=0.01)):
        found = moved(START, turned)
        assert found.is_flat
        assert np.degrees(found.tilt) == pytest.approx(abs(degrees), abs=6)


def test_a_head_that_rolls_or_comes_closer_has_no_parallax():
    for end in (seen(HEAD, roll=30), seen(HEAD, distance=5)):
        found = moved(seen(HEAD), end)
        assert found.parallax < 0.05
        assert not found.is_flat
    assert moved(seen(HEAD), seen(HEAD, distance=4)).growth == pytest.approx(2, rel=0.02)


def test_a_turn_does_not_change_the_size_much():
    assert moved(seen(HEAD), seen(HEAD, yaw=30)).growth == pytest.approx(1, abs=0.1)
    assert moved(seen(HEAD), seen(HEAD, pitch=30)).growth == pytest.approx(1, abs=0.15)


def test_a_face_from_the_side_has_no_motion():
    line = START.copy()
    line[:, 0] = 100
    assert motion(START, line) is None
    assert motion(line, START) is None
    assert motion(START, START[[1, 0, 2, 4, 3]]) is None  # mirrored
