"""Backbones: networks from aligned crops to raw feature vectors."""

from app.training.backbones.building import build_backbone
from app.training.backbones.spec import NAMES, BackboneSpec

__all__ = ["NAMES", "BackboneSpec", "build_backbone"]
