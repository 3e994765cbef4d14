"""Cleaning: find mislabelled photos by their cosine to the centre of their person, as the authors of ArcFace did.

Deng et al., "ArcFace" (CVPR 2019), section 3.1, drop photos of MS1M that are far from the centre of their class,
measured with an existing embedding network. Sub-center ArcFace (ECCV 2020) does the same with a network trained on the
noisy photos.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.evaluation.values import Advance, Bools, Doubles, normalise
from app.training.data.source import CropSource, Labels
from app.types import Floats, Pixels
from app.vision.alignment import CROP_SIDE

Embed = Callable[[Pixels], Floats]
"""Crops (n, 112, 112, 3), RGB uint8 -> vectors (n, d) of any length."""

_BATCH = 64


def similarities_to_centre(source: CropSource, embed: Embed, advance: Advance = lambda _: None) -> Doubles:
    """Return the cosine of each crop to the centre of its person (n,); raises TrainingInvalid."""
    parts = []
    for start in range(0, len(source.labels), _BATCH):
        indices = range(start, min(start + _BATCH, len(source.labels)))
        crops = np.empty((len(indices), CROP_SIDE, CROP_SIDE, 3), np.uint8)
        for row, index in zip(crops, indices, strict=True):
            row[:] = source.crop(index)
        parts.append(embed(crops))
        advance(len(indices))
    return centre_similarities(np.concatenate(parts), source.labels)


def centre_similarities(embeddings: Floats, labels: Labels) -> Doubles:
    """Return the cosine (n,) of each embedding (n, d) to the mean direction of its label. Pure.

    A person's only photo always has the cosine 1, so it cannot be judged.
    """
    units = normalise(embeddings)
    sums = np.zeros((int(labels.max()) + 1, units.shape[1]))
    np.add.at(sums, labels, units)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    centres = sums / np.where(lengths > 0, lengths, np.nan)
    cosines: Doubles = np.einsum("nd,nd->n", units, centres[labels])
    return cosines


def select_outliers(cosines: Doubles, labels: Labels, threshold: float, min_photos: int = 1) -> Bools:
    """Return which photos (n,) to drop: below the threshold, or of a person with fewer than `min_photos` left."""
    is_dropped = ~(cosines >= threshold)
    left = np.bincount(labels[~is_dropped], minlength=int(labels.max()) + 1)
    too_few: Bools = left[labels] < min_photos
    return is_dropped | too_few


def write_list(source: CropSource, cosines: Doubles, is_dropped: Bools, file: Path) -> None:
    """Write the photos to drop in the format of `data.exclude`: a name and its cosine on each line."""
    lines = [f"{source.name(index)}\t{cosines[index]:.4f}\n" for index in np.flatnonzero(is_dropped).tolist()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines), "utf-8")
