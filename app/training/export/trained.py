"""What a run gave, as a pack."""

from collections.abc import Callable, Sequence
from pathlib import Path

from app.embedding import Preprocessing
from app.inference.manifest import Manifest
from app.recognition.calibration import Calibration
from app.training.checkpoint import Trained
from app.training.export.network import as_onnx
from app.training.export.pack import Said, write_network

Calibrate = Callable[[bytes], Sequence[Calibration]]
"""Measures an ONNX network; none means that the pack goes without calibrations."""

PREPROCESSING = Preprocessing(127.5, 128)


def write_pack(
    trained: Trained, folder: Path, said: Said, *, calibrate: Calibrate = lambda _: (), threshold: float | None = None
) -> Manifest:
    """Export a trained backbone and write its pack to `folder`, whose name is the pack's; raises TrainingInvalid."""
    network = as_onnx(trained.backbone)
    return write_network(
        network,
        folder,
        said,
        preprocessing=PREPROCESSING,
        calibrations=calibrate(network),
        threshold=threshold,
    )
