"""Synthetic coverings of faces: sunglasses, masks, hands, hair, scarves.

Shapes are given in the face's own units: (0, 0) is the middle of the eyes, (1, 0) one eye distance along them, and
(0, 1.15) the middle of the mouth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]
Points = NDArray[np.float64]
MOUTH_DOWN = 1.15  # eye distances from the eyes to the mouth


@dataclass
class Scene:
    """A face that is drawn on: `picture` (h, w, 3), RGB; `covered` (h, w), 0..1; `patches` of other photos."""

    picture: NDArray[np.float32]
    frame: NDArray[np.float64]
    covered: Plane
    rng: np.random.Generator
    patches: list[Image]

    @classmethod
    def of(cls, picture: Image, landmarks: Points, rng: np.random.Generator, patches: list[Image]) -> "Scene":
        """Return the scene of a photo whose five landmarks (5, 2) are known."""
        eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
        frame = np.column_stack([landmarks[1] - landmarks[0], (mouth - eyes) / MOUTH_DOWN, eyes])
        return cls(picture.astype(np.float32), frame, np.zeros(picture.shape[:2], np.float32), rng, patches)

    @property
    def unit(self) -> float:
        """The distance between the eyes, in pixels."""
        return float(np.linalg.norm(self.frame[:, 0]))

    def mask(self, *shapes: Points, softness: float | None = None) -> Plane:
        """Return the inside of polygons (n, 2) in face units, with a soft edge."""
        mask = np.zeros(self.covered.shape, np.uint8)
        for shape in shapes:
            placed = shape @ self.frame[:, :2].T + self.frame[:, 2]
            cv2.fillPoly(mask, [np.round(placed * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        soft = self.rng.uniform(0.3, 1.4) if softness is None else softness
        return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), soft).astype(np.float32)

    def cover(self, alpha: Plane, texture: NDArray[np.float32]) -> None:
        """Paint a texture that hides what is below it."""
        self.picture += (texture - self.picture) * alpha[..., None]
        self.covered = np.maximum(self.covered, alpha)

    def tint(self, alpha: Plane, colour: NDArray[np.float32]) -> None:
        """Paint without counting it as covered: hair of a beard, shadow, make-up."""
        self.picture += (colour - self.picture) * alpha[..., None]


def oval(centre: tuple[float, float], radii: tuple[float, float], power: float = 2, tilt: float = 0) -> Points:
    """Return a superellipse: power 2 is an ellipse, 5 nearly a rectangle."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    x = np.sign(cos) * np.abs(cos) ** (2 / power) * radii[0]
    y = np.sign(sin) * np.abs(sin) ** (2 / power) * radii[1]
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return np.column_stack([x, y]) @ turn.T + np.array(centre)


def colour_of(rng: np.random.Generator, low: float = 0, high: float = 255) -> NDArray[np.float32]:
    """Return a random colour, grey in half of the cases."""
    grey = rng.uniform(low, high)
    spread = rng.choice([0.0, 0.15, 1.0], p=[0.3, 0.3, 0.4])
    return np.clip(grey + rng.uniform(-1, 1, 3) * spread * 110, 0, 255).astype(np.float32)


