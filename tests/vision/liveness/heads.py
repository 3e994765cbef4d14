"""Landmarks of a head, and of a flat photo of it, as a camera sees them."""

import numpy as np

from app.vision.liveness.motion import Motion, motion

# Left eye, right eye, nose tip, corners of the mouth, in eye distances; z grows away from the camera.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.57, -0.55], [-0.41, 1.08, 0], [0.41, 1.08, 0]])
PHOTO = HEAD * [1, 1, 0]


def seen(points, *, yaw=0.0, pitch=0.0, roll=0.0, distance=8.0, noise=0.0, seed=0):
    """Return the landmarks (5, 2) in pixels of points (5, 3), turned by degrees.

    With a positive yaw the face turns to the person's left, which is the right of the picture; pitch: upwards.
    """
    yaw, pitch, roll = np.radians([-yaw, pitch, roll])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    lean = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    x, y, z = (points @ (lean @ nod @ turn).T).T
    pixels = np.column_stack([x, y]) / (z + distance)[:, None] * 800 + [320, 240]
    pixels += np.random.default_rng(seed).normal(0, noise * 800 / distance, (5, 2))
    return pixels.astype(np.float32)


def moved(start, end) -> Motion:
    """Return the motion between landmarks that have one."""
    found = motion(start, end)
    assert found is not None
    return found
