"""Training samples of the occlusion network: covered and uncovered faces under the conditions of real cameras."""

from dataclasses import dataclass

import cv2
import numpy as np
from look_alikes import HARMLESS
from numpy.typing import NDArray
from occluders import (
    EYE_COVERINGS,
    MOUTH_COVERINGS,
    OTHERS,
    Coverage,
    Draw,
    Image,
    Points,
    Scene,
    coverage,
)

SIDE, MARGIN = 112, 28  # of the crop, and of the canvas around it
LABELS = ("eyes", "mouth", "face", "motion")


@dataclass(frozen=True)
class Kinds:
    """The coverings to draw, by name: those of training or those left out."""

    eyes: dict[str, Draw]
    mouth: dict[str, Draw]
    others: dict[str, Draw]

    @classmethod
    def all(cls) -> "Kinds":
        """Return every kind."""
        return cls(EYE_COVERINGS, MOUTH_COVERINGS, OTHERS)

    def without(self, eyes: str, mouth: str) -> "Kinds":
        """Return the kinds without one of the eyes and one of the mouth."""
        return Kinds(
            {name: draw for name, draw in self.eyes.items() if name != eyes},
            {name: draw for name, draw in self.mouth.items() if name != mouth},
            self.others,
        )


def sample(
    canvas: Image, landmarks: Points, rng: np.random.Generator, patches: list[Image], kinds: Kinds
) -> tuple[Image, NDArray[np.float32]]:
    """Return a crop (112, 112, 3) and its labels (4,), 0..1, of a canvas (168, 168, 3) with the face in its middle."""
    scene = Scene.of(canvas, landmarks, rng, patches)
    for name, draw in HARMLESS.items():
        if rng.random() < (0.2 if name == "glasses" else 0.12):
            draw(scene)
    if rng.random() < 0.30:
        _one_of(kinds.eyes, rng)(scene)
    if rng.random() < 0.30:
        _one_of(kinds.mouth, rng)(scene)
    if rng.random() < 0.08:
        _one_of(kinds.others, rng)(scene)
    labels = labels_of(coverage(scene))
    picture = np.clip(scene.picture, 0, 255).astype(np.uint8)
    picture, motion = photographed(jittered(picture, rng), rng)
    return picture, np.array([*labels, motion], np.float32)


def _one_of(kinds: dict[str, Draw], rng: np.random.Generator) -> Draw:
    return list(kinds.values())[rng.integers(len(kinds))]


def labels_of(covered: Coverage) -> tuple[float, float, float]:
    """Return soft labels: 0 for a little that is covered, 1 for what hides the part."""
    return (
        float(np.clip((covered.eyes - 0.25) / 0.3, 0, 1)),
        float(np.clip((covered.mouth - 0.3) / 0.3, 0, 1)),
        float(np.clip((covered.face - 0.1) / 0.12, 0, 1)),
    )


def jittered(canvas: Image, rng: np.random.Generator) -> Image:
    """Return the crop as a detector might align it: moved, turned, scaled, in half of the cases mirrored."""
    scale, angle = np.exp(rng.normal(0, 0.05)), rng.normal(0, 3)
    middle = canvas.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle, scale)
    matrix[:, 2] += rng.normal(0, 2, 2) + SIDE / 2 - middle
    crop = cv2.warpAffine(canvas, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop).astype(np.uint8)


def photographed(crop: Image, rng: np.random.Generator) -> tuple[Image, float]:
    """Return a crop as a worse camera would show it, and the label of motion blur."""
    motion, softness = 0.0, 0.0
    if rng.random() < 0.12:
        crop = lit(crop, rng)
    if rng.random() < 0.25:
        softness = rng.uniform(0.4, 3.5)
        crop = cv2.GaussianBlur(crop, (0, 0), softness).astype(np.uint8)
    if rng.random() < 0.33:
        length = rng.uniform(2, 18)
        crop = moved(crop, length, rng)
        motion = float(np.clip((length - max(3.0, 3 * softness)) / 3, 0, 1))
    if rng.random() < 0.3:
        crop = shrunk(crop, rng)
    if rng.random() < 0.35:
        crop = exposed(crop, rng)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 18), crop.shape)
        if rng.random() < 0.4:  # noise of a small photo, enlarged
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 1.2)) * 2, np.float64)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        crop = compressed(crop, int(rng.uniform(15, 95)))
    return crop, motion


def moved(crop: Image, length: float, rng: np.random.Generator) -> Image:
    """Return a crop blurred along a line, or along a slightly bent path."""
    side = int(length) + 3 | 1
    times = np.linspace(-0.5, 0.5, 64)
    angle, bend = rng.uniform(0, np.pi), rng.choice([0.0, rng.normal(0, 0.25)])
    along, across = times * (length - 1), bend * (times**2 - 1 / 12) * length
    x = along * np.cos(angle) - across * np.sin(angle) + side // 2
    y = along * np.sin(angle) + across * np.cos(angle) + side // 2
    kernel = np.zeros((side, side), np.float32)
    for column, row in zip(x, y, strict=True):  # bilinear
        left, top = int(np.floor(column)), int(np.floor(row))
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if 0 <= left + dx < side and 0 <= top + dy < side:
                kernel[top + dy, left + dx] += (1 - abs(column - left - dx)) * (1 - abs(row - top - dy))
    return cv2.filter2D(crop, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT).astype(np.uint8)


def shrunk(crop: Image, rng: np.random.Generator) -> Image:
    """Return a crop of a small face, enlarged; often with the camera's noise and compression at the small size."""
    side = int(rng.uniform(24, 90))
    small = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    if rng.random() < 0.5:
        small = np.clip(small + rng.normal(0, rng.uniform(2, 12), small.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        small = compressed(small, int(rng.uniform(20, 90)))
    way = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])
    return cv2.resize(small, (SIDE, SIDE), interpolation=int(way)).astype(np.uint8)


def compressed(crop: Image, quality: int) -> Image:
    """Return a crop through JPEG."""
    data = cv2.imencode(".jpg", crop[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])


def exposed(crop: Image, rng: np.random.Generator) -> Image:
    """Return a crop with another gamma, gain, white balance, or without colour."""
    light = (crop / 255.0) ** np.exp(rng.normal(0, 0.35)) * np.exp(rng.normal(-0.3, 0.6))
    light = light * np.exp(rng.normal(0, 0.08, 3))
    if rng.random() < 0.25:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    return np.clip(light * 255, 0, 255).astype(np.uint8)


def lit(crop: Image, rng: np.random.Generator) -> Image:
    """Return a crop with light from one side."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    ramp = 1 + rng.uniform(0.3, 1.5) * (x * np.cos(angle) + y * np.sin(angle))
    return np.clip(crop * np.clip(ramp, 0.1, 2)[..., None], 0, 255).astype(np.uint8)
