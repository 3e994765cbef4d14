"""Presentation attack detection: whether the camera sees a person, or a photo or a screen."""

from app.vision.liveness.evidence import AttackSign, LivenessEvidence, PresentationAttackDetector
from app.vision.liveness.fusion import fused

__all__ = ["AttackSign", "LivenessEvidence", "PresentationAttackDetector", "fused"]
