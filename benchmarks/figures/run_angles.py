"""Angles of faces to their own class and to others, at several stages of a training run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from app.errors import TrainingInvalid
from app.training.checkpoint import LAST, load, load_trained
from app.training.config import CONFIG, TrainingConfig, parse_config, read_config
from app.training.data.source import CropSource
from app.training.evaluating import embed
from app.training.learner import Learner, build_learner
from figures.angles import Thetas, thetas

_MOST = 2000  # faces


def config_of(run: Path) -> TrainingConfig:
    """Read the configuration of a run; raises TrainingInvalid."""
    return parse_config(read_config(run / CONFIG))


def stages(run: Path, source: CropSource, snapshots: Path | None = None) -> dict[str, Thetas]:
    """Return the angle histograms at the start (initialised again from the seed), in between and at the end of a run.

    Args:
        run: Folder of the run.
        source: The training data of the run.
        snapshots: Folder of intermediate checkpoints `*.pt`; by default the run's own.

    Raises:
        TrainingInvalid: If the loss has no classes, or the people of `source` are not those of the run.
    """
    config = config_of(run)
    last = load_trained(run)
    if not last.loss.has_classes:
        raise TrainingInvalid(f"the loss {config.loss.name} has no classes to be near to")
    if last.classes != source.classes:
        raise TrainingInvalid("these are not the people of the run; name its training data")
    places = np.linspace(0, len(source.labels) - 1, min(_MOST, len(source.labels))).astype(np.intp)
    histograms = {"start": _thetas(build_learner(config, len(last.classes)), source, places)}
    for iteration, file in _between(run if snapshots is None else snapshots, load(run / LAST)["iteration"]):
        snapshot = load_trained(run, str(file.resolve()))
        histograms[f"iteration {iteration}"] = _thetas(Learner(snapshot.backbone, snapshot.loss), source, places)
    histograms["end"] = _thetas(Learner(last.backbone, last.loss), source, places)
    return histograms


def _between(folder: Path, end: int) -> Iterator[tuple[int, Path]]:
    known = sorted((load(file)["iteration"], file) for file in folder.glob("*.pt"))
    yield from ((iteration, file) for iteration, file in known if 0 < iteration < end)


def _thetas(learner: Learner, source: CropSource, places: Sequence[int] | np.typing.NDArray[np.intp]) -> Thetas:
    crops = np.stack([source.crop(int(place)) for place in places])
    with torch.inference_mode():
        features = torch.from_numpy(embed(learner.backbone, crops, is_flip_averaged=False))
        cosines = learner.loss.eval().cosines(features).double().numpy()
    return thetas(cosines, source.labels[places])
