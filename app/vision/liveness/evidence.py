"""Evidence of a bona fide presentation or of a presentation attack (ISO/IEC 30107-1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.types import Detection, Pixels


class AttackSign(StrEnum):
    """A sign that a photo shows an artefact (print, screen or mask), not a person; or why it cannot be judged."""

    NETWORK = "network"
    REGULAR_PATTERN = "regular_pattern"  # of a screen's pixels or a print's dots: their spectra are alike
    FACE_TOO_SMALL = "face_too_small"
    FACE_CUT_OFF = "face_cut_off"


@dataclass(frozen=True, slots=True)
class LivenessEvidence:
    """Evidence of a photo on one face.

    `score`, 0..1, grows with the evidence that a person is in front of the camera. `signs` are those that were found,
    the strongest first. Without `is_usable`, the face is too small or cut off, and the score means nothing.
    """

    score: float
    signs: tuple[AttackSign, ...] = ()
    is_usable: bool = True


class PresentationAttackDetector(Protocol):
    """Detects presentation attacks in single photos. Holds no state of a photo: safe under concurrent calls."""

    def evidence(self, pixels: Pixels, detections: Sequence[Detection]) -> list[LivenessEvidence]:
        """Return the evidence of each face of a photo (height, width, 3), RGB; boxes in its pixels."""
        ...
