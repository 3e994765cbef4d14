"""Settings in, calibrations of a network that no pack has yet out; and what a pack's network makes of crops."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from app.config import Settings
from app.errors import TrainingInvalid
from app.evaluation.values import Advance
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin
from app.recognition.decisions.calibration.fit import calibrate
from app.training.data.folder import FolderSource, read_folder
from app.training.data.source import CropSource
from app.types import Floats, Pixels
from app.vision.embedding import Embedder, Preprocessing
from app.vision.inference.manifest import Manifest
from app.vision.inference.session import Session
from app.wiring.networks import detector_of, embedder_of, open_runtime
from app.wiring.storage import open_packs
from app.wiring.training import open_cropper

_BATCH = 64
_ALIKE = 0.01  # spread of a vector's elements, below which all similarities are 1 to two places


@dataclass(frozen=True, slots=True)
class Base:
    """A pack that is built on: its manifest, its embedding network, the preprocessing that goes with it."""

    manifest: Manifest
    model: str
    network: bytes
    preprocessing: Preprocessing


def open_base(settings: Settings) -> Base:
    """Read the embedder of ARCID_PACK; raises NetworkError's children and SettingsInvalid."""
    packs = open_packs(settings)
    manifest = packs.manifest(settings.pack)
    section = embedder_of(manifest)
    preprocessing = Preprocessing(section.mean, section.scale, is_bgr=section.color == "bgr")
    return Base(manifest, section.model, packs.read(manifest, section.file), preprocessing)


def detector_name(settings: Settings) -> str:
    """Return the name of what finds and aligns faces with these settings; raises SettingsInvalid."""
    return detector_of(settings, open_packs(settings).manifest(settings.pack))


def views_of(settings: Settings, base: Base, source: CropSource, advance: Advance = lambda _: None) -> Floats:
    """Return the raw features of all crops and of their mirror images (n, 2, d), by a pack's own network."""
    embedder = Embedder(Session(base.network, open_runtime(settings)), base.preprocessing)
    parts = []
    for crops in _batches(source):
        parts.append(np.stack([_raw(embedder, each) for each in (crops, crops[:, :, ::-1])], axis=1))
        advance(len(crops))
    return np.concatenate(parts)


def calibrator(
    settings: Settings,
    images: Path | None,
    *,
    model: Callable[[bytes], str],
    preprocessing: Preprocessing,
    is_aligned: bool = False,
    advance: Advance = lambda _: None,
) -> Callable[[bytes], Sequence[Calibration]]:
    """Return what calibrates a network on a folder of people, with and without flip averaging; without a folder, not.

    What it returns raises TrainingInvalid for a folder without faces, CalibrationTooSmall for one with too few.
    """

    def measure(network: bytes) -> list[Calibration]:
        if images is None:
            return []
        photos = read_folder(images, None if is_aligned else open_cropper(settings), advance)
        embedder = Embedder(Session(network, open_runtime(settings)), preprocessing)
        detector = detector_name(settings)
        people = [photos.classes[each] for each in photos.labels]
        made = []
        for is_flip_averaged in (True, False):
            origin = CalibrationOrigin(
                sha256(network).hexdigest(), model(network), detector, is_flip_averaged, 0, 0, 0, "a folder of photos"
            )
            vectors, norms = _embedded(embedder, photos, is_flip_averaged=is_flip_averaged)
            if not (vectors.std(axis=0) > _ALIKE).any():
                raise TrainingInvalid("the network gives the same vector for every photo; it cannot be calibrated")
            made.append(calibrate(vectors, people, origin, norms=norms))
        return made

    return measure


def _batches(source: CropSource) -> Iterator[Pixels]:
    """Yield all crops (n, 112, 112, 3), some at a time."""
    for start in range(0, len(source.labels), _BATCH):
        yield np.stack([source.crop(place) for place in range(start, min(start + _BATCH, len(source.labels)))])


def _embedded(embedder: Embedder, photos: FolderSource, *, is_flip_averaged: bool) -> tuple[Floats, Floats]:
    vectors, norms = [], []
    for crops in _batches(photos):
        found = embedder.embed(crops, is_flip_averaged=is_flip_averaged)
        vectors.append(found.vectors)
        norms.append(found.norms)
    return np.concatenate(vectors), np.concatenate(norms)


def _raw(embedder: Embedder, crops: Pixels) -> Floats:
    found = embedder.embed(crops)
    raw: Floats = found.vectors * found.norms[:, None]
    return raw
