"""Reading of a checkpoint of arcface_torch, without executing code from it."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import TrainingInvalid
from app.training.checkpoint import load_tensors
from app.training.importing.architectures import ARCHITECTURES, Architecture
from app.training.near_names import unknown_name
from app.vision.embedding import Preprocessing

PREPROCESSING = Preprocessing(127.5, 127.5)  # of arcface_torch: RGB, (pixel / 255 - 0.5) / 0.5

Weights = dict[str, Tensor]

_WRAPPERS = ("state_dict_backbone", "state_dict")  # keys of checkpoints that hold more than the backbone
_OF_ARCID = {"backbone", "run", "classes"}  # keys of last.pt and best.pt
_STARTS = (b"PK", b"\x80")  # of a ZIP file, and of a pickle
_PREFIX = "module."  # of DistributedDataParallel
_COUNTER = "num_batches_tracked"  # of BatchNorm; older checkpoints lack it, and inference does not use it


def read_backbone(file: Path, architecture: str) -> nn.Module:
    """Return the network of a `.pt` or `.pth` file in evaluation mode.

    Args:
        file: A state dictionary, or a checkpoint with `state_dict_backbone` or `state_dict`.
        architecture: One of ARCHITECTURES.

    Raises TrainingInvalid if the file is unreadable, or if its layers are not those of the architecture.
    """
    if architecture not in ARCHITECTURES:
        raise TrainingInvalid(unknown_name("architecture", architecture, ARCHITECTURES))
    known, weights = ARCHITECTURES[architecture], _read(file)
    _require_same_layers(known, weights, f"{file} is not an {architecture} of arcface_torch")
    network = known.build(len(weights[f"{known.fully_connected}.weight"]))
    layers = [module for module in network.modules() if module.state_dict() and not list(module.children())]
    with torch.no_grad():
        for layer, name in zip(layers, known.layers, strict=True):
            _load(layer, name, weights, file)
    return network.eval()


def _read(file: Path) -> Weights:
    _require_tensor_file(file)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of other versions of pickle
        content = load_tensors(file, "is damaged, or holds more than weights; save the state_dict() of the backbone")
    if isinstance(content, dict) and content.keys() >= _OF_ARCID:
        raise TrainingInvalid(f"{file} is a checkpoint of ArcID; run: arcid train export {file.parent} --out FOLDER")
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise TrainingInvalid(f"{file} holds no state_dict of a backbone")
    return {str(name).removeprefix(_PREFIX): value for name, value in content.items()}


def _require_tensor_file(file: Path) -> None:
    """Raise TrainingInvalid if the first bytes of a file are not those of a file of PyTorch."""
    try:
        with file.open("rb") as opened:
            start = opened.read(2)
    except OSError as error:
        raise TrainingInvalid.unreadable(file, error) from error
    if not start.startswith(_STARTS):
        raise TrainingInvalid(f"{file} is not a file of torch.save; import takes the .pt or .pth file of arcface_torch")


def _require_same_layers(known: Architecture, weights: Weights, problem: str) -> None:
    names = {name.rpartition(".")[0] for name in weights}
    if missing := [name for name in known.layers if name not in names]:
        raise TrainingInvalid(f"{problem}: it lacks {missing[0]}")
    if extra := sorted(names - set(known.layers)):
        raise TrainingInvalid(f"{problem}: it also has {extra[0]}")
    if f"{known.fully_connected}.weight" not in weights:
        raise TrainingInvalid(f"{problem}: it lacks {known.fully_connected}.weight")


def _load(layer: nn.Module, name: str, weights: Weights, file: Path) -> None:
    """Copy the weights of one layer; raises TrainingInvalid, naming them, if they do not fit."""
    own = layer.state_dict()
    given = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.rpartition(".")[0] == name}
    given.pop(_COUNTER, None)
    own.pop(_COUNTER, None)
    if own.keys() != given.keys():
        raise TrainingInvalid(f"{file}: the layer {name} has {', '.join(given)} instead of {', '.join(own)}")
    for key, value in own.items():
        if value.shape != given[key].shape:
            shapes = tuple(given[key].shape), tuple(value.shape)
            raise TrainingInvalid(f"{file}: {name}.{key} has the shape {shapes[0]} instead of {shapes[1]}")
        value.copy_(given[key])