def texture_of(scene: Scene, base: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a texture (h, w, 3): plain, grained, shaded, striped, dotted, or a piece of another photo."""
    rng, (height, width) = scene.rng, scene.covered.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    kind = rng.choice(["plain", "cloud", "stripes", "dots", "photo"], p=[0.4, 0.2, 0.12, 0.08, 0.2])
    if kind == "photo" and scene.patches:
        patch = scene.patches[rng.integers(len(scene.patches))]
        return cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    out = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    other = colour_of(rng)
    if kind == "cloud":
        cloud = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), rng.uniform(1, 9))
        out = out + (cloud / (cloud.std() + 1e-6) * rng.uniform(4, 30))[..., None]
    elif kind == "stripes":
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 16)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period) > rng.uniform(-0.6, 0.6)
        out = np.where(wave[..., None], out, other)
    elif kind == "dots":
        period = rng.uniform(5, 14)
        dots = (np.sin(x * 2 * np.pi / period) * np.sin(y * 2 * np.pi / period)) > rng.uniform(0.2, 0.7)
        out = np.where(dots[..., None], other, out)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 60)
    shade = ((x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)) / width * strength
    grain = rng.standard_normal((height, width, 1)).astype(np.float32) * rng.choice([0, 2, 6])
    return np.clip(out + shade[..., None] + grain, 0, 255).astype(np.float32)


def _wander(rng: np.random.Generator, points: Points, amount: float) -> Points:
    return points + rng.normal(0, amount, points.shape)


def sunglasses(scene: Scene, opacity: tuple[float, float] = (0.8, 1.0)) -> None:
    """Draw sunglasses: two lenses of one of several forms, frame, bridge, temples, gradient and reflections."""
    rng = scene.rng
    radii, power = (rng.uniform(0.33, 0.5), rng.uniform(0.2, 0.48)), rng.choice([2, 2.6, 4, 7])
    tilt, drop, apart = rng.uniform(-0.2, 0.2), rng.uniform(-0.05, 0.12), rng.uniform(0.47, 0.54)
    lenses = [oval((side * apart, drop), radii, power, side * tilt) for side in (-1, 1)]
    mask = scene.mask(*lenses, softness=rng.uniform(0.3, 1))
    base = colour_of(rng, 0, 70) if rng.random() < 0.8 else colour_of(rng, 40, 200)
    texture = texture_of(scene, base) * rng.choice([1.0, 0.4])
    y = np.linspace(0, 1, mask.shape[0], dtype=np.float32)[:, None, None]
    texture = np.clip(texture + y * rng.uniform(-40, 60), 0, 255)
    if rng.random() < 0.5:  # the sky or a window in the lenses
        spot = oval((rng.uniform(-0.7, 0.7), drop - 0.1), (rng.uniform(0.05, 0.6), rng.uniform(0.03, 0.15)), 2, 0.3)
        glow = scene.mask(spot, softness=rng.uniform(0.5, 3))[..., None] * rng.uniform(0.3, 1)
        texture = texture + (rng.uniform(120, 255) - texture) * glow
    scene.cover(mask * rng.uniform(*opacity), texture.astype(np.float32))
    glasses_frame(scene, lenses, drop)


def glasses_frame(scene: Scene, lenses: list[Points], drop: float) -> None:
    """Draw a frame around lenses, with bridge and temples."""
    rng = scene.rng
    width, colour = rng.uniform(0.015, 0.09), colour_of(rng, 0, 200)
    rims = [(lens - lens.mean(axis=0)) * (1 + width / 0.35) + lens.mean(axis=0) for lens in lenses]
    rim = np.clip(scene.mask(*rims, softness=0.5) - scene.mask(*lenses, softness=0.5), 0, 1)
    inner, outer = float(np.abs(lenses[1][:, 0]).min()), float(np.abs(lenses[1][:, 0]).max())
    top = drop - rng.uniform(0.02, 0.15)
    bars = [np.array([(-inner, top), (inner, top), (inner, top + width), (-inner, top + width)])]
    low = top + width
    bars += [
        np.array([(side * outer, top), (side * 1.3, top), (side * 1.3, low), (side * outer, low)])
        for side in (-1.0, 1.0)
    ]
    scene.cover(np.maximum(rim, scene.mask(*bars, softness=0.5)), texture_of(scene, colour))


def eye_bar(scene: Scene) -> None:
    """Draw a bar, a visor or a blindfold across both eyes, or a patch over one eye."""
    rng = scene.rng
    if rng.random() < 0.15:
        shape = oval((rng.choice([-0.5, 0.5]), 0), (rng.uniform(0.3, 0.5), rng.uniform(0.22, 0.4)), rng.choice([2, 4]))
    else:
        radii = (rng.uniform(0.85, 1.3), rng.uniform(0.16, 0.45))
        shape = oval(
            (rng.uniform(-0.1, 0.1), rng.uniform(-0.06, 0.08)), radii, rng.choice([3, 6, 40]), rng.normal(0, 0.06)
        )
    low, high = (0, 80) if rng.random() < 0.5 else (0, 255)
    scene.cover(scene.mask(shape) * rng.uniform(0.8, 1), texture_of(scene, colour_of(rng, low, high)))


def tinted_glasses(scene: Scene) -> None:
    """Draw sunglasses through which the eyes can just be seen."""
    sunglasses(scene, (0.5, 0.8))


def mask_shape(rng: np.random.Generator) -> Points:
    """Return the outline of a mask from nose to chin."""
    top, side, low = rng.uniform(0.28, 0.75), rng.uniform(0.4, 0.95), rng.uniform(1.5, 2.0)
    wide, chin = rng.uniform(0.75, 1.15), rng.uniform(0.25, 0.7)
    right = [(0, top), (0.3, top + 0.1), (wide, side), (wide * 0.95, 1.2), (chin, low), (0, low + 0.05)]
    return _wander(rng, np.array(right + [(-x, y) for x, y in right[::-1]]), 0.03)


def face_mask(scene: Scene) -> None:
    """Draw a surgical mask or one of cloth: folds, a wire, shading and straps."""
    rng, shape = scene.rng, mask_shape(scene.rng)
    surgical = rng.random() < 0.5
    base = np.array([rng.uniform(120, 235), rng.uniform(170, 240), rng.uniform(190, 250)], np.float32)
    texture = texture_of(scene, base if surgical else colour_of(rng))
    for level in np.linspace(0.7, 1.7, rng.integers(2, 6)) if rng.random() < 0.7 else []:
        bend = rng.uniform(-0.05, 0.2)
        fold = np.array(
            [
                (-1.2, level),
                (0, level + bend),
                (1.2, level),
                (1.2, level + 0.05),
                (0, level + bend + 0.05),
                (-1.2, level + 0.05),
            ]
        )
        texture = texture + (scene.mask(fold, softness=0.8) * rng.uniform(-45, 25))[..., None]
    middle = oval((0, 1.1), (0.6, 0.7))
    texture = texture + ((scene.mask(middle, softness=scene.unit * 0.3) - 0.5) * rng.uniform(-20, 60))[..., None]
    if rng.random() < 0.7:
        for side in (-1.0, 1.0):
            strap = np.array([(side * 0.8, 0.75), (side * 1.5, 0.1), (side * 1.5, 0.15), (side * 0.8, 0.82)])
            scene.tint(scene.mask(strap) * 0.8, colour_of(rng, 120, 255))
    scene.cover(scene.mask(shape) * rng.uniform(0.85, 1), np.clip(texture, 0, 255).astype(np.float32))


def mouth_patch(scene: Scene) -> None:
    """Draw a rectangle or an oval over the mouth, of any texture."""
    rng = scene.rng
    radii = (rng.uniform(0.55, 1.1), rng.uniform(0.3, 0.75))
    shape = oval((rng.normal(0, 0.06), rng.uniform(1.0, 1.3)), radii, rng.choice([2, 4, 40]), rng.normal(0, 0.08))
    scene.cover(scene.mask(shape) * rng.uniform(0.8, 1), texture_of(scene, colour_of(rng)))


def scarf(scene: Scene) -> None:
    """Draw a scarf or a collar from the mouth down, wide and with folds."""
    rng = scene.rng
    top = rng.uniform(0.5, 0.95)
    x = np.linspace(-2, 2, 12)
    edge = np.column_stack([x, top + 0.12 * np.abs(x) * rng.uniform(-1, 2) + rng.normal(0, 0.04, 12)])
    shape = np.vstack([edge, [(2, 3), (-2, 3)]])
    scene.cover(scene.mask(shape), texture_of(scene, colour_of(rng)))


def _skin(scene: Scene) -> NDArray[np.float32]:
    cheek = scene.mask(oval((0, 0.6), (0.6, 0.3)))
    own = (scene.picture * cheek[..., None]).sum(axis=(0, 1)) / max(float(cheek.sum()), 1)
    return np.clip(own * scene.rng.uniform(0.75, 1.2) + scene.rng.normal(0, 8, 3), 0, 255).astype(np.float32)


def _hand(scene: Scene, centre: tuple[float, float], height: float) -> None:
    """Draw four fingers and a palm, in the colour of the skin or of a glove."""
    rng = scene.rng
    skin = _skin(scene) if rng.random() < 0.8 else colour_of(rng)
    tilt, wide = rng.normal(0, 0.5), rng.uniform(0.9, 1.5)
    across, along = np.array([-np.sin(tilt), np.cos(tilt)]), np.array([np.cos(tilt), np.sin(tilt)])
    shapes = [oval(tuple(np.array(centre) - along * wide * 0.9), (wide * 0.6, height * 1.1), 3, tilt)]
    for place in np.linspace(-0.75, 0.75, 4):
        at = np.array(centre) + across * place * height + along * rng.uniform(-0.1, 0.1)
        shapes.append(oval((float(at[0]), float(at[1])), (wide * 0.75, height * 0.24), 3, tilt + rng.normal(0, 0.06)))
    alpha = scene.mask(*shapes, softness=0.8)
    shade = cv2.GaussianBlur(alpha, (0, 0), scene.unit * 0.12)[..., None]
    texture = skin * (0.65 + 0.4 * shade) + rng.normal(0, 3, (*alpha.shape, 1))
    for shape in shapes[1:]:
        rim = scene.mask(shape, softness=0.8)
        edge = cv2.GaussianBlur(rim, (0, 0), 1.5) - rim
        texture = texture - np.abs(edge)[..., None] * rng.uniform(40, 120)
    scene.cover(alpha, np.clip(texture, 0, 255).astype(np.float32))


def hand_on_mouth(scene: Scene) -> None:
    """Draw a hand over the mouth."""
    _hand(scene, (scene.rng.normal(0, 0.1), scene.rng.uniform(1.0, 1.4)), scene.rng.uniform(0.32, 0.55))


def hand_on_eyes(scene: Scene) -> None:
    """Draw a hand over the eyes."""
    _hand(scene, (scene.rng.normal(0, 0.1), scene.rng.uniform(-0.15, 0.1)), scene.rng.uniform(0.28, 0.5))


def hair_on_eyes(scene: Scene) -> None:
    """Draw strands of hair from the forehead over the eyes."""
    rng = scene.rng
    colour, strands = colour_of(rng, 5, 130), rng.integers(18, 50)
    reach = rng.uniform(0.15, 0.5)
    shapes = []
    for start in np.sort(rng.uniform(-1.1, 1.1, strands)):
        end, width = start + rng.normal(0, 0.2), rng.uniform(0.04, 0.12)
        tip = reach + rng.normal(0, 0.1)
        shapes.append(
            np.array([(start - width, -1.1), (start + width, -1.1), (end + width / 3, tip), (end, tip + 0.1)])
        )
    texture = np.broadcast_to(colour, scene.picture.shape) + rng.normal(0, 12, (1, scene.picture.shape[1], 1))
    scene.cover(scene.mask(*shapes, softness=0.6) * rng.uniform(0.85, 1), np.clip(texture, 0, 255).astype(np.float32))


def object_at_mouth(scene: Scene) -> None:
    """Draw a thing that is held before the mouth: a microphone, a cup, a telephone."""
    rng = scene.rng
    centre = (rng.normal(0, 0.15), rng.uniform(1.05, 1.35))
    radius = rng.uniform(0.4, 0.65)
    head = oval(centre, (radius, radius * rng.uniform(0.8, 1.3)), rng.choice([2, 3, 8]))
    lean = rng.normal(0, 0.4)
    handle = np.array(
        [(centre[0] - 0.2, centre[1]), (centre[0] + 0.2, centre[1]), (lean + 0.2, 3.2), (lean - 0.2, 3.2)]
    )
    scene.cover(scene.mask(head, handle), texture_of(scene, colour_of(rng, 0, 160)))


def loose_patch(scene: Scene) -> None:
    """Draw a patch anywhere: on a cheek, the forehead, half of the face."""
    rng = scene.rng
    shape = oval(
        (rng.uniform(-1, 1), rng.uniform(-0.9, 1.9)),
        (rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.9)),
        rng.choice([2, 4, 40]),
        rng.uniform(0, 1),
    )
    scene.cover(scene.mask(shape) * rng.uniform(0.85, 1), texture_of(scene, colour_of(rng)))


Draw = Callable[[Scene], None]
EYE_COVERINGS: dict[str, Draw] = {
    "sunglasses": sunglasses, "tinted": tinted_glasses, "bar": eye_bar, "hand": hand_on_eyes, "hair": hair_on_eyes,
}  # fmt: skip
MOUTH_COVERINGS: dict[str, Draw] = {
    "mask": face_mask, "patch": mouth_patch, "scarf": scarf, "hand": hand_on_mouth, "object": object_at_mouth,
}  # fmt: skip
OTHERS: dict[str, Draw] = {"loose": loose_patch}


@dataclass(frozen=True)
class Coverage:
    """How much of the eyes, of the mouth and of the face is covered, each 0..1."""

    eyes: float
    mouth: float
    face: float


def coverage(scene: Scene) -> Coverage:
    """Return how much is covered; of the two eyes, the mean."""
    eyes = [scene.mask(oval((side * 0.5, 0), (0.26, 0.13)), softness=0.5) for side in (-1, 1)]
    mouth = scene.mask(oval((0, MOUTH_DOWN), (0.45, 0.2)), softness=0.5)
    face = scene.mask(oval((0, 0.7), (0.95, 1.15), 2.5), softness=0.5)
    parts = [float((scene.covered * zone).sum() / max(float(zone.sum()), 1e-6)) for zone in (*eyes, mouth, face)]
    return Coverage((parts[0] + parts[1]) / 2, parts[2], parts[3])
