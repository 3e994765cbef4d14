"""Verification during training, with the protocols of `arcid evaluate`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from app.errors import TrainingInvalid
from app.evaluation.curves import Comparisons, eer, tar_at
from app.evaluation.protocols import read_bin_set, read_csv, read_lfw
from app.evaluation.values import Advance, Ints, Pairs, normalise
from app.evaluation.verification import cross_validate
from app.training.config import VerificationSet
from app.training.data.cropping import FaceCropper
from app.training.data.decoding import decode_crop
from app.training.learner import as_input
from app.types import Floats, Pixels
from app.vision.alignment import CROP_SIDE

FAR = 1e-3
_BATCH = 128


@dataclass(frozen=True, slots=True)
class CropPairs:
    """Pairs, crops (n, 112, 112, 3) of the photos with a face, and the row of each photo in `crops` or -1."""

    name: str
    pairs: Pairs
    crops: Pixels
    rows: Ints


def read_crop_pairs(
    verification_set: VerificationSet, cropper: FaceCropper | None, advance: Advance = lambda _: None
) -> CropPairs:
    """Read a verification set and align its photos.

    Raises EvaluationInvalid if its pairs or photos cannot be read, and TrainingInvalid if a key of the set is missing.
    """
    pairs = _read_pairs(verification_set)
    if verification_set.aligned or cropper is None:
        encoded: list[bytes | str] = [photo.read() for photo in pairs.photos]
    else:
        encoded = cropper.crop_photos(pairs.photos, advance)
    with_face = [
        (photo.name, data) for photo, data in zip(pairs.photos, encoded, strict=True) if isinstance(data, bytes)
    ]
    crops = np.empty((len(with_face), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for row, (name, data) in zip(crops, with_face, strict=True):
        row[:] = decode_crop(data, name)
    has_face = np.array([isinstance(data, bytes) for data in encoded])
    return CropPairs(verification_set.name, pairs, crops, np.where(has_face, np.cumsum(has_face) - 1, -1))


def verify(backbone: nn.Module, pairs: CropPairs, advance: Advance = lambda _: None) -> dict[str, float]:
    """Return accuracy over the folds, EER and TAR at FAR 1e-3. A photo without a face is always rejected."""
    units = normalise(embed(backbone, pairs.crops, advance=advance))
    is_same, folds = pairs.pairs.is_same, pairs.pairs.folds
    first, second = pairs.rows[pairs.pairs.places].T
    is_comparable = (first >= 0) & (second >= 0)
    similarities = np.full(len(first), np.nan)
    similarities[is_comparable] = np.einsum("nd,nd->n", units[first[is_comparable]], units[second[is_comparable]])
    weights = np.ones(len(first))
    accuracy = cross_validate(similarities, is_same, folds, weights).mean
    genuine, impostor = is_same, ~is_same & is_comparable
    curve = Comparisons(np.where(is_comparable, similarities, -np.inf)[genuine], similarities[impostor]).curve(
        weights[genuine], weights[impostor]
    )
    return {"accuracy": accuracy, "eer": eer(curve), "tar@far=1e-3": tar_at(curve, FAR)}


def verify_all(
    backbone: nn.Module, sets: Iterable[CropPairs], advance: Advance = lambda _: None
) -> dict[str, dict[str, float]]:
    """Return the figures of every set, by its name; `advance` is called with numbers of embedded crops."""
    return {pairs.name: verify(backbone, pairs, advance) for pairs in sets}


def embed(
    backbone: nn.Module, crops: Pixels, *, is_flip_averaged: bool = True, advance: Advance = lambda _: None
) -> Floats:
    """Return raw features (n, d) of crops (n, 112, 112, 3), by default averaged with those of the mirrored crops.

    Keeps the mode of the backbone and draws no random numbers.
    """
    device = next(backbone.parameters()).device
    was_training = backbone.training
    backbone.eval()
    with torch.inference_mode():
        parts = []
        for start in range(0, len(crops), _BATCH):
            batch = torch.from_numpy(crops[start : start + _BATCH])
            parts.append(_features(backbone, batch.to(device), is_flip_averaged).cpu().numpy())
            advance(len(batch))
    backbone.train(was_training)
    return np.concatenate(parts)


def mean_accuracy(figures: dict[str, dict[str, float]]) -> float:
    """Return the mean accuracy over all sets, the criterion for the best checkpoint."""
    return float(np.mean([of_set["accuracy"] for of_set in figures.values()]))


def _features(backbone: nn.Module, crops: torch.Tensor, is_flip_averaged: bool) -> torch.Tensor:  # noqa: FBT001
    features = backbone(as_input(crops)).float()
    return (features + backbone(as_input(crops.flip(2))).float()) / 2 if is_flip_averaged else features


def _read_pairs(verification_set: VerificationSet) -> Pairs:
    sources: Sequence[object] = [
        source for source in (verification_set.pairs, verification_set.csv, verification_set.bin) if source is not None
    ]
    if len(sources) != 1:
        raise TrainingInvalid(f"the verification set {verification_set.name!r} needs exactly one of pairs, csv and bin")
    if verification_set.bin is not None:
        return read_bin_set(verification_set.bin)
    if verification_set.csv is not None:
        return read_csv(verification_set.csv, verification_set.images or verification_set.csv.parent)
    if verification_set.images is None or verification_set.pairs is None:
        raise TrainingInvalid(f"the verification set {verification_set.name!r} needs the folder `images`")
    return read_lfw(verification_set.pairs, verification_set.images)
