"""The people on whom the error rates of an answer were measured. Pure."""

from dataclasses import dataclass
from datetime import datetime

from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.similar_impostors import SimilarImpostorCurve
from app.recognition.decisions.policy import Policy
from app.types import Impostors


@dataclass(frozen=True, slots=True)
class AdaptedTo:
    """The collection's own people, to whom a calibration was adapted: their number, and the version with its time."""

    version: int
    people: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ReferencePopulation:
    """Origin of error rates: `people` of a `source` were compared. The rates are about these `impostors`."""

    source: str
    people: int
    adapted: AdaptedTo | None
    impostors: Impostors


def reference_population(policy: Policy, collection: Collection) -> ReferencePopulation | None:
    """Return the people behind the rates of a policy, which is the collection's; None without a calibration."""
    curve = policy.calibration
    if curve is None:
        return None
    version = collection.calibration if curve.is_adapted else None
    adapted = None if version is None else AdaptedTo(version.version, curve.people, version.at)
    impostors = Impostors.SIMILAR if isinstance(curve, SimilarImpostorCurve) else Impostors.ANY
    return ReferencePopulation(curve.origin.source, curve.origin.people, adapted, impostors)
