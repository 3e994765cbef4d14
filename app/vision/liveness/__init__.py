"""Presentation attack detection: whether a face is in front of the camera, or a photo or a screen is."""

from app.vision.liveness.evidence import AttackSign, LivenessEvidence, PresentationAttackDetector
from app.vision.liveness.fusion import fused

__all__ = ["AttackSign", "LivenessEvidence", "PresentationAttackDetector", "fused"]
