"""Cleaning: find mislabelled photos by their cosine to the centre of their person's other photos.

Deng et al., "ArcFace" (CVPR 2019), section 3.1, drop photos of MS1M that are far from the centre of their class,
measured with an existing embedding network. Sub-center ArcFace (ECCV 2020) does the same with a network trained on the
noisy photos. Here a photo is not part of the centre that it is compared with: with few photos, a wrong one would be
close to a centre that contains it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import TrainingInvalid
from app.evaluation.values import Advance, Bools, Doubles, normalise
from app.training.data.source import CropSource, Labels
from app.training.run_folder import storage_errors
from app.types import Floats, Pixels
from app.vision.alignment import CROP_SIDE

Embed = Callable[[Pixels], Floats]
"""Crops (n, 112, 112, 3), RGB uint8 -> vectors (n, d) of any length."""

_BATCH = 64
_DAMAGED, _DIFFERS, _UNDECIDED = "cannot be read", "differs from the other photos", "one of two photos that differ"
_FEW = "too few photos of the person are left"


@dataclass(frozen=True, slots=True)
class Outliers:
    """Photos that seem to carry a wrong name; all arrays are (n,).

    `cosines`: to the mean direction of the other photos that the person kept when the photo was judged; NaN for a
    person's only photo. `is_dropped`: to leave out. `is_undecided`: the last two photos of a person differ, so one of
    them is wrong, and it is not known which; both are dropped. `is_damaged`: without an embedding.
    """

    cosines: Doubles
    is_dropped: Bools
    is_undecided: Bools
    is_damaged: Bools


def embed_source(source: CropSource, embed: Embed, advance: Advance = lambda _: None) -> Floats:
    """Return the vectors (n, d) of all crops; those of damaged crops are NaN."""
    parts = []
    for start in range(0, len(source.labels), _BATCH):
        indices = range(start, min(start + _BATCH, len(source.labels)))
        crops = np.zeros((len(indices), CROP_SIDE, CROP_SIDE, 3), np.uint8)
        is_damaged = np.zeros(len(indices), np.bool_)
        for place, index in enumerate(indices):
            try:
                crops[place] = source.crop(index)
            except TrainingInvalid:
                is_damaged[place] = True
        vectors = embed(crops).copy()
        vectors[is_damaged] = np.nan
        parts.append(vectors)
        advance(len(indices))
    return np.concatenate(parts)


def find_outliers(embeddings: Floats, labels: Labels, threshold: float, min_photos: int = 1) -> Outliers:
    """Return the photos to leave out. Pure.

    The photo of a person with the lowest cosine to the mean direction of the others is dropped, as long as this cosine
    is below the threshold; the others are then judged without it.

    Args:
        embeddings: Of all photos (n, d), NaN for damaged ones.
        labels: Person of each photo (n,).
        threshold: Minimum cosine.
        min_photos: All photos of people with fewer photos left are dropped too.
    """
    units = normalise(embeddings)
    cosines = np.full(len(labels), np.nan)
    is_damaged = ~np.isfinite(units.sum(axis=1))
    is_dropped = is_damaged.copy()
    is_undecided = np.zeros(len(labels), np.bool_)
    for places in _by_person(labels):
        readable = places[~is_dropped[places]]
        cosines[readable], is_dropped[readable], is_undecided[readable] = _judge(units[readable], threshold)
    left = np.bincount(labels[~is_dropped], minlength=int(labels.max()) + 1)
    return Outliers(cosines, is_dropped | (left[labels] < min_photos), is_undecided, is_damaged)


def write_list(
    source: CropSource, outliers: Outliers, threshold: float, file: Path, damaged: Iterable[str] = ()
) -> None:
    """Write the photos to leave out in the format of `data.exclude`: name, cosine and reason, with tabs between.

    `damaged` are the names of photos that have no crop because they cannot be read. Raises StorageNotWritable if the
    file cannot be written.
    """
    lines = [
        f"{source.name(index)}\t{outliers.cosines[index]:.4f}\t{_reason(outliers, index, threshold)}\n"
        for index in np.flatnonzero(outliers.is_dropped).tolist()
    ] + [f"{name}\tnan\t{_DAMAGED}\n" for name in damaged]
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(lines), "utf-8")


def _by_person(labels: Labels) -> Iterator[NDArray[np.intp]]:
    order = np.argsort(labels, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _judge(units: Doubles, threshold: float) -> tuple[Doubles, Bools, Bools]:
    """Return the cosines, and which photos are dropped and undecided, of one person's unit vectors (k, d)."""
    cosines, is_kept = np.full(len(units), np.nan), np.ones(len(units), np.bool_)
    while is_kept.sum() > 1:
        kept = np.flatnonzero(is_kept)
        cosines[kept] = _cosines_to_others(units[kept])
        worst = kept[np.argmin(cosines[kept])]
        if cosines[worst] >= threshold:
            break
        if len(kept) == 2:
            return cosines, np.ones_like(is_kept), is_kept
        is_kept[worst] = False
    return cosines, ~is_kept, np.zeros_like(is_kept)


def _cosines_to_others(units: Doubles) -> Doubles:
    """Return the cosine of each unit vector (k, d) to the mean direction of the others (k,); k is at least 2."""
    others = units.sum(axis=0) - units
    lengths = np.sqrt((others * others).sum(axis=1))
    cosines: Doubles = np.einsum("kd,kd->k", units, others) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return cosines


def _reason(outliers: Outliers, index: int, threshold: float) -> str:
    cosine = outliers.cosines[index]
    if outliers.is_damaged[index]:
        return _DAMAGED
    if outliers.is_undecided[index]:
        return _UNDECIDED
    if np.isnan(cosine) or cosine >= threshold:
        return _FEW
    return _DIFFERS
