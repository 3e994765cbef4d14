"""Photos that carry a wrong name, found as the authors of ArcFace did: by their cosine to the centre of their person.

Deng et al., "ArcFace" (CVPR 2019), section 3.1: photos far from the centre of their class, by an embedding network that
is there already, are dropped from MS1M. Sub-center ArcFace (ECCV 2020) does the same with a network trained on the
noisy photos.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.alignment import CROP_SIDE
from app.evaluation.values import Advance, Bools, Doubles, unit
from app.faces import Floats, Pixels
from app.training.data.values import Labels, Source

Embed = Callable[[Pixels], Floats]
"""Crops (n, 112, 112, 3), RGB uint8, to vectors (n, d) of any length."""

_BATCH = 64


def likeness(source: Source, embed: Embed, advance: Advance = lambda _: None) -> Doubles:
    """Return each crop's cosine with the centre of its person (n,); raises TrainingInvalid."""
    parts = []
    for start in range(0, len(source.labels), _BATCH):
        places = range(start, min(start + _BATCH, len(source.labels)))
        crops = np.empty((len(places), CROP_SIDE, CROP_SIDE, 3), np.uint8)
        for row, place in zip(crops, places, strict=True):
            row[:] = source.crop(place)
        parts.append(embed(crops))
        advance(len(places))
    return to_centres(np.concatenate(parts), source.labels)


def to_centres(embeddings: Floats, labels: Labels) -> Doubles:
    """Return the cosine of each embedding (n, d) with the mean direction of its label's (n,). Pure.

    Of a single photo it is 1: nothing can be said of it.
    """
    units = unit(embeddings)
    sums = np.zeros((int(labels.max()) + 1, units.shape[1]))
    np.add.at(sums, labels, units)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    centres = sums / np.where(lengths > 0, lengths, np.nan)
    cosines: Doubles = np.einsum("nd,nd->n", units, centres[labels])
    return cosines


def to_drop(cosines: Doubles, labels: Labels, threshold: float, least: int = 1) -> Bools:
    """Say which photos (n,) to drop: those below the threshold, and all of whoever has fewer than `least` left."""
    is_dropped = ~(cosines >= threshold)
    left = np.bincount(labels[~is_dropped], minlength=int(labels.max()) + 1)
    too_few: Bools = left[labels] < least
    return is_dropped | too_few


def write_list(source: Source, cosines: Doubles, is_dropped: Bools, file: Path) -> None:
    """Write the photos to drop, a name and its cosine to each line, as `data.exclude` takes it."""
    lines = [f"{source.name(place)}\t{cosines[place]:.4f}\n" for place in np.flatnonzero(is_dropped).tolist()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines), "utf-8")
