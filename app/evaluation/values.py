"""Values of evaluation: photos, their embeddings, and pairs to compare."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.types import Box, Floats

Doubles = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

Advance = Callable[[int], None]
"""Progress callback: takes the number of items finished since the last call."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo: its name in reports, the source of its bytes, and its person."""

    name: str
    source: Path | bytes
    person: str

    def read(self) -> bytes:
        """Return the bytes."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True, slots=True)
class EmbeddedFace:
    """The main face of a photo: raw embedding (d,) before normalisation, its norm, box, and quality 0..1."""

    embedding: Floats
    norm: float
    box: Box
    quality: float


EmbedPhoto = Callable[[bytes], EmbeddedFace]
"""Photo -> its main face; raises PhotoRefused if there is no face. Several threads may call it at once."""


@dataclass(frozen=True, slots=True)
class EmbeddedPhotos:
    """Photos and their embedded main faces, in the same order.

    `embeddings` (n, d) are raw, `norms` (n,), `boxes` (n, 4) xyxy, `quality` (n,) 0..1. All are NaN for photos without
    a face; `failures` maps the index of each of these photos to its error code.
    """

    photos: tuple[Photo, ...]
    embeddings: Floats
    norms: Floats
    boxes: Floats
    quality: Floats
    failures: dict[int, str]

    @property
    def has_face(self) -> Bools:
        """Return for each photo whether it has a face (n,)."""
        has_face = np.ones(len(self.photos), np.bool_)
        has_face[list(self.failures)] = False
        return has_face

    @property
    def people(self) -> Ints:
        """Return the person number of each photo (n,), from 0."""
        return number_names([photo.person for photo in self.photos])


@dataclass(frozen=True, slots=True)
class Pairs:
    """Photos and pairs of them: indices `places` (n, 2), `is_same` (n,), and `folds` (n,) from 0."""

    photos: tuple[Photo, ...]
    places: Ints
    is_same: Bools
    folds: Ints


def number_names(names: list[str]) -> Ints:
    """Return a number for each name, from 0 in the order of first appearance; equal names get equal numbers."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)


def normalise(vectors: Floats) -> Doubles:
    """Scale vectors (n, d) to unit norm in double precision; NaN stays NaN, and zero vectors become NaN."""
    doubles = vectors.astype(np.float64)
    length = np.sqrt((doubles * doubles).sum(axis=1, keepdims=True))
    return doubles / np.where(length > 0, length, np.nan)
