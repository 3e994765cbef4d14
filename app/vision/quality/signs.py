"""Signs of coverings and of motion blur, seen by two small networks of ArcID's own.

`benchmarks/train_signs.py` trains them; docs/quality.md has their figures.
"""

import numpy as np

from app.errors import NetworkInvalid
from app.types import Floats, Pixels
from app.vision.alignment import CROP_SIDE
from app.vision.inference.session import Session
from app.vision.quality.components import Component, Components
from app.vision.quality.spectrum import SPECTRUM_SIZE, spectrum

_COVERED = Component.EYES_VISIBLE, Component.MOUTH_OCCLUSION_PREVENTION, Component.FACE_OCCLUSION_PREVENTION
_SOFTENED = 0.5  # share of the log-odds that is kept, so that small flaws differ from none
# Log-odds from which a finding is certain, and its component stays the same. Beyond it they do not grow with the flaw:
# they fall for coverings of more than half of the face, of which the samples of training have few.
_CERTAIN = 3.0


class SignNetworks:
    """The networks `coverings` and `motion`.

    `coverings` maps crops (n, 3, 112, 112), RGB 0..255, to log-odds (n, 3) that eyes, mouth and face are covered;
    `motion` maps spectra (n, 144) to log-odds (n, 1) of motion blur.
    """

    def __init__(self, coverings: Session, motion: Session) -> None:
        """Raise NetworkInvalid if the networks have other inputs."""
        if coverings.input_shape[1:] != (3, CROP_SIDE, CROP_SIDE) or motion.input_shape[1:] != (SPECTRUM_SIZE,):
            raise NetworkInvalid("the quality networks must take crops and spectra")
        self._coverings = coverings
        self._motion = motion

    def components(self, crops: Pixels) -> list[Components]:
        """Return the components of crops (n, 112, 112, 3), RGB."""
        if not len(crops):
            return []
        covered = self._coverings.run(crops.transpose(0, 3, 1, 2).astype(np.float32))[0]
        moved = self._motion.run(np.stack([spectrum(crop) for crop in crops]))[0]
        return [_components(*of_face) for of_face in zip(covered, moved[:, 0], strict=True)]


def _components(covered: Floats, moved: float) -> Components:
    found = {component: _from_log_odds(value) for component, value in zip(_COVERED, covered, strict=True)}
    return {**found, Component.MOTION_BLUR_PREVENTION: _from_log_odds(moved)}


def _from_log_odds(value: float) -> float:
    return float(100 / (1 + np.exp(_SOFTENED * min(float(value), _CERTAIN))))


def probability_covered(component: float) -> float:
    """Return the probability (0..0.95) of a covering from its component: the inverse of its scale."""
    hidden, seen = (100 - component) ** (1 / _SOFTENED), component ** (1 / _SOFTENED)
    return float(hidden / (hidden + seen))
