"""Settings in, what training asks of the pipeline out: what aligns photos, and what embeds crops."""

import hashlib
import json
import os
from collections.abc import Callable

import numpy as np

from app.config import Settings
from app.errors import NoFace
from app.training.data.cropping import FaceCropper
from app.types import Floats, Pixels
from app.vision.alignment import align
from app.vision.detection.main_face import most_prominent_first
from app.vision.imaging.decode import Limits, decode
from app.wiring.networks import detector_of, open_detector, open_embedder, open_runtime
from app.wiring.storage import open_packs

_CACHE_FORMAT = 1


def open_cropper(settings: Settings) -> FaceCropper:
    """Open the detector that the service would use; raises NetworkError's children and SettingsInvalid."""
    packs = open_packs(settings)
    name = detector_of(settings, packs.manifest(settings.pack))
    detector = open_detector(packs, name, open_runtime(settings), settings)
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    sections = [(each, each.detector.files if each.detector else ()) for each in map(packs.manifest, name.split("+"))]
    setup = {
        "format": _CACHE_FORMAT,
        "detector": name,
        "sha256": {file: packs.sha256(each, file) for each, files in sections for file in files},
        "detection": settings.detection.model_dump(),
    }

    def crop(data: bytes) -> Pixels:
        pixels = decode(data, limits).pixels
        found = most_prominent_first(detector.detect(pixels), pixels.shape)
        if not found:
            raise NoFace
        main: Pixels = align(pixels, found[0].landmarks[None].astype(np.float32))[0]
        return main

    key = hashlib.sha256(json.dumps(setup, sort_keys=True).encode()).hexdigest()[:32]
    threads = settings.inference.concurrency or os.cpu_count() or 1
    return FaceCropper(crop, key, settings.data_dir / "training" / "crops", threads)


def open_embed(settings: Settings) -> Callable[[Pixels], Floats]:
    """Open the embedder of ARCID_PACK: crops (n, 112, 112, 3) to unit vectors (n, d), as a collection would have them.

    Raises NetworkError's children and SettingsInvalid.
    """
    packs = open_packs(settings)
    embedder = open_embedder(packs, packs.manifest(settings.pack), open_runtime(settings))
    return lambda crops: embedder.embed(crops, is_flip_averaged=settings.inference.flip).vectors
