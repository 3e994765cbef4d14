"""Checkpoints: a file is written whole or not at all, and loading one executes no code from it."""

import os
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from app.disk import sync_folder
from app.errors import CheckpointMismatch, TrainingInvalid
from app.training.config import CONFIG, TrainingConfig, parse_config, read_config
from app.training.learner import build_learner
from app.training.losses.base import Loss
from app.training.run_folder import storage_errors

LAST, BEST = "last.pt", "best.pt"
_FINGERPRINT = "data"  # of names and labels: see app/training/data/source.py
MIDDLE = "middle.pt"  # benchmarks/draw_losses.py compares it with the start and the end
_DAMAGED = (RuntimeError, ValueError, KeyError, EOFError, TypeError, AttributeError, pickle.UnpicklingError)

State = dict[str, Any]
"""Nested dictionary of tensors, numbers and text, as `torch.load` reads it with weights_only."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Result of a run. `backbone` is on the CPU in evaluation mode, with the averaged weights if the run has them."""

    backbone: nn.Module
    loss: Loss
    config: TrainingConfig
    classes: tuple[str, ...]


def require_new_run(folder: Path) -> None:
    """Raise TrainingInvalid if the folder already contains a run, before its files are replaced."""
    if (folder / LAST).exists():
        raise TrainingInvalid(f"{folder} already contains a run; continue it with --resume, or choose another folder")


def save(state: State, file: Path) -> None:
    """Write a checkpoint atomically: after a power cut, the file is either the new or the previous one.

    Raises StorageNotWritable, for example if the disk is full; the previous checkpoint then stays.
    """
    with storage_errors(file):
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
            try:
                _write(state, part)
                part.flush()
                os.fsync(part.fileno())
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
        Path(part.name).chmod(0o644)
        Path(part.name).replace(file)
        sync_folder(file.parent)


def _write(state: State, part: IO[bytes]) -> None:
    """Write a state to an open file; raises OSError if it cannot be written, where PyTorch raises RuntimeError."""
    errors: list[OSError] = []

    class CheckpointWriter:
        def write(self, data: bytes) -> int:
            try:
                return part.write(data)
            except OSError as error:
                errors.append(error)
                raise

        def flush(self) -> None:
            part.flush()

    try:
        torch.save(state, CheckpointWriter())
    except RuntimeError as error:
        if errors:
            raise errors[0] from error
        raise


def load(file: Path) -> State:
    """Load a checkpoint to the CPU; raises TrainingInvalid if the file is not a checkpoint."""
    state = load_tensors(file, "is not a checkpoint, or it is damaged")
    if not isinstance(state, dict) or "backbone" not in state:
        raise TrainingInvalid(f"{file} is not a checkpoint of a training run")
    return state


def load_tensors(file: Path, problem: str) -> Any:
    """Load a file of `torch.save` to the CPU; raises TrainingInvalid, with `problem` if PyTorch cannot load it."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingInvalid.unreadable(file, error) from error
    except _DAMAGED as error:
        raise TrainingInvalid(f"{file} {problem}") from error


def load_trained(folder: Path, file: str = LAST) -> TrainedModel:
    """Load the result of a run from its folder, by default the last checkpoint.

    Raises TrainingInvalid if the folder is not that of a run, or if the checkpoint does not fit it.
    """
    if not (folder / CONFIG).exists():
        raise TrainingInvalid(f"{folder} is not the folder of a run: it has no {CONFIG}")
    config = parse_config(read_config(folder / CONFIG))
    state = load(folder / file)
    classes = tuple(state["classes"])
    learner = build_learner(config, len(classes))
    try:
        learner.loss.load_state_dict(state["loss"])
        learner.backbone.load_state_dict(state["average"] or state["backbone"])
    except RuntimeError as error:
        raise TrainingInvalid(f"{folder / file} does not fit {folder / CONFIG}") from error
    return TrainedModel(learner.backbone.eval(), learner.loss.eval(), config, classes)


def check_same_run(expected: State, saved: State) -> None:
    """Raise CheckpointMismatch, naming the first setting that differs, if the checkpoint is of another run.

    Names come first: another loss also has other parameters.
    """
    for name in sorted(expected.keys() | saved.keys(), key=lambda name: (not name.endswith(".name"), name)):
        if expected.get(name) != saved.get(name):
            setting = f"{name} = {saved.get(name)}, not {expected.get(name)}"
            difference = "other data (photos or people)" if name == _FINGERPRINT else setting
            raise CheckpointMismatch(
                f"the checkpoint was made with {difference}; "
                "resume with the settings of the first start, or start another run from this one with --from"
            )
