"""The state of a collection's adaptive calibration, as the database keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from app.types import ImpostorMoments


@dataclass(frozen=True, slots=True)
class CalibrationVersion:
    """One version: what was seen of the collection, and the moments to which its curves are adapted.

    `gallery` and `probes` are the moments in use, for pairs of the gallery and for probes against it. They are on the
    way to the seen ones, since a version moves a threshold only by a step; `is_converged` marks their arrival.

    Args:
        version: 1, 2, 3 ... in each collection.
        base: Moments of the calibration that is adapted; with another one, the version does not apply.
        seen_gallery: Moments of the gallery's own pairs; None if they are too few.
        seen_probes: Moments of the probes; None if none were seen.
        identities: Number of people in the collection.
        revision: Revision of the collection.
        probes_so_far: Number of probes that the collection has learned from.
    """

    version: int
    at: datetime
    base: ImpostorMoments
    gallery: ImpostorMoments
    probes: ImpostorMoments
    is_converged: bool
    seen_gallery: ImpostorMoments | None
    seen_probes: ImpostorMoments | None
    identities: int
    revision: int
    probes_so_far: int


@dataclass(frozen=True, slots=True)
class ProbeSums:
    """Sums over probes: their number, their weight, and the weighted sums of means and of mean squares."""

    probes: int = 0
    weight: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    @property
    def moments(self) -> ImpostorMoments | None:
        """The moments of the similarities of these probes to other people; None without a probe."""
        if not self.probes or self.weight <= 0:
            return None
        mean = self.total / self.weight
        return ImpostorMoments(mean, max(self.squares / self.weight - mean**2, 0.0) ** 0.5, self.weight)


_FORM = TypeAdapter(CalibrationVersion)


def stored(version: CalibrationVersion) -> dict[str, Any]:
    """Return the JSON form of a version."""
    form: dict[str, Any] = _FORM.dump_python(version, mode="json")
    return form


def read(form: Mapping[str, Any] | None) -> CalibrationVersion | None:
    """Return the version of its JSON form."""
    return None if form is None else _FORM.validate_python(form)
