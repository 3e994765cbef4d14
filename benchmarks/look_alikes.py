"""Look-alikes that cover nothing: ordinary glasses, beards, make-up, shadows. Units as in `occluders.py`."""

import cv2
import numpy as np
from occluders import MOUTH_DOWN, Draw, Scene, colour_of, glasses_frame, oval


def clear_glasses(scene: Scene) -> None:
    """Draw ordinary glasses: a frame, faint lenses, at times a small reflection."""
    rng = scene.rng
    drop, power = rng.uniform(-0.04, 0.12), rng.choice([2, 2.6, 4, 7])
    radii = (rng.uniform(0.32, 0.46), rng.uniform(0.18, 0.36))
    lenses = [oval((side * 0.5, drop), radii, power) for side in (-1, 1)]
    scene.tint(scene.mask(*lenses, softness=0.6) * rng.uniform(0, 0.2), colour_of(rng))
    if rng.random() < 0.4:
        spot = oval(
            (rng.choice([-0.5, 0.5]) + rng.normal(0, 0.1), drop),
            (rng.uniform(0.03, 0.16), rng.uniform(0.02, 0.1)),
            2,
            0.5,
        )
        scene.tint(scene.mask(spot, softness=1) * rng.uniform(0.3, 0.9), np.full(3, 245, np.float32))
    glasses_frame(scene, lenses, drop)


def beard(scene: Scene) -> None:
    """Draw a beard or a moustache that leaves the lips free."""
    rng = scene.rng
    outline = oval((0, 1.25), (rng.uniform(0.5, 0.85), rng.uniform(0.4, 0.75)), 2.5)
    lips = oval((0, MOUTH_DOWN), (rng.uniform(0.34, 0.45), rng.uniform(0.1, 0.18)))
    hair = scene.mask(outline, softness=2) * (1 - scene.mask(lips, softness=0.8))
    strands = cv2.GaussianBlur(rng.standard_normal(hair.shape).astype(np.float32), (0, 0), rng.uniform(0.5, 1))
    alpha = np.clip(hair * (rng.uniform(0.35, 0.95) + strands * 0.3), 0, 1).astype(np.float32)
    colour = colour_of(rng, 5, 90) if rng.random() < 0.8 else colour_of(rng, 120, 230)
    scene.tint(alpha, colour)


def make_up(scene: Scene) -> None:
    """Draw lipstick and eye shadow, heavy at times."""
    rng = scene.rng
    scene.tint(
        scene.mask(oval((0, MOUTH_DOWN), (0.42, 0.16)), softness=1) * rng.uniform(0.2, 0.7), colour_of(rng, 30, 180)
    )
    lids = [oval((side * 0.5, -0.03), (0.26, rng.uniform(0.1, 0.18))) for side in (-1, 1)]
    pupils = [oval((side * 0.5, 0.0), (0.16, 0.06)) for side in (-1, 1)]
    alpha = scene.mask(*lids, softness=1.5) * (1 - 0.8 * scene.mask(*pupils, softness=0.5)) * rng.uniform(0.2, 0.7)
    scene.tint(alpha.astype(np.float32), colour_of(rng, 0, 120))


def shadow(scene: Scene) -> None:
    """Darken deep eye sockets, half of the face, or all that a brim would shade."""
    rng = scene.rng
    kind = rng.integers(3)
    if kind == 0:
        shapes = [oval((side * 0.5, -0.05), (0.4, rng.uniform(0.2, 0.3))) for side in (-1, 1)]
    elif kind == 1:
        side = rng.choice([-1.0, 1.0])
        shapes = [np.array([(0, -2), (2 * side, -2), (2 * side, 3), (rng.uniform(-0.3, 0.3), 3)])]
    else:
        low = rng.uniform(-0.3, 0.5)
        shapes = [np.array([(-2, -2), (2, -2), (2, low), (0, low + 0.1), (-2, low)])]
    scene.picture *= 1 - (scene.mask(*shapes, softness=rng.uniform(1, 6)) * rng.uniform(0.2, 0.75))[..., None]


HARMLESS: dict[str, Draw] = {"glasses": clear_glasses, "beard": beard, "make_up": make_up, "shadow": shadow}
