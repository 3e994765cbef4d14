"""Components of fine detail: sharpness, noise and compression. Pure."""

from typing import Final

import cv2
import numpy as np

from app.types import Floats
from app.vision.alignment import CROP_SIDE
from app.vision.imaging.decode import Image
from app.vision.quality.components import Component, Components
from app.vision.quality.light import FACE
from app.vision.quality.scales import falling, rising

_BLOCK = 8  # side of a JPEG block
_LARGEST_PATCH = 160  # pixels of a face's side that are looked at
_SMALLEST_PATCH = 3 * _BLOCK
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # Immerkaer, CVIU 1996
_LAPLACIAN_GAIN = 6 * 0.6745  # to the standard deviation, from the median of absolute values
# Variance of white noise after the difference of Gaussians with sigmas 1 and 2, and 2 and 4.
_FINE_GAIN, _COARSE_GAIN = 0.0358, 0.0090


def _dct() -> Floats:
    """Return the matrix (8, 8) of the orthonormal cosine transform."""
    order, place = np.arange(_BLOCK)[:, None], np.arange(_BLOCK)[None]
    matrix: Floats = (np.sqrt(2 / _BLOCK) * np.cos((2 * place + 1) * order * np.pi / (2 * _BLOCK))).astype(np.float32)
    matrix[0] /= np.sqrt(np.float32(2))
    return matrix


_DCT: Final = _dct()
_IS_FINE: Final = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) >= 3


def band_variances(luma: Floats) -> tuple[np.float32, np.float32]:
    """Return the variance at 2-4 pixels and that at 4-8, in the face of a luma (112, 112)."""
    fine, middle, coarse = (cv2.GaussianBlur(luma, (0, 0), sigma)[FACE] for sigma in (1, 2, 4))
    return (fine - middle).var(), (middle - coarse).var()


def detail_components(
    luma: Floats, variances: tuple[np.float32, np.float32], *, landmarks: Floats, size: float, image: Image | None
) -> Components:
    """Return the components of detail.

    Args:
        luma: Luma (112, 112) of the aligned crop, 0..255.
        variances: Its `band_variances`.
        landmarks: Landmarks (5, 2) in pixels of the photo.
        size: Side in pixels of the photo's square that became the crop.
        image: The photo; None leaves out compression.
    """
    native = None if image is None else _patch(image, landmarks, size)
    noise = _noise(luma[FACE] if native is None or size >= CROP_SIDE else native)
    found = {
        Component.SHARPNESS: rising(_detail(variances, noise), middle=0.42, steepness=4) * noise_component(noise) / 100,
        Component.NOISE_PREVENTION: noise_component(noise),
    }
    if native is not None:
        found[Component.COMPRESSION_ARTIFACTS] = falling(blockiness(native), middle=0.5, steepness=5)
    return found


def noise_component(noise: float) -> float:
    """Return the component of a standard deviation of noise, in levels of luma."""
    return falling(noise, middle=12, steepness=2)


def _detail(variances: tuple[np.float32, np.float32], noise: float) -> float:
    """Return the contrast at 2-4 pixels over that at 4-8, both without the noise's share."""
    fine, coarse = map(float, variances)
    above = max(fine - _FINE_GAIN * noise**2, 0.0)
    below = max(coarse - _COARSE_GAIN * noise**2, 1e-3)
    return float(np.sqrt(above / below))


def _noise(luma: Floats) -> float:
    """Return the standard deviation of white noise."""
    response = cv2.filter2D(luma, cv2.CV_32F, _LAPLACIAN)[1:-1, 1:-1]
    return float(np.median(np.abs(response))) / _LAPLACIAN_GAIN


def _patch(image: Image, landmarks: Floats, size: float) -> Floats | None:
    """Return the luma of the face in the photo's own pixels, at most 160 a side; None for a tiny face."""
    half = min(size / image.reduction * 0.8, _LARGEST_PATCH) / 2
    height, width = image.pixels.shape[:2]
    x, y = landmarks.mean(axis=0) / image.reduction
    left, top = (int(max(0, each - half)) // _BLOCK * _BLOCK for each in (x, y))
    right, bottom = int(min(width, x + half)), int(min(height, y + half))
    if min(right - left, bottom - top) < _SMALLEST_PATCH:
        return None
    part = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    return cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)


def blockiness(luma: Floats) -> float:
    """Return by how much JPEG's grid has thinned out the fine frequencies of a patch, about 0 without compression.

    That is the log of their mean amplitude in blocks off the grid over that in blocks on it: 0.3 at JPEG quality 90,
    0.7 at 40, 1.2 at 15. The grid may start anywhere, because photos are cropped.
    """
    at_steps = tuple(_first_line(plane) for plane in (luma.T, luma))
    return max(_thinning(luma, *start) for start in {(0, 0), at_steps})


def _first_line(luma: Floats) -> int:
    """Return the column, from 0 to 7, at which the largest steps between columns repeat."""
    steps = np.abs(np.diff(luma, axis=1)).mean(axis=0)
    repeats, longer = divmod(len(steps), _BLOCK)  # the first phases have a step more than the others
    phases = np.zeros((repeats + 1, _BLOCK), np.float32)
    phases.ravel()[: len(steps)] = steps
    phases = np.ascontiguousarray(phases.T)
    means = np.concatenate([phases[:longer].mean(axis=1), phases[longer:, :repeats].mean(axis=1)])
    return int(np.argmax(means) + 1) % _BLOCK


def _thinning(luma: Floats, top: int, left: int) -> float:
    half = _BLOCK // 2
    on, off = (_fine_amplitude(luma[top + by :, left + by :]) for by in (0, half))
    return float(np.log((off + 0.2) / (on + 0.2)))


def _fine_amplitude(luma: Floats) -> float:
    rows, columns = luma.shape[0] // _BLOCK, luma.shape[1] // _BLOCK
    whole = luma[: rows * _BLOCK, : columns * _BLOCK]
    blocks = whole.reshape(rows, _BLOCK, columns, _BLOCK).transpose(0, 2, 1, 3)
    return float(np.abs(_DCT @ blocks @ _DCT.T)[:, :, _IS_FINE].mean())
