"""Export of a training run as a pack."""

from collections.abc import Callable, Sequence
from pathlib import Path

from app.recognition.decisions.calibration.error_rates import Calibration
from app.training.checkpoint import TrainedModel
from app.training.export.network import as_onnx
from app.training.export.pack import PackMetadata, write_network_pack
from app.vision.embedding import Preprocessing
from app.vision.inference.manifest import Manifest

Calibrate = Callable[[bytes], Sequence[Calibration]]
"""ONNX network -> its calibrations; an empty sequence leaves the pack without any."""

PREPROCESSING = Preprocessing(127.5, 128)


def write_pack(
    trained: TrainedModel,
    folder: Path,
    metadata: PackMetadata,
    *,
    calibrate: Calibrate = lambda _: (),
    threshold: float | None = None,
) -> Manifest:
    """Export a trained backbone as a pack to `folder`; raises as `write_network_pack`."""
    network = as_onnx(trained.backbone)
    return write_network_pack(
        network,
        folder,
        metadata,
        preprocessing=PREPROCESSING,
        calibrations=calibrate(network),
        threshold=threshold,
    )
