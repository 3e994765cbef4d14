"""Import of a network of arcface_torch as a pack, by the settings."""

from functools import partial
from pathlib import Path

from app.config import Settings
from app.evaluation.values import Advance
from app.training.export.pack import OperatorTerms, PackMetadata, model_name, require_new_pack, write_network_pack
from app.vision.inference.manifest import Manifest
from app.wiring.training import calibrator, detector_name


def import_pack(
    settings: Settings,
    file: Path,
    architecture: str,
    folder: Path,
    terms: OperatorTerms,
    *,
    people: Path | None = None,
    is_aligned: bool = False,
    advance: Advance = lambda _: None,
) -> Manifest:
    """Write the network of a file as a pack to `folder`, calibrated on `people` if they are given.

    Raises TrainingInvalid if the file does not contain the architecture or the folder is in use, CalibrationTooSmall if
    the people are too few, NetworkError's children if a detector cannot be opened, and SettingsInvalid without one.
    """
    from app.training.export.network import as_onnx  # noqa: PLC0415 - needs PyTorch
    from app.training.importing.reading import PREPROCESSING, read_backbone  # noqa: PLC0415 - as above

    require_new_pack(folder)
    network = as_onnx(read_backbone(file, architecture))
    measure = calibrator(
        settings,
        people,
        model=partial(model_name, folder.name),
        preprocessing=PREPROCESSING,
        is_aligned=is_aligned,
        advance=advance,
    )
    title, detector = f"{architecture} of arcface_torch, from {file.name}", detector_name(settings)
    metadata = PackMetadata(title, terms.licence, detector, terms.commercial_use)
    calibrations = measure(network)
    return write_network_pack(network, folder, metadata, preprocessing=PREPROCESSING, calibrations=calibrations)
