"""Presentations: photos of live people, and of attacks by species; their files and their scores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.errors import EvaluationInvalid, PhotoRefused
from app.evaluation.protocols import read_people_or_photos
from app.evaluation.values import Advance, Bools, Doubles, Photo

SIMULATED_FILE = "SIMULATED.txt"
"""All photos below a folder with this file are simulated: their figures are never mixed with those of real ones."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """The photos of a species of attack, or of live people."""

    name: str
    photos: tuple[Photo, ...]
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Presentations:
    """Scored photos: `scores` (n,) 0..1, higher for live, NaN for those without a usable face; `people` (n) by name."""

    name: str
    scores: Doubles
    people: tuple[str, ...]
    is_simulated: bool = False

    @property
    def is_answered(self) -> Bools:
        """Return which photos have a score (n,)."""
        return np.isfinite(self.scores)

    def only(self, chosen: Bools) -> "Presentations":
        """Return the chosen photos (n,)."""
        people = tuple(person for person, is_chosen in zip(self.people, chosen, strict=True) if is_chosen)
        return Presentations(self.name, self.scores[chosen], people, self.is_simulated)


LivenessOf = Callable[[bytes], float | None]
"""Photo -> score of its main face, None if it is not usable; raises PhotoRefused. Threads may call it at once."""


def read_live(folder: Path) -> PhotoSet:
    """Read photos of live people: `person/photo.jpg`, or photos that each count as a person.

    Raises EvaluationInvalid if the folder has no photos.
    """
    return PhotoSet("live", read_people_or_photos(folder), _is_simulated(folder))


def read_attacks(folder: Path) -> tuple[PhotoSet, ...]:
    """Read attacks: a folder for each species with `person/photo.jpg`, or with photos that each count as a person.

    Raises EvaluationInvalid if the folder has no folders, or one of them no photos.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise EvaluationInvalid.unreadable(folder, error) from error
    species = [entry for entry in entries if entry.is_dir()]
    if not species:
        raise EvaluationInvalid(f"{folder} needs a folder for each kind of attack, such as {folder.name}/print/")
    return tuple(PhotoSet(each.name, read_people_or_photos(each), _is_simulated(each)) for each in species)


def _is_simulated(folder: Path) -> bool:
    """Return whether a folder, one above it or one below it is marked: a set with simulated photos is not real."""
    here = folder.resolve()
    above = any((each / SIMULATED_FILE).exists() for each in (here, *here.parents))
    return above or any(folder.rglob(SIMULATED_FILE))


def score_photos(
    photos: PhotoSet, liveness_of: LivenessOf, *, threads: int, advance: Advance = lambda _: None
) -> Presentations:
    """Score photos, keeping their order. A photo that is refused or shows no usable face has no score."""

    def score_one(photo: Photo) -> float:
        try:
            score = liveness_of(photo.read())
        except PhotoRefused:
            score = None
        advance(1)
        return np.nan if score is None else score

    with ThreadPoolExecutor(threads) as pool:
        scores = np.array(list(pool.map(score_one, photos.photos)), np.float64)
    return Presentations(photos.name, scores, tuple(photo.person for photo in photos.photos), photos.is_simulated)
