"""Writing of packs for `arcid models add`: network, manifest and calibrations. Does not need PyTorch."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from pydantic import TypeAdapter, ValidationError

from app.errors import TrainingInvalid
from app.recognition.decisions.calibration.applicable import file_name
from app.recognition.decisions.calibration.error_rates import Calibration, as_json
from app.training.run_folder import make_run_folder, storage_errors
from app.types import CommercialUse
from app.vision.embedding import Preprocessing
from app.vision.inference.manifest import Manifest, Name, read_manifest

FMR = 1e-4  # FMR whose calibrated threshold becomes the manifest's fixed threshold
UNCALIBRATED = 0.5

_NAME = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class OperatorTerms:
    """Terms of a network as its operator states them."""

    licence: str
    commercial_use: CommercialUse = "unverified"


@dataclass(frozen=True, slots=True)
class PackMetadata:
    """Description of a pack in its manifest.

    `detector` aligned the training photos; the service uses it to detect and align faces for this network.
    """

    title: str
    licence: str
    detector: str
    commercial_use: CommercialUse = "unverified"
    notes: str = ""


def model_name(name: str, network: bytes) -> str:
    """Return the model name stored with every template; it contains a hash of the weights."""
    return f"{name}-{hashlib.sha256(network).hexdigest()[:8]}"


def write_network_pack(
    network: bytes,
    folder: Path,
    metadata: PackMetadata,
    *,
    preprocessing: Preprocessing,
    calibrations: Sequence[Calibration] = (),
    threshold: float | None = None,
) -> Manifest:
    """Write the pack of an ONNX network (n, 3, 112, 112) -> (n, d) to `folder`; its name is the name of the pack.

    Without a threshold, the first calibration provides it, at FMR 1e-4. Raises TrainingInvalid if the name is invalid,
    the folder is not empty, or a calibration belongs to another network, and StorageNotWritable if the disk is full.
    """
    digest = hashlib.sha256(network).hexdigest()
    if any(calibration.origin.network_sha256 != digest for calibration in calibrations):
        raise TrainingInvalid("a calibration belongs to another network")
    if threshold is None:
        threshold = calibrations[0].threshold(FMR) if calibrations else UNCALIBRATED
    manifest = _manifest(folder.name, network, metadata, preprocessing=preprocessing, threshold=threshold)
    require_new_pack(folder)
    with storage_errors(folder):
        _write_files(network, folder, manifest, calibrations, digest=digest)
    return read_manifest(folder / "manifest.toml")


def dimension_of(network: bytes) -> int:
    """Return the embedding dimension of a network; raises TrainingInvalid if it is not an embedding network."""
    try:
        outputs = onnx.load_model_from_string(network).graph.output
        shape = [size.dim_value for size in outputs[0].type.tensor_type.shape.dim]
    except (DecodeError, IndexError) as error:
        raise TrainingInvalid.not_onnx(error) from error
    if len(shape) != 2 or shape[1] < 2:
        raise TrainingInvalid(f"the network's output has the shape {shape}, not (n, d)")
    return shape[1]


def _manifest(
    name: str, network: bytes, metadata: PackMetadata, *, preprocessing: Preprocessing, threshold: float
) -> str:
    top = {
        "title": metadata.title,
        "licence": metadata.licence,
        "commercial_use": metadata.commercial_use,
        "notes": metadata.notes,
        "default_detector": metadata.detector,
    }
    embedder = {
        "model": model_name(name, network),
        "file": f"{name}.onnx",
        "dimension": dimension_of(network),
        "input_size": 112,
        "color": "bgr" if preprocessing.is_bgr else "rgb",
        "mean": preprocessing.mean,
        "scale": preprocessing.scale,
        "alignment": "arcface-112",
        "threshold": round(threshold, 4),
    }
    file = {"name": f"{name}.onnx", "sha256": hashlib.sha256(network).hexdigest()}
    tables = (("", top), ("\n[embedder]\n", embedder), ("\n[[files]]\n", file))
    # JSON strings and numbers are also valid TOML.
    return "".join(
        head + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
        for head, table in tables
    )


def require_new_pack(folder: Path) -> None:
    """Check the folder of a new pack before hours of work, and create the folder above it.

    Raises TrainingInvalid if its name is invalid or it is not empty, and StorageNotWritable if it cannot be created.
    """
    try:
        _NAME.validate_python(folder.name)
    except ValidationError as error:
        raise TrainingInvalid(
            f"{folder.name!r} is not a valid pack name; use lower-case letters, digits, '.', '_' and '-'"
        ) from error
    make_run_folder(folder.parent)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise TrainingInvalid(f"{folder} is not empty; choose another folder, or delete it")


def _write_files(
    network: bytes, folder: Path, manifest: str, calibrations: Sequence[Calibration], *, digest: str
) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{folder.name}.onnx").write_bytes(network)
    (folder / "manifest.toml").write_text(manifest, "utf-8")
    for calibration in calibrations:
        origin = calibration.origin
        name = file_name(network_sha256=digest, detector=origin.detector, is_flip_averaged=origin.is_flip_averaged)
        (folder / "calibrations").mkdir(exist_ok=True)
        (folder / "calibrations" / name).write_bytes(as_json(calibration))
