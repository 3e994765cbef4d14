"""Evidence that a photo shows an upright face. Pure."""

from collections.abc import Sequence

import numpy as np

from app.types import Detection

# Upright photos of LFW give 0.9 or more. False faces in turned photos rarely give 0.85 (benchmarks/turned.py,
# docs/benchmarks.md).
ENOUGH = 0.85
"""Evidence of upright faces from which no other orientation is tried. Another orientation needs as much."""


def evidence(face: Detection) -> float:
    """Return the evidence of an upright face: its score times the cosine of its tilt, 0 from 90 degrees on."""
    down = face.landmarks[3:].mean(axis=0) - face.landmarks[:2].mean(axis=0)
    length = float(np.hypot(*down))
    return face.score * max(0.0, float(down[1]) / length) if length else 0.0


def strongest(faces: Sequence[Detection]) -> float:
    """Return the highest evidence of the faces; 0 without faces."""
    return max(map(evidence, faces), default=0.0)
