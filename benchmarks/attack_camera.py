"""A simulated camera: an artefact held before it, its light, and what its sensor and its file make of it."""

import cv2
import numpy as np
from attack_artefacts import Artefact, Image, Light, compressed, encoded
from numpy.typing import NDArray

Points = NDArray[np.float32]

_SKIN = np.array([0.55, 0.33, 0.23], np.float32)  # linear light of a hand


def held(artefact: Artefact, size: tuple[int, int], rng: np.random.Generator, *, is_close: bool) -> Light:
    """Return the light (h, w, 3) of a room in which somebody holds an artefact before the camera.

    Args:
        artefact: what is held.
        size: height and width of the camera's picture.
        rng: draws the room, the tilt and the hand.
        is_close: whether the artefact fills the picture, so that neither its edge nor the hand shows.
    """
    corners = _corners(artefact, size, rng, is_close=is_close)
    height, width = artefact.light.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    # The lens blurs less than a pixel of the camera: finer patterns than that come out as moire.
    soft = cv2.GaussianBlur(artefact.light, (0, 0), max(rng.uniform(0.2, 0.5) * artefact.scale, 0.1))
    warp = cv2.getPerspectiveTransform(source, corners)
    seen = cv2.warpPerspective(soft, warp, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if is_close:
        return np.asarray(seen, np.float32)
    inside = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners * 16).astype(np.int32), 255, cv2.LINE_AA, shift=4)
    alpha = (inside.astype(np.float32) / 255)[..., None]
    scene = room(size, rng) * (1 - alpha) + seen * alpha
    return _with_thumb(scene.astype(np.float32), corners, rng)


def room(size: tuple[int, int], rng: np.random.Generator) -> Light:
    """Return the light of a blurred room: a wall, and things before it."""
    light = np.broadcast_to(_colour(rng, 0.05, 0.6), (*size, 3)).copy()
    for _ in range(rng.integers(3, 9)):
        top, left = (int(rng.uniform(-0.2, 0.9) * side) for side in size)
        bottom, right = top + int(rng.uniform(0.1, 0.8) * size[0]), left + int(rng.uniform(0.1, 0.8) * size[1])
        light[max(top, 0) : bottom, max(left, 0) : right] = _colour(rng, 0.01, 0.8)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), max(size) * rng.uniform(0.003, 0.03)), np.float32)


def with_glare(light: Light, rng: np.random.Generator) -> Light:
    """Return light with the reflection of a lamp or a window on glass."""
    height, width = light.shape[:2]
    glare = np.zeros((height, width), np.float32)
    centre = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    axes = int(width * rng.uniform(0.03, 0.25)), int(height * rng.uniform(0.03, 0.2))
    cv2.ellipse(glare, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
    glare = np.asarray(cv2.GaussianBlur(glare, (0, 0), width * rng.uniform(0.01, 0.06)), np.float32)
    veil = rng.uniform(0, 0.05)  # the lit room, everywhere on the glass
    return np.asarray(light + veil + rng.uniform(0.1, 0.7) * glare[..., None], np.float32)


def photographed(light: Light, rng: np.random.Generator) -> Image:
    """Return the photo (h, w, 3) of some light: exposure, white balance, blur, noise, sharpening, JPEG.

    Live faces and attacks take the same path, so that nothing here distinguishes them.
    """
    lit = light * rng.uniform(0.75, 1.2) * np.exp(rng.normal(0, 0.04, 3)) * _lamp(light.shape[:2], rng)
    seen = np.asarray(cv2.GaussianBlur(lit.astype(np.float32), (0, 0), rng.uniform(0.2, 0.7)), np.float32)
    noise = rng.normal(0, 1, seen.shape) * np.sqrt(np.maximum(seen, 0) * rng.uniform(1e-5, 4e-4) + 1e-6)
    pixels = encoded((seen + noise).astype(np.float32)).astype(np.float32)
    if rng.random() < 0.5:  # phones sharpen
        pixels += rng.uniform(0.2, 0.8) * (pixels - cv2.GaussianBlur(pixels, (0, 0), 1.2))
    return compressed(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), int(rng.uniform(75, 96)))


def _corners(artefact: Artefact, size: tuple[int, int], rng: np.random.Generator, *, is_close: bool) -> Points:
    """Return where the corners (4, 2) of an artefact are in the picture: turned, tilted and moved a little."""
    height, width = (side / artefact.scale for side in artefact.light.shape[:2])
    flat = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    angle = rng.normal(0, 0.02 if is_close else 0.06)
    turned = flat @ np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    tilt = rng.normal(0, 0.02 if is_close else 0.06, 2)
    depth = 1 + turned / max(width, height) @ tilt
    middle = np.array(size[::-1]) * (0.5 + rng.uniform(-0.02, 0.02, 2))
    return np.asarray(turned / depth[:, None] + middle, np.float32)


def _with_thumb(scene: Light, corners: Points, rng: np.random.Generator) -> Light:
    """Return a scene with a thumb over the artefact's lower or side edge, as if it is held."""
    first, second = corners[[(3, 2), (0, 3), (1, 2)][rng.integers(3)], :]
    place = first + (second - first) * rng.uniform(0.55, 0.9)
    inwards = corners.mean(axis=0) - place
    length = max(scene.shape[:2]) * rng.uniform(0.05, 0.09)
    centre = place + inwards / np.linalg.norm(inwards) * length * 0.2
    thumb = np.zeros(scene.shape[:2], np.float32)
    angle = float(np.degrees(np.arctan2(inwards[1], inwards[0])))
    at = int(centre[0]), int(centre[1])
    cv2.ellipse(thumb, at, (int(length), int(length * 0.45)), angle, 0, 360, 1.0, -1, cv2.LINE_AA)
    thumb = np.asarray(cv2.GaussianBlur(thumb, (0, 0), 1.0), np.float32)
    skin = _SKIN * rng.uniform(0.15, 1.4)
    return np.asarray(scene + (skin - scene) * thumb[..., None], np.float32)


def _colour(rng: np.random.Generator, low: float, high: float) -> Light:
    """Return a colour (3,) between these levels, mostly greyish as in rooms."""
    return np.asarray(np.clip(rng.uniform(low, high) * np.exp(rng.normal(0, 0.3, 3)), 0, 1), np.float32)


def _lamp(shape: tuple[int, ...], rng: np.random.Generator) -> Light:
    """Return the light (h, w, 1) of a lamp on one side."""
    y, x = np.indices(shape, np.float32) / max(shape) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    return np.asarray((1 + rng.uniform(0, 0.3) * (x * np.cos(angle) + y * np.sin(angle)))[..., None], np.float32)
