"""Versions of a collection's adaptive calibration: which applies, when another is due, and the next one. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.gallery.store.calibration_state import CalibrationVersion, ProbeSums
from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.adaptation import LEAST_PEOPLE, adapted, aims, moves, step
from app.recognition.decisions.calibration.error_rates import Calibration, RateCurve, rate_for_chance
from app.types import ImpostorMoments

_LEAST_MOVE: Final = 0.002
"""A calibration that would move thresholds by less (in similarity) stays as it is."""
_SETTLED: Final = 0.01
"""After a larger move the collection is examined again: the threshold for people enrolled twice has moved, too."""
_LEAST_CHANGE: Final = 0.1
"""The share of the people, or of the probes' weight, that must be new before a collection is examined again."""
_LEAST_PROBES: Final = 20
_LOOK_ALIKE_CHANCE: Final = 0.01
"""The chance of a stranger to be taken for one person of the gallery by accident; see `look_alike_threshold`."""


@dataclass(frozen=True, slots=True)
class ExaminedState:
    """The state of a collection when its moments were last computed.

    It counts only as long as the fitted calibration with the moments `base` and the collection's version are the same.
    """

    base: ImpostorMoments | None
    version: int
    identities: int
    revision: int
    probes: int

    @classmethod
    def of(cls, collection: Collection, base: Calibration, probes: ProbeSums) -> "ExaminedState":
        """Return the state of a collection."""
        return cls(
            base.moments, collection.calibration_version, collection.identities, collection.revision, probes.probes
        )


def applicable(collection: Collection, base: Calibration) -> CalibrationVersion | None:
    """Return the version of a collection that adapts `base`, if it has one."""
    version = collection.calibration
    return version if version is not None and version.base == base.moments else None


def curves(collection: Collection, base: Calibration, *, is_on: bool = True) -> tuple[RateCurve, RateCurve]:
    """Return the curves of a collection: for pairs of its gallery, and for probes against its gallery.

    Both are `base` unless adaptation `is_on` for the service and for the collection.
    """
    version = applicable(collection, base) if is_on and collection.settings.is_adaptive else None
    if version is None:
        return base, base
    people = round(version.gallery.count)
    if not people and version.is_converged:
        return base, base
    return adapted(base, version.gallery, people=people), adapted(base, version.probes, people=people)


def look_alike_threshold(curve: RateCurve, people: int) -> float:
    """Return the similarity from which two people of a gallery count as one person who was enrolled twice."""
    return curve.threshold(rate_for_chance(_LOOK_ALIKE_CHANCE, people))


def is_due(collection: Collection, base: Calibration, probes: ProbeSums, examined: ExaminedState | None) -> bool:
    """Return whether a collection's moments may have changed since they were computed.

    `examined` is this process's last look at it; without one, its last version counts.
    """
    version = applicable(collection, base)
    if examined is None or (examined.base, examined.version) != (base.moments, collection.calibration_version):
        if version is None:
            return collection.identities >= LEAST_PEOPLE
        if not version.is_converged:
            return True
        seen = version.identities, version.revision, version.probes_so_far
    else:
        seen = examined.identities, examined.revision, examined.probes
    identities, revision, seen_probes = seen
    least = max(_LEAST_CHANGE * min(collection.identities, identities), 1)
    is_gallery_new = abs(collection.identities - identities) >= least or collection.revision - revision >= least
    new_probes = probes.probes - seen_probes
    return is_gallery_new or new_probes >= max(_LEAST_CHANGE * probes.weight, _LEAST_PROBES)


def next_version(
    collection: Collection,
    base: Calibration,
    gallery: ImpostorMoments | None,
    probes: ProbeSums,
    *,
    now: datetime,
) -> CalibrationVersion | None:
    """Return the version that follows from what was seen of a collection; None if nothing would move noticeably.

    Args:
        collection: The collection with its current version.
        base: The fitted calibration.
        gallery: The moments of its people's similarities; None if they are too few.
        probes: The sums over its probes.
        now: The time of the version.
    """
    if base.moments is None:
        return None
    version = applicable(collection, base)
    in_use = (base.moments, base.moments) if version is None else (version.gallery, version.probes)
    aimed = aims(base.moments, gallery, probes.moments)
    steps = [step(base, used, aim) for used, aim in zip(in_use, aimed, strict=True)]
    largest = max(max(moves(base, used, taken.moments)) for used, taken in zip(in_use, steps, strict=True))
    is_wanted = aimed[0].count > 0 if version is None else not version.is_converged
    if largest < _LEAST_MOVE and not is_wanted:
        return None
    return CalibrationVersion(
        version=collection.calibration_version + 1,
        at=now,
        base=base.moments,
        gallery=steps[0].moments,
        probes=steps[1].moments,
        is_converged=all(each.is_converged for each in steps) and largest < _SETTLED,
        seen_gallery=gallery,
        seen_probes=probes.moments,
        identities=collection.identities,
        revision=collection.revision,
        probes_so_far=probes.probes,
    )
