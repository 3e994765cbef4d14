"""Covered mouths and eyes, from the quality components that see them. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from app.vision.quality import Component, Components
from app.vision.quality.signs import probability_covered


class Covering(StrEnum):
    """Whether something covers a part of the face."""

    COVERED = "covered"
    VISIBLE = "visible"


@dataclass(frozen=True, slots=True)
class CoveringEstimate:
    """The more probable state, and its probability (0.5..1)."""

    value: Covering
    confidence: float


def covering(components: Components, component: Component) -> CoveringEstimate | None:
    """Return whether a part of the face is covered; None if its component was not measured."""
    value = components.get(component)
    if value is None:
        return None
    covered = probability_covered(value)
    if covered > 0.5:
        return CoveringEstimate(Covering.COVERED, covered)
    return CoveringEstimate(Covering.VISIBLE, 1 - covered)
