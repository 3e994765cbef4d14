"""Files that a run goes on from: all of a file is there or none of it, and reading one runs nothing."""

import os
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from app.errors import CheckpointMismatch, TrainingInvalid
from app.training.config import TrainingConfig, made, read_config
from app.training.learner import learner_of
from app.training.losses import Loss

LAST, BEST, CONFIG = "last.pt", "best.pt", "config.toml"
MIDDLE = "middle.pt"  # benchmarks/draw_losses.py compares it with the start and the end
_DAMAGED = (RuntimeError, ValueError, KeyError, EOFError, TypeError, AttributeError, pickle.UnpicklingError)

State = dict[str, Any]
"""Tensors, numbers and text by name, nested: what `torch.load` reads with weights_only."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gave: the backbone (evaluating, on the CPU; its averaged weights if there are any) and the rest."""

    backbone: nn.Module
    loss: Loss
    config: TrainingConfig
    classes: tuple[str, ...]


def save(state: State, file: Path) -> None:
    """Write a checkpoint: the whole file is there or the one before, also after a power cut."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
        try:
            torch.save(state, part)
            part.flush()
            os.fsync(part.fileno())
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    Path(part.name).chmod(0o644)
    Path(part.name).replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(file: Path) -> State:
    """Read a checkpoint to the CPU; raises TrainingInvalid for what is none."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingInvalid(f"{file} cannot be read: {error.strerror}") from error
    except _DAMAGED as error:
        raise TrainingInvalid(f"{file} is no checkpoint, or is damaged") from error
    if not isinstance(state, dict) or "backbone" not in state:
        raise TrainingInvalid(f"{file} is no checkpoint of a training run")
    return state


def load_trained(folder: Path, file: str = LAST) -> Trained:
    """Read what a run wrote into a folder, by default its last checkpoint; raises TrainingInvalid."""
    config = made(read_config(folder / CONFIG))
    state = load(folder / file)
    classes = tuple(state["classes"])
    learner = learner_of(config, len(classes))
    try:
        learner.loss.load_state_dict(state["loss"])
        learner.backbone.load_state_dict(state["average"] or state["backbone"])
    except RuntimeError as error:
        raise TrainingInvalid(f"{folder / file} does not fit {folder / CONFIG}") from error
    return Trained(learner.backbone.eval(), learner.loss.eval(), config, classes)


def compare(wanted: State, found: State) -> None:
    """Raise CheckpointMismatch, with the first key that differs, unless both describe the same run."""
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise CheckpointMismatch(
                f"the checkpoint was made with {name} = {found.get(name)}, not {wanted.get(name)}; "
                "go on as it began, or choose another folder with --out"
            )
