"""Embedding of the photos of an evaluation: photo to face, with the configuration that a report records."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import EvaluationInvalid, NoFace
from app.evaluation.values import EmbeddedFace, EmbedPhoto
from app.recognition.analysis import Analysis
from app.recognition.decisions.calibration.error_rates import Calibration
from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.detection.main_face import most_prominent_first
from app.vision.embedding import Embedder
from app.vision.imaging.decode import Limits, decode
from app.vision.quality import SignNetworks, judge, measure

_CACHE_FORMAT = 3


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`enroll` turns a photo into its face; `setup` is its configuration, as a report records it.

    `calibration` is the one that ships for this configuration, if there is one.
    """

    enroll: EmbedPhoto
    setup: dict[str, Any]
    calibration: Calibration | None

    @property
    def key(self) -> str:
        """Return a name for the embeddings of exactly this configuration."""
        described = json.dumps([_CACHE_FORMAT, self.setup], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PhotoEmbedding:
    """Embeds the most prominent face of a photo; raises NoFace if the photo shows no face."""

    analysis: Analysis
    is_flip_averaged: bool
    typical_norm: float | None

    def __call__(self, data: bytes) -> EmbeddedFace:
        """Return the face of a photo."""
        faces = self.analysis.analyse(data, is_flip_averaged=self.is_flip_averaged, most=1)
        if not faces:
            raise NoFace
        face = faces[0]  # the most prominent
        score = judge(face.measures, face.norm, self.typical_norm).score
        return EmbeddedFace(face.vector * np.float32(face.norm), face.norm, face.detection.box, score)


@dataclass(frozen=True, slots=True)
class FrameEmbedding:
    """Embeds the most prominent face of a camera's frame, as for tracks; raises NoFace if the frame shows none."""

    analysis: Analysis
    limits: Limits
    is_flip_averaged: bool
    typical_norm: float | None

    def __call__(self, data: bytes) -> EmbeddedFace:
        """Return the face of a frame."""
        image = decode(data, self.limits)
        found = self.analysis.detect_in_frame(image)
        certain = [each for each in found if each.score >= self.analysis.frames.certain]
        main = most_prominent_first(certain, image.pixels.shape)[:1]
        if not main:
            raise NoFace
        (face,) = self.analysis.embed_in_frame(image, main, is_flip_averaged=self.is_flip_averaged)
        score = judge(face.measures, face.norm, self.typical_norm).score
        return EmbeddedFace(face.vector * np.float32(face.norm), face.norm, face.detection.box, score)


@dataclass(frozen=True, slots=True)
class CropEmbedding:
    """Embeds a photo that is a 112x112 crop already; raises EvaluationInvalid for another size."""

    embedder: Embedder
    limits: Limits
    is_flip_averaged: bool
    typical_norm: float | None
    signs: SignNetworks

    def __call__(self, data: bytes) -> EmbeddedFace:
        """Return the face of a crop."""
        pixels = decode(data, self.limits).pixels
        if pixels.shape[:2] != (CROP_SIDE, CROP_SIDE):
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise EvaluationInvalid(f"a photo is {size}; --aligned takes crops of {CROP_SIDE}x{CROP_SIDE}")
        embeddings = self.embedder.embed(pixels[None], is_flip_averaged=self.is_flip_averaged)
        norm = float(embeddings.norms[0])
        (signs,) = self.signs.components(pixels[None])
        score = judge(measure(pixels, ARCFACE_TEMPLATE, signs=signs), norm, self.typical_norm).score
        box = (0, 0, CROP_SIDE, CROP_SIDE)
        return EmbeddedFace(embeddings.vectors[0] * np.float32(norm), norm, box, score)
