"""Networks for tests."""

from pathlib import Path

from app.recognition.analysis import Analysis
from app.recognition.decisions.calibration.applicable import Calibrations
from app.recognition.model_registry import ModelRegistry, ServedModel


def serving_of(
    analyses: dict[str, Analysis] | None = None, calibrations: Path = Path("nowhere"), **dimensions: int
) -> ModelRegistry:
    """Serve models of these dimensions, the first one as the usual, each in a pack of its name.

    A file `any.json` in the folder `calibrations` is the calibration of all of them.
    """

    def opened(network: ServedModel, _detector: str) -> Analysis:
        return (analyses or {})[network.model]

    return ModelRegistry(
        [ServedModel(f"pack-{model}", model, dimension, "squares", 0.5) for model, dimension in dimensions.items()],
        open_analysis=opened,
        calibrations_of=lambda *_: Calibrations(calibrations, Path("nowhere"), lambda _: "any.json"),
    )
