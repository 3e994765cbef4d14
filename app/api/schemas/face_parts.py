"""Parts of a face that a request may leave out of its answer."""

from dataclasses import dataclass
from typing import Protocol, Self


class HasFaceParts(Protocol):
    """A request whose answer has faces."""

    @property
    def landmarks(self) -> bool:
        """Whether faces have their landmarks."""

    @property
    def components(self) -> bool:
        """Whether the quality of faces has its components."""


@dataclass(frozen=True, slots=True)
class FaceParts:
    """Which parts of a face an answer has."""

    has_landmarks: bool = True
    has_components: bool = True

    @classmethod
    def of(cls, request: HasFaceParts) -> Self:
        """Return the parts that a request asks for."""
        return cls(request.landmarks, request.components)


ALL_PARTS = FaceParts()
