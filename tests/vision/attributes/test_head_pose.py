"""Head pose: points that were projected by hand, and the signs of each angle."""

import cv2
import numpy as np
import pytest

from app.vision.alignment import ARCFACE_TEMPLATE
from app.vision.attributes import head_pose

# Landmarks of a frontal head, in eye distances, as a reader would measure them in a photo: x, y, depth.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.518, -0.6], [-0.396, 1.074, 0], [0.396, 1.074, 0]])


def turned(yaw=0.0, pitch=0.0, roll=0.0, *, size=40.0):
    """Return the landmarks (5, 2) of a head after roll, then pitch, then yaw, seen from far away."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_line_of_sight = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    up = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    right = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    points = HEAD @ (right @ up @ about_line_of_sight).T
    return (points[:, :2] * size + [300, 200]).astype(np.float32)


def angles(landmarks):
    pose = head_pose(landmarks)
    return pose.yaw, pose.pitch, pose.roll


@pytest.mark.parametrize(
    "turn", [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 15), (25, 10, -8), (-50, -15, 30)]
)
def test_a_known_turn_is_found_at_any_size(turn):
    for size in (8, 40, 400):
        assert angles(turned(*turn, size=size)) == pytest.approx(turn, abs=0.05)


def test_by_hand():
    # At a yaw of 30 degrees the eyes are cos 30 = 0.866 apart, and the nose tip moves by 0.6 * sin 30 = 0.3.
    points = [[-0.433, 0], [0.433, 0], [0.3, 0.518], [-0.343, 1.074], [0.343, 1.074]]
    assert angles(np.array(points, np.float32)) == pytest.approx((30, 0, 0), abs=0.1)
    # Looking up by 30 degrees, the eyes stay apart, heights shrink by 0.866, and the nose tip rises by 0.3.
    points = [[-0.5, 0], [0.5, 0], [0, 0.1486], [-0.396, 0.9301], [0.396, 0.9301]]
    assert angles(np.array(points, np.float32)) == pytest.approx((0, 30, 0), abs=0.1)


def test_the_signs_are_those_of_the_viewer():
    frontal = turned()
    to_the_right, higher = frontal.copy(), frontal.copy()
    to_the_right[2, 0] += 10
    higher[2, 1] -= 10
    assert head_pose(to_the_right).yaw > 10
    assert head_pose(higher).pitch > 10
    matrix = cv2.getRotationMatrix2D((0, 0), -20, 1)  # OpenCV's positive angles are counter-clockwise
    assert head_pose((frontal @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)).roll == pytest.approx(20, abs=0.05)


def test_a_mirror_image_turns_the_other_way():
    landmarks = turned(20, 5, 10)
    mirrored = (landmarks * [-1, 1])[[1, 0, 2, 4, 3]].astype(np.float32)
    assert angles(mirrored) == pytest.approx((-20, 5, -10), abs=0.05)


def test_the_template_of_alignment_faces_the_camera():
    assert np.abs(angles(ARCFACE_TEMPLATE)).max() < 6


def test_landmarks_in_one_point_have_a_finite_pose():
    assert np.isfinite(angles(np.full((5, 2), 7, np.float32))).all()
