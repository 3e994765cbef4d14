"""Values of evaluation: photos, their embeddings, and pairs to compare."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.scoring import AS_STORED, Scoring
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
"""Photo -> its main face; raises PhotoRefused if the photo shows no face. Several threads may call it at once."""


@dataclass(frozen=True, slots=True)
class EmbeddedPhotos:
    """Photos and their embedded main faces, in the same order.

    `embeddings` (n, d) are raw, `norms` (n,), `boxes` (n, 4) xyxy, `quality` (n,) 0..1. All are NaN for photos without
    a face; `failures` maps the index of each of these photos to its error code. `scoring` is the one of the service.
    """

    photos: tuple[Photo, ...]
    embeddings: Floats
    norms: Floats
    boxes: Floats
    quality: Floats
    failures: dict[int, str]
    scoring: Scoring = AS_STORED

    @property
    def vectors(self) -> Doubles:
        """Return the vectors (n, d) whose dot products are similarities; NaN for photos without a face."""
        return score(self.scoring, self.embeddings, self.norms)

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


def number_names(names: Sequence[Hashable]) -> Ints:
    """Return a number for each name, from 0 in the order of first appearance; equal names get equal numbers."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)


def score(scoring: Scoring, embeddings: Floats, norms: Floats) -> Doubles:
    """Return the vectors (n, d) whose dot products are similarities, from raw embeddings (n, d) and norms (n,)."""
    units = normalise(embeddings)
    return units if scoring.is_plain else scoring.vectors(units.astype(np.float32), norms).astype(np.float64)


def normalise(vectors: Floats) -> Doubles:
    """Scale vectors (n, d) to unit norm in double precision; NaN stays NaN, and zero vectors become NaN."""
    doubles = vectors.astype(np.float64)
    length = np.sqrt((doubles * doubles).sum(axis=1, keepdims=True))
    return doubles / np.where(length > 0, length, np.nan)
