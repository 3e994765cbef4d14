"""The networks that are trained: an aligned crop in, a raw feature vector out."""

from app.training.backbones.building import build_backbone
from app.training.backbones.spec import NAMES, BackboneSpec

__all__ = ["NAMES", "BackboneSpec", "build_backbone"]
