"""Alignment: 112x112 crops by a similarity transform from five landmarks to the ArcFace template. Pure."""

import numpy as np
from numpy.typing import NDArray

from app.types import Floats, Pixels
from app.vision.imaging.warp import warp
from app.vision.inference.templates import TEMPLATES

_ARCFACE = TEMPLATES["arcface-112"]
CROP_SIDE = _ARCFACE.side
ARCFACE_TEMPLATE: Floats = _ARCFACE.landmarks


def similarity_transforms(landmarks: Floats, template: Floats = ARCFACE_TEMPLATE) -> NDArray[np.float64]:
    """Return the least-squares similarity transforms (no reflection) from `landmarks` to `template`.

    With points as complex numbers a similarity is z -> a*z + b, and its least-squares solution is one division (equal
    to Umeyama, PAMI 1991, in two dimensions).

    Args:
        landmarks: Points (n, 5, 2). If all points of a face coincide, its transform has scale 0.
        template: Points (5, 2).

    Returns:
        Matrices (n, 2, 3).
    """
    source = landmarks[..., 0].astype(np.float64) + 1j * landmarks[..., 1]
    target = template[:, 0].astype(np.float64) + 1j * template[:, 1]
    centre = source.mean(axis=1, keepdims=True)
    centred = source - centre
    spread = np.maximum((np.abs(centred) ** 2).sum(axis=1), np.finfo(np.float64).tiny)
    a = (np.conj(centred) * (target - target.mean())).sum(axis=1) / spread
    b = target.mean() - a * centre[:, 0]
    return np.stack([a.real, -a.imag, b.real, a.imag, a.real, b.imag], axis=1).reshape(-1, 2, 3)


def align(pixels: Pixels, landmarks: Floats) -> Pixels:
    """Return the aligned crops (n, 112, 112, 3) of a photo, black beyond its edge.

    Args:
        pixels: Photo (height, width, 3).
        landmarks: Landmarks (n, 5, 2) in pixels of the photo.
    """
    crops = np.zeros((len(landmarks), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for crop, matrix in zip(crops, similarity_transforms(landmarks), strict=True):
        crop[:] = warp(pixels, matrix, CROP_SIDE)
    return crops
