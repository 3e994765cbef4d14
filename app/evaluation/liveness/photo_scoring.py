"""Scores of liveness of photos, as the service computes them."""

from dataclasses import dataclass
from typing import Any

from app.errors import NoFace
from app.recognition.analysis import Analysis


@dataclass(frozen=True, slots=True)
class LivenessScoring:
    """Scores the most prominent face of a photo, found as the service finds a probe's."""

    analysis: Analysis

    def __call__(self, data: bytes) -> float | None:
        """Return the score of a photo, None if its face cannot be judged; raises NoFace and other PhotoRefused."""
        faces = self.analysis.analyse(data, is_flip_averaged=False, is_probe=True, most=1, has_liveness=True)
        if not faces:
            raise NoFace
        evidence = faces[0].liveness
        return evidence.score if evidence is not None and evidence.is_usable else None


@dataclass(frozen=True, slots=True)
class LivenessPipeline:
    """Scores photos; `setup` is what the scores depend on, as a report records it."""

    score: LivenessScoring
    setup: dict[str, Any]
