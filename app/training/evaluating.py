"""Verification on sets of pairs while a network is trained, by the protocols of `arcid evaluate`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from app.alignment import CROP_SIDE
from app.errors import TrainingInvalid
from app.evaluation.curves import Comparisons, eer, tar_at
from app.evaluation.protocols import read_bin_set, read_csv, read_lfw
from app.evaluation.values import Ints, Pairs, unit
from app.evaluation.verification import cross_validated
from app.faces import Floats, Pixels
from app.training.config import VerificationSet
from app.training.data.aligning import Cutter
from app.training.data.crops import decoded
from app.training.learner import as_input

FAR = 1e-3
_BATCH = 128


@dataclass(frozen=True, slots=True)
class PairsOfCrops:
    """A set: its pairs, the crops (n, 112, 112, 3) of the photos with a face, and each photo's row in them or -1."""

    name: str
    pairs: Pairs
    crops: Pixels
    rows: Ints


def read_set(wanted: VerificationSet, cutter: Cutter | None) -> PairsOfCrops:
    """Read a set and align its photos; raises TrainingInvalid and EvaluationInvalid."""
    pairs = _pairs(wanted)
    if wanted.aligned or cutter is None:
        found: list[bytes | str] = [photo.read() for photo in pairs.photos]
    else:
        found = cutter.cut(pairs.photos)
    encoded = [(photo.name, each) for photo, each in zip(pairs.photos, found, strict=True) if isinstance(each, bytes)]
    crops = np.empty((len(encoded), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for row, (name, data) in zip(crops, encoded, strict=True):
        row[:] = decoded(data, name)
    is_found = np.array([isinstance(each, bytes) for each in found])
    return PairsOfCrops(wanted.name, pairs, crops, np.where(is_found, np.cumsum(is_found) - 1, -1))


def verify(backbone: nn.Module, wanted: PairsOfCrops) -> dict[str, float]:
    """Return accuracy over the folds, EER and TAR at FAR 1e-3; a photo without a face is never accepted."""
    units = unit(embed(backbone, wanted.crops))
    first, second = wanted.rows[wanted.pairs.places].T
    is_found = (first >= 0) & (second >= 0)
    similarities = np.full(len(first), np.nan)
    similarities[is_found] = np.einsum("nd,nd->n", units[first[is_found]], units[second[is_found]])
    weights = np.ones(len(first))
    folds = cross_validated(similarities, wanted.pairs.is_same, wanted.pairs.folds, weights)
    genuine, impostor = wanted.pairs.is_same, ~wanted.pairs.is_same & is_found
    curve = Comparisons(np.where(is_found, similarities, -np.inf)[genuine], similarities[impostor]).curve(
        weights[genuine], weights[impostor]
    )
    return {"accuracy": folds.mean, "eer": eer(curve), "tar@far=1e-3": tar_at(curve, FAR)}


def verify_all(backbone: nn.Module, sets: Iterable[PairsOfCrops]) -> dict[str, dict[str, float]]:
    """Evaluate on every set, by name."""
    return {each.name: verify(backbone, each) for each in sets}


def embed(backbone: nn.Module, crops: Pixels, *, is_flip_averaged: bool = True) -> Floats:
    """Return raw features (n, d) of crops (n, 112, 112, 3), the mean with their mirror images'.

    The backbone is left in the mode that it was in; nothing random is drawn.
    """
    device = next(backbone.parameters()).device
    was_training = backbone.training
    backbone.eval()
    with torch.inference_mode():
        parts = [
            _features(backbone, torch.from_numpy(crops[start : start + _BATCH]).to(device), is_flip_averaged)
            for start in range(0, len(crops), _BATCH)
        ]
    backbone.train(was_training)
    return np.concatenate([part.cpu().numpy() for part in parts])


def mean_accuracy(figures: dict[str, dict[str, float]]) -> float:
    """Return what the best checkpoint is chosen by."""
    return float(np.mean([each["accuracy"] for each in figures.values()]))


def _features(backbone: nn.Module, crops: torch.Tensor, is_flip_averaged: bool) -> torch.Tensor:  # noqa: FBT001
    features = backbone(as_input(crops)).float()
    return (features + backbone(as_input(crops.flip(2))).float()) / 2 if is_flip_averaged else features


def _pairs(wanted: VerificationSet) -> Pairs:
    sources: Sequence[object] = [each for each in (wanted.pairs, wanted.csv, wanted.bin) if each is not None]
    if len(sources) != 1:
        raise TrainingInvalid(f"the verification set {wanted.name!r} needs one of pairs, csv and bin")
    if wanted.bin is not None:
        return read_bin_set(wanted.bin)
    if wanted.csv is not None:
        return read_csv(wanted.csv, wanted.images or wanted.csv.parent)
    if wanted.images is None or wanted.pairs is None:
        raise TrainingInvalid(f"the verification set {wanted.name!r} needs images, the folder of its photos")
    return read_lfw(wanted.pairs, wanted.images)
