"""Quantisation of a pack by the settings: photos to crops, ranges, calibrations and a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from app.config import Settings
from app.errors import CalibrationTooSmall, EvaluationInvalid, TrainingInvalid
from app.evaluation.protocols import read_people_or_photos
from app.evaluation.values import Advance
from app.recognition.decisions.calibration.error_rates import Calibration
from app.training.data.folder import FolderSource, crop_photos
from app.training.export.comparing import ComparedNetwork, NetworkComparison, compare_networks
from app.training.export.pack import PackMetadata, model_name, require_new_pack, write_network_pack
from app.training.export.quantising import one_of_each, quantise_network, require_quantisable
from app.vision.inference.manifest import Manifest
from app.wiring.networks import open_runtime
from app.wiring.training import BasePack, calibration_of, detector_name, open_base, open_cropper


@dataclass(frozen=True, slots=True)
class QuantisedPack:
    """The written pack, whether it was calibrated again, and both networks on people not used for the ranges."""

    manifest: Manifest
    is_calibrated: bool
    comparison: NetworkComparison


def quantise_pack(
    settings: Settings,
    photos: Path,
    folder: Path,
    *,
    is_aligned: bool = False,
    advance: Advance = lambda _: None,
) -> QuantisedPack:
    """Write the int8 form of ARCID_PACK to `folder`, with ranges of the faces in a folder of photos.

    If the photos have people (person/photo.jpg), the ranges are measured on every second one, the networks compared on
    the others, and the pack calibrated on all.

    Raises TrainingInvalid if the network cannot be quantised, the photos are too few or the folder is in use,
    NetworkError's children if a network cannot be opened, and SettingsInvalid if the pack has no embedder.
    """
    require_new_pack(folder)
    base = open_base(settings)
    require_quantisable(base.network)
    source = _read_faces(settings, photos, is_aligned=is_aligned, advance=advance)
    has_people = len(source.classes) < len(source.photos)
    is_measured = source.labels % 2 == 0 if has_people else np.ones(len(source.labels), np.bool_)
    measured, compared = _only(source, is_measured), _only(source, ~is_measured if has_people else is_measured)
    network = quantise_network(base.network, base.preprocessing, measured, one_of_each(measured))
    old, new = (
        ComparedNetwork.opened(name, data, base.preprocessing, open_runtime(settings))
        for name, data in ((base.manifest.name, base.network), (folder.name, network))
    )
    comparison = compare_networks(old, new, compared, advance)
    calibrations = _calibrations(settings, source, network, base, folder.name) if has_people else []
    manifest = _write(settings, base, network, folder, calibrations, faces=len(one_of_each(measured)))
    return QuantisedPack(manifest, bool(calibrations), comparison)


def _read_faces(settings: Settings, folder: Path, *, is_aligned: bool, advance: Advance) -> FolderSource:
    """Read a folder of people, or of photos without names."""
    try:
        photos = read_people_or_photos(folder)
    except EvaluationInvalid as error:
        raise TrainingInvalid(str(error)) from error
    return crop_photos(photos, folder, None if is_aligned else open_cropper(settings), advance)


def _only(source: FolderSource, is_kept: np.typing.NDArray[np.bool_]) -> FolderSource:
    """Return the photos of some people, with their labels in the whole."""
    photos = tuple(source.photos[place] for place in np.flatnonzero(is_kept))
    return FolderSource(photos, source.classes, source.labels[is_kept])


def _calibrations(
    settings: Settings, source: FolderSource, network: bytes, base: BasePack, name: str
) -> Sequence[Calibration]:
    """Return the calibrations on all people; none if they are too few."""
    measure = partial(calibration_of, settings, source, model=partial(model_name, name))
    try:
        return measure(network, preprocessing=base.preprocessing)
    except CalibrationTooSmall:
        return []


def _write(
    settings: Settings,
    base: BasePack,
    network: bytes,
    folder: Path,
    calibrations: Sequence[Calibration],
    *,
    faces: int,
) -> Manifest:
    """Write the pack, with the terms of its base; without calibrations, its threshold stays."""
    section = base.manifest.embedder
    metadata = PackMetadata(
        f"{base.manifest.name} in int8",
        base.manifest.licence,
        detector_name(settings),
        base.manifest.commercial_use,
        f"{base.model} with int8 products; ranges of {faces} faces. {base.manifest.notes}".strip(),
    )
    return write_network_pack(
        network,
        folder,
        metadata,
        preprocessing=base.preprocessing,
        calibrations=calibrations,
        threshold=None if calibrations or section is None else section.threshold,
    )
