"""Settings in, what an evaluation asks of the pipeline out: photos to faces, and all that shapes an embedding."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from app import __version__
from app.config import Settings
from app.errors import EvaluationInvalid, NoFace
from app.evaluation.degradation import degrade
from app.evaluation.values import EmbeddedFace, EmbedPhoto
from app.recognition.analysis import Analysis
from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.embedding import Embedder
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.manifest import Manifest
from app.vision.inference.packs import Packs
from app.vision.quality import judge, measure
from app.wiring.model_loading import ModelLoader
from app.wiring.networks import detector_of, embedder_of, open_embedder
from app.wiring.storage import open_packs

_CACHE_FORMAT = 2
_PNG_BYTES = 4  # a PNG has fewer for each pixel, whatever it shows


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`enroll` turns a photo into its face; `setup` says by what, as a report has it."""

    enroll: EmbedPhoto
    setup: dict[str, Any]

    @property
    def key(self) -> str:
        """Return a name for the embeddings of exactly this set-up."""
        described = json.dumps([_CACHE_FORMAT, self.setup], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Judged:
    """How a face is embedded and judged."""

    is_flip_averaged: bool
    typical_norm: float | None


def open_pipeline(settings: Settings, *, is_aligned: bool, is_degraded: bool = False) -> Pipeline:
    """Open the networks; with `is_aligned` a photo is the 112x112 crop and nothing is detected.

    With `is_degraded` each photo is made worse before. Raises NetworkError's children and SettingsInvalid.
    """
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    packs = open_packs(settings)
    pack = packs.manifest(settings.pack)
    models = ModelLoader(_roomy(settings) if is_degraded else settings, packs)
    runtime = models.runtime
    judged = _Judged(settings.inference.flip, _typical_norm(settings, models))
    setup = _described(settings, packs, pack, judged) | {
        "aligned": is_aligned,
        "degraded": is_degraded,
        "provider": runtime.provider.value,
    }
    if is_aligned:
        enroll = _of_crops(open_embedder(packs, pack, runtime), limits, judged)
    else:
        name = detector_of(settings, pack)
        for manifest in map(packs.manifest, name.split("+")):
            for file in manifest.detector.files if manifest.detector else ():
                setup["sha256"][file] = packs.sha256(manifest, file)
        setup |= {"detector": name, "detection": settings.detection.model_dump()}
        enroll = _of_photos(models.default_analysis(), judged)
    if is_degraded:
        return Pipeline(lambda data: enroll(degrade(data, limits, is_size_kept=is_aligned)), setup)
    return Pipeline(enroll, setup)


def _described(settings: Settings, packs: Packs, pack: Manifest, judged: _Judged) -> dict[str, Any]:
    """Return what shapes an embedding or its quality, as a report has it; nothing of detection yet."""
    section = embedder_of(pack)
    return {
        "pack": pack.name,
        "model": section.model,
        "detector": None,
        "flip": judged.is_flip_averaged,
        "typical_norm": judged.typical_norm,
        "version": __version__,
        "sha256": {section.file: packs.sha256(pack, section.file)},
        "limits": {"photo_bytes": settings.limits.photo_bytes, "photo_pixels": settings.limits.photo_pixels},
        "preprocessing": {"mean": section.mean, "scale": section.scale, "color": section.color},
    }


def _typical_norm(settings: Settings, models: ModelLoader) -> float | None:
    shipped = models.calibrations(models.served[0]).shipped(is_flip_averaged=settings.inference.flip)
    return shipped.typical_norm if shipped else None


def _roomy(settings: Settings) -> Settings:
    """Return settings that accept, as a PNG, every photo that was accepted as it came."""
    most = max(settings.limits.photo_bytes, settings.limits.photo_pixels * _PNG_BYTES)
    return settings.model_copy(update={"limits": settings.limits.model_copy(update={"photo_bytes": most})})


def _of_photos(analysis: Analysis, judged: _Judged) -> EmbedPhoto:
    def enroll(data: bytes) -> EmbeddedFace:
        faces = analysis.analyse(data, is_flip_averaged=judged.is_flip_averaged, most=1)
        if not faces:
            raise NoFace
        face = faces[0]  # the most prominent
        score = judge(face.measures, face.norm, judged.typical_norm).score
        return EmbeddedFace(face.vector * np.float32(face.norm), face.norm, face.detection.box, score)

    return enroll


def _of_crops(embedder: Embedder, limits: Limits, judged: _Judged) -> EmbedPhoto:
    def enroll(data: bytes) -> EmbeddedFace:
        pixels = decode(data, limits).pixels
        if pixels.shape[:2] != (CROP_SIDE, CROP_SIDE):
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise EvaluationInvalid(f"a photo is {size}; --aligned takes crops of {CROP_SIDE}x{CROP_SIDE}")
        embeddings = embedder.embed(pixels[None], is_flip_averaged=judged.is_flip_averaged)
        norm = float(embeddings.norms[0])
        score = judge(measure(pixels, ARCFACE_TEMPLATE), norm, judged.typical_norm).score
        box = (0, 0, CROP_SIDE, CROP_SIDE)
        return EmbeddedFace(embeddings.vectors[0] * np.float32(norm), norm, box, score)

    return enroll
