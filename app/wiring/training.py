"""Networks for training, by the settings: they align photos, embed crops, and are the base of fine-tuning."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.config import Settings
from app.evaluation.values import Advance
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin
from app.training.data.cropping import FaceCropper, crop_main_face
from app.training.data.folder import FolderSource, read_folder
from app.training.data.source import CropSource
from app.training.export.calibrating import calibrate_network, raw_views
from app.types import Floats, Pixels
from app.vision.embedding import Embedder, Preprocessing
from app.vision.imaging.decode import Limits
from app.vision.inference.manifest import Manifest
from app.vision.inference.session import Session
from app.wiring.batching import threads_of
from app.wiring.evaluation import detector_sha256s
from app.wiring.networks import detector_of, detector_parts, embedder_of, open_detector, open_embedder, open_runtime
from app.wiring.storage import open_packs

_CACHE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class BasePack:
    """The base of a fine-tuning: a pack's manifest, its embedding network and its preprocessing."""

    manifest: Manifest
    model: str
    network: bytes
    preprocessing: Preprocessing


def open_base(settings: Settings) -> BasePack:
    """Read the embedder of ARCID_PACK.

    Raises NetworkError's children if it cannot be read, and SettingsInvalid if the pack has no embedder.
    """
    packs = open_packs(settings)
    manifest = packs.manifest(settings.pack)
    section = embedder_of(manifest)
    preprocessing = Preprocessing(section.mean, section.scale, is_bgr=section.color == "bgr")
    return BasePack(manifest, section.model, packs.read(manifest, section.file), preprocessing)


def detector_name(settings: Settings) -> str:
    """Return the name of the detector of these settings.

    Raises SettingsInvalid if they and the pack name none, or if the named pack has none, and PackUnknown.
    """
    packs = open_packs(settings)
    name = detector_of(settings, packs.manifest(settings.pack))
    detector_parts(packs, name)
    return name


def open_cropper(settings: Settings) -> FaceCropper:
    """Open the detector that the service would use.

    Raises NetworkError's children if a network cannot be opened, and SettingsInvalid as `detector_name`.
    """
    packs, name = open_packs(settings), detector_name(settings)
    detector = open_detector(packs, name, open_runtime(settings), settings)
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    setup = {
        "format": _CACHE_FORMAT,
        "detector": name,
        "sha256": detector_sha256s(packs, name),
        "detection": settings.detection.model_dump(),
    }
    key = hashlib.sha256(json.dumps(setup, sort_keys=True).encode()).hexdigest()[:32]
    folder = settings.data_dir / "training" / "crops"
    return FaceCropper(partial(crop_main_face, detector, limits), key, folder, threads_of(settings))


def open_embed(settings: Settings) -> Callable[[Pixels], Floats]:
    """Open the embedder of ARCID_PACK: crops (n, 112, 112, 3) to unit vectors (n, d), as in a collection.

    Raises NetworkError's children if it cannot be read, and SettingsInvalid if the pack has no embedder.
    """
    packs = open_packs(settings)
    embedder = open_embedder(packs, packs.manifest(settings.pack), open_runtime(settings))
    return lambda crops: embedder.embed(crops, is_flip_averaged=settings.inference.flip).vectors


def views_of(settings: Settings, base: BasePack, source: CropSource, advance: Advance = lambda _: None) -> Floats:
    """Return the raw features of all crops and of their mirror images (n, 2, d), by the base's network."""
    return raw_views(Embedder(Session(base.network, open_runtime(settings)), base.preprocessing), source, advance)


def calibrator(
    settings: Settings,
    images: Path | None,
    *,
    model: Callable[[bytes], str],
    preprocessing: Preprocessing,
    is_aligned: bool = False,
    advance: Advance = lambda _: None,
) -> Callable[[bytes], Sequence[Calibration]]:
    """Return a function that calibrates a network on a folder of people; without a folder it returns nothing.

    The function raises TrainingInvalid for a folder without faces, CalibrationTooSmall for one with too few.
    """

    def measure(network: bytes) -> Sequence[Calibration]:
        if images is None:
            return []
        photos = read_folder(images, None if is_aligned else open_cropper(settings), advance)
        return calibration_of(settings, photos, network, model=model, preprocessing=preprocessing)

    return measure


def calibration_of(
    settings: Settings,
    photos: FolderSource,
    network: bytes,
    *,
    model: Callable[[bytes], str],
    preprocessing: Preprocessing,
) -> Sequence[Calibration]:
    """Return the calibrations of a network on people; raises as `calibrate_network`."""
    embedder = Embedder(Session(network, open_runtime(settings)), preprocessing)
    sha256 = hashlib.sha256(network).hexdigest()
    detector, is_flip_averaged = detector_name(settings), False  # set again for each calibration
    source = "a folder of photos"
    origin = CalibrationOrigin(sha256, model(network), detector, is_flip_averaged, 0, 0, 0, source)
    return calibrate_network(embedder, photos, origin)
