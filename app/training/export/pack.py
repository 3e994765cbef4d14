"""A folder that `arcid models add` takes: an embedding network, its manifest, its calibrations. Needs no PyTorch."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from google.protobuf.message import DecodeError
from pydantic import TypeAdapter, ValidationError

from app.embedding import Preprocessing
from app.errors import TrainingInvalid
from app.inference.manifest import Manifest, Name, read_manifest
from app.recognition.calibration import Calibration, as_json
from app.recognition.calibrations import file_name

FMR = 1e-4  # the rate at which a calibration gives the manifest its fixed threshold
UNCALIBRATED = 0.5

_NAME = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Said:
    """What a pack says of itself: what no file shows.

    `detector` aligned the photos that the network learned from; it finds and aligns faces for it in service too.
    """

    title: str
    licence: str
    detector: str
    commercial_use: Literal["yes", "no", "unverified"] = "unverified"
    notes: str = ""


def model_name(name: str, network: bytes) -> str:
    """Return the name that is stored with every template: other weights have another one."""
    return f"{name}-{hashlib.sha256(network).hexdigest()[:8]}"


def write_network(
    network: bytes,
    folder: Path,
    said: Said,
    *,
    preprocessing: Preprocessing,
    calibrations: Sequence[Calibration] = (),
    threshold: float | None = None,
) -> Manifest:
    """Write the pack of an ONNX network (n, 3, 112, 112) -> (n, d) to `folder`, whose name is the pack's.

    The fixed threshold is the first calibration's at FMR 1e-4 where none is given. Raises TrainingInvalid for a name
    that no pack can have, a folder that has something in it, a calibration of another network.
    """
    digest = hashlib.sha256(network).hexdigest()
    if any(each.origin.network_sha256 != digest for each in calibrations):
        raise TrainingInvalid("a calibration is not of the network that it should go with")
    if threshold is None:
        threshold = calibrations[0].threshold(FMR) if calibrations else UNCALIBRATED
    manifest = _manifest(folder.name, network, said, preprocessing=preprocessing, threshold=threshold)
    _make(folder)
    (folder / f"{folder.name}.onnx").write_bytes(network)
    (folder / "manifest.toml").write_text(manifest, "utf-8")
    for each in calibrations:
        origin = each.origin
        name = file_name(network_sha256=digest, detector=origin.detector, is_flip_averaged=origin.is_flip_averaged)
        (folder / "calibrations").mkdir(exist_ok=True)
        (folder / "calibrations" / name).write_bytes(as_json(each))
    return read_manifest(folder / "manifest.toml")


def dimension_of(network: bytes) -> int:
    """Return the length of the vectors that a network gives; raises TrainingInvalid for what is no embedder."""
    try:
        outputs = onnx.load_model_from_string(network).graph.output
        shape = [each.dim_value for each in outputs[0].type.tensor_type.shape.dim]
    except (DecodeError, IndexError) as error:
        raise TrainingInvalid(f"this is no ONNX network: {error}") from error
    if len(shape) != 2 or shape[1] < 2:
        raise TrainingInvalid(f"the network gives {shape}, not (n, d)")
    return shape[1]


def _manifest(name: str, network: bytes, said: Said, *, preprocessing: Preprocessing, threshold: float) -> str:
    top = {
        "title": said.title,
        "licence": said.licence,
        "commercial_use": said.commercial_use,
        "notes": said.notes,
        "default_detector": said.detector,
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
    # A JSON string or number is one of TOML too.
    return "".join(
        head + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
        for head, table in tables
    )


def _make(folder: Path) -> None:
    try:
        _NAME.validate_python(folder.name)
    except ValidationError as error:
        raise TrainingInvalid(
            f"{folder.name!r} cannot be a pack's name: lower-case letters, digits, '.', '_' and '-'"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise TrainingInvalid(f"{folder} is not empty; name another folder, or delete it")
