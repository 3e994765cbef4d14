"""Looks: when a track is decided, and decided again. Pure.

Each look at a stranger's track is another chance of a false match. So there are few looks, each at twice the evidence
of the one before, and the error rates count them (docs/adr/0024-one-decision-per-track.md).
"""

from collections.abc import Sequence
from typing import Final

LOOKS: Final = (1.0, 2.0, 4.0)
"""Evidence (summed qualities of shots) at which a track is decided. The end of the track is the last look."""
INDEPENDENT_LOOKS: Final = 1.5
"""Number of independent looks that give as many false matches as all looks at one track: measured as 1.2 to 1.5."""


def evidence_of(qualities: Sequence[float]) -> float:
    """Return the evidence of the shots of a track, by their qualities of 0..1."""
    return sum(qualities)


def looks_reached(evidence: float) -> int:
    """Return the number of looks, apart from the last, that this evidence allows."""
    return sum(evidence >= least for least in LOOKS)
