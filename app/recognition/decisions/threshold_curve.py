"""Error rates of each threshold for the current state of a collection. Pure."""

from dataclasses import dataclass
from typing import Final

from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.policy import Policy, Rule
from app.recognition.decisions.stated_rates import StatedRate

_STEP: Final = 0.01
_LOWEST: Final = -0.2  # below it every rate is 1, with any network


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Error rates of a threshold at `similarity`: for impostor pairs, and for strangers in the gallery."""

    similarity: float
    fmr: StatedRate
    fpir: StatedRate


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Error rates of a collection, and its default rules.

    There are no points without a calibration. A calibration cannot predict the miss rate (FNMR), because it is fitted
    on pairs of different people.
    """

    points: list[CurvePoint]
    identification: Rule
    verification: Rule


def curve_of(collection: Collection, policy: Policy) -> ThresholdCurve:
    """Return the curve of a collection, from similarity -0.2 to 1."""
    comparisons = comparisons_among(collection.identities, collection.faces)
    similarities = [round(_LOWEST + step * _STEP, 2) for step in range(round((1 - _LOWEST) / _STEP) + 1)]
    points = [
        CurvePoint(each, policy.fmr(each), policy.fpir(each, comparisons))
        for each in (similarities if policy.calibration is not None else [])
    ]
    return ThresholdCurve(points, policy.for_identification(comparisons), policy.for_verification())
