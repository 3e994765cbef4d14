"""The tracks of an evaluation: who is enrolled, who passes the camera, and the frames of each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.values import EmbeddedPhotos, Photo
from app.evaluation.video.simulation import SimulatedFrame, frames_of


@dataclass(frozen=True, slots=True)
class CastPhotos:
    """Photos of people: `enrolled` and `filmed` ones of the same people in the same order, and of `strangers`."""

    enrolled: tuple[Photo, ...]
    filmed: tuple[Photo, ...]
    strangers: tuple[Photo, ...]

    @property
    def photos(self) -> tuple[Photo, ...]:
        """All photos: enrolled, filmed, strangers."""
        return (*self.enrolled, *self.filmed, *self.strangers)


def cast_photos(photos: Sequence[Photo], most: int) -> CastPhotos:
    """Enroll the first photo of people with several, film their second one, and those of people with a single one.

    At most `most` people of each kind are taken, spread evenly over their names. Raises EvaluationInvalid if nobody has
    two photos.
    """
    by_person: dict[str, list[Photo]] = {}
    for each in photos:
        by_person.setdefault(each.person, []).append(each)
    several = _spread([own for own in by_person.values() if len(own) > 1], most)
    if not several:
        raise EvaluationInvalid("tracks need people with two photos or more: one to enroll, one to film")
    single = _spread([own for own in by_person.values() if len(own) == 1], most)
    return CastPhotos(
        tuple(own[0] for own in several), tuple(own[1] for own in several), tuple(own[0] for own in single)
    )


def film(cast: CastPhotos, embedded: EmbeddedPhotos, frames: int) -> list[SimulatedFrame]:
    """Return the frames of all tracks, `frames` for each filmed photo with a face; `embedded` are the cast's photos."""
    start = len(cast.enrolled)
    return [
        frame
        for place in range(start, len(embedded.photos))
        if place not in embedded.failures
        for frame in frames_of(embedded.photos[place], _box(embedded, place), frames)
    ]


def _box(embedded: EmbeddedPhotos, place: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = embedded.boxes[place].tolist()
    return left, top, right, bottom


def _spread(people: Sequence[list[Photo]], most: int) -> list[list[Photo]]:
    places = np.unique(np.linspace(0, len(people) - 1, min(most, len(people))).round().astype(np.intp))
    return [people[place] for place in places]
