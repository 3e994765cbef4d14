"""What the room's files hand to each other: photos, their embeddings, and the pairs to compare."""

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
"""Called with the number of things done since the last call, for a progress bar."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo by the name that reports give it, where its bytes are, and who is in it."""

    name: str
    source: Path | bytes
    person: str

    def read(self) -> bytes:
        """Return the bytes."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True, slots=True)
class EmbeddedFace:
    """The face that counts in a photo: raw embedding (d,) before normalisation, its norm, its box, quality 0..1."""

    embedding: Floats
    norm: float
    box: Box
    quality: float


Enroll = Callable[[bytes], EmbeddedFace]
"""Turns a photo into its face; raises a PhotoRefused where there is none. Called from several threads."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Photos with what was found in them, in one order.

    `embeddings` (n, d) are raw, `norms` (n,), `boxes` (n, 4) xyxy, `quality` (n,) 0..1; all NaN where `failures` has
    the photo's place with the error code.
    """

    photos: tuple[Photo, ...]
    embeddings: Floats
    norms: Floats
    boxes: Floats
    quality: Floats
    failures: dict[int, str]

    @property
    def is_found(self) -> Bools:
        """Say for each photo whether a face was found (n,)."""
        found = np.ones(len(self.photos), np.bool_)
        found[list(self.failures)] = False
        return found

    @property
    def people(self) -> Ints:
        """Number the person of each photo (n,), from 0."""
        return numbered([each.person for each in self.photos])


@dataclass(frozen=True, slots=True)
class Pairs:
    """Photos and which of them are compared: `places` (n, 2) in `photos`, `is_same` (n,), `folds` (n,) from 0."""

    photos: tuple[Photo, ...]
    places: Ints
    is_same: Bools
    folds: Ints


def numbered(names: list[str]) -> Ints:
    """Number equal names equally, from 0 in order of first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.intp)


def unit(vectors: Floats) -> Doubles:
    """Scale vectors (n, d) to length 1, in double precision; NaN stays NaN, zero becomes NaN."""
    exact = vectors.astype(np.float64)
    length = np.sqrt((exact * exact).sum(axis=1, keepdims=True))
    return exact / np.where(length > 0, length, np.nan)
