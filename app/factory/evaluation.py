"""Settings in, what an evaluation asks of the pipeline out: photos to faces, and all that shapes an embedding."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from app import __version__
from app.alignment import CROP_SIDE
from app.config import Settings
from app.embedding import Embedder
from app.errors import EvaluationInvalid, NoFace
from app.evaluation.values import EmbeddedFace, Enrol
from app.factory.networks import detector_of, embedder_of, open_embedder
from app.factory.services import open_analysis, open_packs, open_runtime
from app.imaging.decode import Limits, decode
from app.recognition.analysis import Analysis

_CACHE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`enrol` turns a photo into its face; `setup` says by what, as a report has it."""

    enrol: Enrol
    setup: dict[str, Any]

    @property
    def key(self) -> str:
        """Return a name for the embeddings of exactly this set-up."""
        described = json.dumps([_CACHE_FORMAT, self.setup], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:32]


def open_pipeline(settings: Settings, *, is_aligned: bool) -> Pipeline:
    """Open the networks; with `is_aligned` a photo is the 112x112 crop and nothing is detected.

    Raises NetworkError's children and SettingsInvalid.
    """
    packs = open_packs(settings)
    pack = packs.manifest(settings.pack)
    section = embedder_of(pack)
    runtime = open_runtime(settings)
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    setup: dict[str, Any] = {
        "pack": pack.name,
        "model": section.model,
        "detector": None,
        "flip": settings.inference.flip,
        "aligned": is_aligned,
        "provider": runtime.provider.value,
        "version": __version__,
        "sha256": {section.file: packs.sha256(pack, section.file)},
        "limits": {"photo_bytes": limits.bytes, "photo_pixels": limits.pixels},
        "preprocessing": {"mean": section.mean, "scale": section.scale, "color": section.color},
    }
    if is_aligned:
        embedder = open_embedder(packs, pack, runtime, is_flip_averaged=settings.inference.flip)
        return Pipeline(_of_crops(embedder, limits), setup)
    name = detector_of(settings, pack)
    for manifest in map(packs.manifest, name.split("+")):
        for file in manifest.detector.files if manifest.detector else ():
            setup["sha256"][file] = packs.sha256(manifest, file)
    setup |= {"detector": name, "detection": settings.detection.model_dump()}
    return Pipeline(_of_photos(open_analysis(settings, runtime)), setup)


def _of_photos(analysis: Analysis) -> Enrol:
    def enrol(data: bytes) -> EmbeddedFace:
        faces = analysis.analyse(data)
        if not faces:
            raise NoFace("no face was found in the photo")
        face = faces[0]  # the most prominent
        return EmbeddedFace(face.vector * np.float32(face.norm), face.norm, face.detection.box)

    return enrol


def _of_crops(embedder: Embedder, limits: Limits) -> Enrol:
    def enrol(data: bytes) -> EmbeddedFace:
        pixels = decode(data, limits).pixels
        if pixels.shape[:2] != (CROP_SIDE, CROP_SIDE):
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise EvaluationInvalid(f"a photo is {size}; --aligned takes crops of {CROP_SIDE}x{CROP_SIDE}")
        embeddings = embedder.embed(pixels[None])
        norm = float(embeddings.norms[0])
        return EmbeddedFace(embeddings.vectors[0] * np.float32(norm), norm, (0, 0, CROP_SIDE, CROP_SIDE))

    return enrol
