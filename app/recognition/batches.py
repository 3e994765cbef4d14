"""Several photos in one request, each answered for itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import PhotoRefused

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PhotoOutcome(Generic[Result]):
    """The result of one photo by its place in the request, or the error of a photo that cannot be used."""

    photo: int
    result: Result | None = None
    refusal: PhotoRefused | None = None


def each_photo(photos: Sequence[bytes | PhotoRefused], work: Callable[[bytes], Result]) -> list[PhotoOutcome[Result]]:
    """Return the outcomes of photos in their order, one worked on after another; other errors are raised."""
    return [_outcome(place, photo, work) for place, photo in enumerate(photos)]


def _outcome(place: int, photo: bytes | PhotoRefused, work: Callable[[bytes], Result]) -> PhotoOutcome[Result]:
    if isinstance(photo, PhotoRefused):
        return PhotoOutcome(place, refusal=photo)
    try:
        return PhotoOutcome(place, work(photo))
    except PhotoRefused as refusal:
        return PhotoOutcome(place, refusal=refusal)
