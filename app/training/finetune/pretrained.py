"""Loading of a pack's network as the initial backbone of a run."""

import io
from hashlib import sha256
from pathlib import Path

import torch
from torch import nn

from app.errors import TrainingInvalid
from app.training.config import PackNetwork, PretrainedStart, StartWeights
from app.training.export.pack import dimension_of
from app.training.finetune.imported import ImportedNetwork, Repreprocessed
from app.vision.alignment import CROP_SIDE
from app.vision.embedding import Preprocessing


def load_pretrained(start: PretrainedStart) -> tuple[nn.Module, int]:
    """Return the backbone and its embedding dimension.

    Raises TrainingInvalid if the copied network has changed or cannot be trained.
    """
    network = read_network(start)
    imported = ImportedNetwork(network, skip=dict(start.skip))
    if start.skip:
        _require_runs(imported)
    if start.frozen:
        imported.freeze_all_but_the_last()
    return Repreprocessed(imported, preprocessing_of(start)), dimension_of(network)


def load_weights(backbone: nn.Module, weights: StartWeights) -> None:
    """Load the weights of another run into a backbone; raises TrainingInvalid if the file has changed."""
    state = torch.load(io.BytesIO(_read(weights.file, weights.sha256)), map_location="cpu", weights_only=True)
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        raise TrainingInvalid(f"the weights of {weights.run} do not fit this backbone: {error}") from error


def read_network(copied: PackNetwork) -> bytes:
    """Return the copy of a pack's network in a run's folder; raises TrainingInvalid if it has changed."""
    return _read(copied.network, copied.sha256)


def preprocessing_of(copied: PackNetwork) -> Preprocessing:
    """Return the preprocessing of a pack's network."""
    return Preprocessing(copied.mean, copied.scale, is_bgr=copied.bgr)


def _read(file: Path, expected: str) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise TrainingInvalid.unreadable(file, error) from error
    if sha256(data).hexdigest() != expected:
        raise TrainingInvalid(f"{file} has changed since the run was started")
    return data


def project(backbone: nn.Module, dimension: int, wanted: int) -> nn.Module:
    """Return the backbone, with a new linear layer behind it if its features do not have the wanted dimension."""
    if dimension == wanted:
        return backbone
    layer = nn.Linear(dimension, wanted, bias=False)
    nn.init.orthogonal_(layer.weight)
    return nn.Sequential(backbone, layer)


def _require_runs(network: nn.Module) -> None:
    """Raise TrainingInvalid if the layers left do not fit each other."""
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, CROP_SIDE, CROP_SIDE))
    except RuntimeError as error:
        raise TrainingInvalid(f"without the layers of `skip`, the network does not run: {error}") from error
