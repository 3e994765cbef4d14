"""Simulated artefacts of presentation attacks: a photo on paper and on a screen, before a camera looks at them.

Light is linear, 0..1, RGB. `scale` is the number of an artefact's pixels for each pixel of the camera, so that the dots
of a print and the pixels of a screen have their size in the camera's picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Light = NDArray[np.float32]

_GAMMA = 2.2
_INK_ANGLES = np.radians((15, 75, 0, 45))  # cyan, magenta, yellow, black
# Light that an ink lets through, RGB: real inks are not pure, so a print has fewer colours than a photo.
_INKS = np.array([(0.08, 0.45, 0.75), (0.70, 0.10, 0.35), (0.92, 0.80, 0.12), (0.06, 0.06, 0.06)], np.float32)
_DOT_CELL = 5.0  # pixels of the artefact for a dot of a print
_DOT_GAIN, _LEAST_INK = 1.4, 0.2  # dots grow on paper, and the lightest tones get none
_SUBPIXELS = 3  # columns and rows of the artefact for a pixel of a screen


@dataclass(frozen=True)
class Artefact:
    """A flat thing that shows a photo: `light` (h, w, 3) linear, and its `scale` (see the module)."""

    light: Light
    scale: float


def linear(pixels: Image) -> Light:
    """Return the linear light of a photo (h, w, 3)."""
    return ((pixels.astype(np.float32) / 255) ** _GAMMA).astype(np.float32)


def encoded(light: Light) -> Image:
    """Return the photo of linear light (h, w, 3)."""
    return np.asarray(np.rint(np.clip(light, 0, 1) ** (1 / _GAMMA) * 255), np.uint8)


def printed(pixels: Image, side: float, rng: np.random.Generator, *, has_margin: bool) -> Artefact:
    """Return a photo printed in halftone on paper whose longer side takes `side` pixels of the camera."""
    dot = rng.uniform(1.2, 3.0)  # pixels of the camera
    scale = _DOT_CELL / dot
    photo = resized(linear(pixels), side * scale)
    light = (_inked(photo, rng) * rng.uniform(0.78, 0.92)).astype(np.float32)
    if has_margin:
        margin = int(max(light.shape) * rng.uniform(0.03, 0.10))
        paper = float(rng.uniform(0.75, 0.92))
        borders = margin, margin, margin, margin
        light = np.asarray(cv2.copyMakeBorder(light, *borders, cv2.BORDER_CONSTANT, value=(paper,) * 3), np.float32)
    return Artefact((light * _paper(light.shape[:2], rng)).astype(np.float32), scale)


def displayed(pixels: Image, side: float, rng: np.random.Generator, *, has_bezel: bool) -> Artefact:
    """Return a photo on a screen with sub-pixels in stripes, whose longer side takes `side` pixels of the camera."""
    pitch = rng.uniform(0.8, 2.4)  # pixels of the camera for one of the screen
    photo = resized(linear(pixels), side / pitch)
    light = photo.repeat(_SUBPIXELS, axis=0).repeat(_SUBPIXELS, axis=1) * _stripes(photo.shape, rng)
    white = np.array([rng.uniform(0.85, 1.0), rng.uniform(0.92, 1.0), 1.0], np.float32)  # screens are bluish
    light = light * white * rng.uniform(0.8, 1.15) + rng.uniform(0.002, 0.02)  # no black: the backlight leaks
    if has_bezel:
        light = _framed(light.astype(np.float32), rng)
    return Artefact(light.astype(np.float32), _SUBPIXELS / pitch)


def recompressed(pixels: Image, rng: np.random.Generator) -> Image:
    """Return a photo as a frame of a compressed video: fewer pixels, coarse colour, blocks."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, None, fx=(f := rng.uniform(0.5, 0.9)), fy=f, interpolation=cv2.INTER_AREA)
    for _ in range(2):
        small = compressed(np.asarray(small, np.uint8), int(rng.uniform(25, 55)))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def compressed(pixels: Image, quality: int) -> Image:
    """Return a photo (h, w, 3), RGB, after JPEG."""
    data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])


def resized(light: Light, longer: float) -> Light:
    """Return light whose longer side has so many pixels."""
    factor = longer / max(light.shape[:2])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(light, None, fx=factor, fy=factor, interpolation=method), 0, 1).astype(np.float32)


def _inked(photo: Light, rng: np.random.Generator) -> Light:
    """Return light (h, w, 3) as dots of four inks, each in a halftone screen with its own angle."""
    density = 1 - photo ** (1 / _GAMMA)  # dots follow the brightness that people see
    black = density.min(axis=2) * rng.uniform(0.4, 0.8)
    inks = [*np.moveaxis(density - black[..., None], 2, 0), black]
    rows, columns = np.indices(photo.shape[:2], np.float32)
    hardness, light = rng.uniform(8, 20), np.ones_like(photo)
    for ink, colour, angle in zip(inks, _INKS, _INK_ANGLES + rng.uniform(-0.05, 0.05), strict=True):
        along = (columns * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / _DOT_CELL)
        across = (rows * np.cos(angle) - columns * np.sin(angle)) * (2 * np.pi / _DOT_CELL)
        screen = 0.5 + (np.cos(along) + np.cos(across)) / 4
        dots = 1 / (1 + np.exp(np.clip(hardness * (screen - _DOT_GAIN * ink + _LEAST_INK), -30, 30)))
        light *= 1 - dots[..., None] * (1 - colour)
    return light.astype(np.float32)


def _paper(shape: tuple[int, ...], rng: np.random.Generator) -> Light:
    """Return the light (h, w, 1) that paper returns: grain, fibres and a slight curl."""
    grain = rng.normal(0, 1, shape).astype(np.float32)
    fibres = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=6, sigmaY=1.5)
    curl = np.cos(np.linspace(0, np.pi * rng.uniform(0.5, 1.5), shape[1], dtype=np.float32) + rng.uniform(0, np.pi))
    texture = 1 + rng.uniform(0.01, 0.03) * grain + rng.uniform(0.02, 0.06) * fibres / fibres.std()
    return np.asarray((texture + rng.uniform(0, 0.1) * curl)[..., None], np.float32)


def _stripes(shape: tuple[int, ...], rng: np.random.Generator) -> Light:
    """Return the mask (3h, 3w, 3) of a screen's red, green and blue stripes; its mean is 1."""
    leak = rng.uniform(0.1, 0.4)
    cell = np.full((_SUBPIXELS, _SUBPIXELS, 3), leak, np.float32)
    cell[:, np.arange(3), np.arange(3)] = 1
    cell[-1] *= rng.uniform(0.3, 0.8)  # the dark gap between rows
    return np.tile(cell / cell.mean(axis=(0, 1)), (shape[0], shape[1], 1))


def _framed(light: Light, rng: np.random.Generator) -> Light:
    """Return the light of a screen with the frame of a phone or tablet around it."""
    longer, dark = max(light.shape), float(rng.uniform(0.001, 0.03))
    narrow, wide = int(longer * rng.uniform(0.01, 0.03)), int(longer * rng.uniform(0.02, 0.09))
    framed = cv2.copyMakeBorder(light, wide, wide, narrow, narrow, cv2.BORDER_CONSTANT, value=(dark,) * 3)
    return np.asarray(framed, np.float32)
