"""Angle and target logit of a run over its epochs (ArcFace, 2019, figure 4b), from its log of metrics."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.errors import TrainingInvalid
from app.training.running import METRICS
from figures.curves import Doubles


@dataclass(frozen=True, slots=True)
class Convergence:
    """Values of the reports of a run (n,): epoch, mean angle to the own class in degrees, mean target logit."""

    epochs: Doubles
    theta: Doubles
    target_logit: Doubles


def convergence(run: Path) -> Convergence:
    """Read the log of metrics of a run; raises TrainingInvalid if it has no angles."""
    file = run / METRICS
    try:
        entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise TrainingInvalid(f"{file} cannot be read") from error
    reports = [each for each in entries if "theta" in each]
    if not reports:
        raise TrainingInvalid(f"{file} has no angles: the loss of the run has no classes, or an older version wrote it")
    columns = ("epoch", "theta", "target_logit")
    return Convergence(*(np.array([each[name] for each in reports], np.float64) for name in columns))
