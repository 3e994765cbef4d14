"""A run at its start, in its middle and at its end: how far faces are from their own class and from others."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from app.errors import TrainingInvalid
from app.training.checkpoint import CONFIG, LAST, load, load_trained
from app.training.config import TrainingConfig, made, read_config
from app.training.data.values import Source
from app.training.evaluating import embed
from app.training.insight.angles import Thetas, thetas
from app.training.learner import Learner, learner_of

_MOST = 2000  # faces


def config_of(run: Path) -> TrainingConfig:
    """Read the configuration of a run; raises TrainingInvalid."""
    return made(read_config(run / CONFIG))


def stages(run: Path, source: Source, snapshots: Path | None = None) -> dict[str, Thetas]:
    """Return the angles at the start (drawn anew from the seed), in between and at the end of a run.

    In between are the checkpoints `*.pt` of a folder, by their iterations, or of the run itself those before the last.
    `source` is what the run learned from. Raises TrainingInvalid.
    """
    config = config_of(run)
    last = load_trained(run)
    if not last.loss.has_classes:
        raise TrainingInvalid(f"the loss {config.loss.name} has no classes to be near to")
    if last.classes != source.classes:
        raise TrainingInvalid("these are not the people of the run; give the data that it learned from")
    places = np.linspace(0, len(source.labels) - 1, min(_MOST, len(source.labels))).astype(np.intp)
    found = {"start": _thetas(learner_of(config, len(last.classes)), source, places)}
    for iteration, file in _between(run if snapshots is None else snapshots, load(run / LAST)["iteration"]):
        between = load_trained(run, str(file.resolve()))
        found[f"iteration {iteration}"] = _thetas(Learner(between.backbone, between.loss), source, places)
    found["end"] = _thetas(Learner(last.backbone, last.loss), source, places)
    return found


def _between(folder: Path, end: int) -> Iterator[tuple[int, Path]]:
    known = sorted((load(file)["iteration"], file) for file in folder.glob("*.pt"))
    yield from ((iteration, file) for iteration, file in known if 0 < iteration < end)


def _thetas(learner: Learner, source: Source, places: Sequence[int] | np.typing.NDArray[np.intp]) -> Thetas:
    crops = np.stack([source.crop(int(place)) for place in places])
    with torch.inference_mode():
        features = torch.from_numpy(embed(learner.backbone, crops, is_flip_averaged=False))
        cosines = learner.loss.eval().cosines(features).double().numpy()
    return thetas(cosines, source.labels[places])
