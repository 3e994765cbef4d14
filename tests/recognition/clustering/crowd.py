"""Faces of people for tests of clustering, by numbers."""

from dataclasses import dataclass

import numpy as np

from app.recognition.clustering.face_groups import FacesToGroup, Numbers
from app.types import Floats

DIMENSION = 128


@dataclass(frozen=True)
class Crowd:
    """Unit vectors (n, d) of the faces of people (n,)."""

    vectors: Floats
    people: Numbers

    def faces(self, **known):
        count = len(self.vectors)
        return FacesToGroup(
            **{
                "vectors": self.vectors,
                "qualities": np.full(count, 0.8, np.float32),
                "photos": np.arange(count),
                **known,
            }
        )

    def part(self, places):
        return Crowd(self.vectors[places], self.people[places])


def crowd(sizes, *, seed=0, likeness=0.7):
    """Return the faces of people with so many faces each, in random order; `likeness`: of two faces of a person."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = _units(rng, len(sizes))
    noise = _units(rng, len(people))
    vectors = np.sqrt(likeness) * centres[people] + np.sqrt(1 - likeness) * noise
    return Crowd(np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32), people)


def partition(ids):
    """Return the groups as sets of places, without the faces in no group."""
    return {frozenset(np.flatnonzero(ids == each).tolist()) for each in np.unique(ids) if each}


def _units(rng, count):
    raw = rng.standard_normal((count, DIMENSION))
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)
