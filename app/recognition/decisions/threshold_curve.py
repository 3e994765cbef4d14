"""What each threshold would mean: similarities with their error rates, for one collection as it is now. Pure."""

from dataclasses import dataclass
from typing import Final

from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.error_rates import comparisons_among
from app.recognition.decisions.policy import Policy, Rule

_STEP: Final = 0.01
_LOWEST: Final = -0.2  # below it every rate is 1, with any network


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a threshold at `similarity` would let through: of pairs of different people, of strangers in the gallery."""

    similarity: float
    fmr: float
    fpir: float


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """The error rates of a collection, and the rules that decide in it where a request says nothing.

    No points while the network is not calibrated. Which of one's own people are missed (FNMR) no calibration knows: it
    is made of different people only.
    """

    points: list[CurvePoint]
    identification: Rule
    verification: Rule


def curve_of(collection: Collection, policy: Policy) -> ThresholdCurve:
    """Return the curve of a collection, from similarity -0.2 to 1."""
    comparisons = comparisons_among(collection.identities, collection.faces)
    similarities = [round(_LOWEST + step * _STEP, 2) for step in range(round((1 - _LOWEST) / _STEP) + 1)]
    points = [
        CurvePoint(each, fmr, fpir)
        for each in similarities
        if (fmr := policy.fmr(each)) is not None and (fpir := policy.fpir(each, comparisons)) is not None
    ]
    return ThresholdCurve(points, policy.for_identification(comparisons), policy.for_verification())
