"""Error rates of each threshold for the current state of a collection. Pure."""

from dataclasses import dataclass
from typing import Final

from app.gallery.store.values import Collection
from app.recognition.decisions.calibration.adaptation import STATED_FMR
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.policy import Policy, Rule
from app.recognition.decisions.reference_population import ReferencePopulation, reference_population
from app.recognition.decisions.stated_rates import StatedRate

_STEP: Final = 0.01
_LOWEST: Final = -0.2  # below it nearly everybody matches, with any network


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Error rates of a threshold at `similarity`: for impostor pairs, and for strangers in the gallery.

    `fitted_fmr` and `fitted_fpir` are those before adaptation, None if the collection has none.
    """

    similarity: float
    fmr: StatedRate
    fpir: StatedRate
    fitted_fmr: float | None = None
    fitted_fpir: float | None = None


@dataclass(frozen=True, slots=True)
class CurveMove:
    """The move of a curve by adaptation: it was shifted by `shift` and stretched by the factor `stretch`.

    The two thresholds are those at FMR 1e-4. `probes` is the number of probes that the collection has learned from. If
    not `is_converged`, the next version moves it further.
    """

    probes: int
    shift: float
    stretch: float
    threshold_before: float
    threshold_after: float
    is_converged: bool


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Error rates of a collection for probes against its gallery, and its default rules.

    There are no points without a calibration. A calibration cannot predict the miss rate (FNMR), because it is fitted
    on pairs of different people.
    """

    points: list[CurvePoint]
    identification: Rule
    verification: Rule
    population: ReferencePopulation | None = None
    move: CurveMove | None = None


def curve_of(collection: Collection, policy: Policy, fitted: Policy) -> ThresholdCurve:
    """Return the curve of a collection, from similarity -0.2 to 1; `fitted` is its policy before adaptation."""
    comparisons = comparisons_among(collection.identities, collection.faces)
    of_probes = policy.for_probes()
    is_adapted = of_probes.calibration is not None and of_probes.calibration.is_adapted
    similarities = [round(_LOWEST + step * _STEP, 2) for step in range(round((1 - _LOWEST) / _STEP) + 1)]
    points = [
        CurvePoint(
            each,
            of_probes.fmr(each),
            of_probes.fpir(each, comparisons),
            fitted.fmr(each).value if is_adapted else None,
            fitted.fpir(each, comparisons).value if is_adapted else None,
        )
        for each in (similarities if policy.calibration is not None else [])
    ]
    return ThresholdCurve(
        points,
        of_probes.for_identification(comparisons),
        policy.for_verification(),
        reference_population(of_probes, collection),
        _move(collection, of_probes, fitted) if is_adapted else None,
    )


def _move(collection: Collection, adapted: Policy, fitted: Policy) -> CurveMove | None:
    version, before, after = collection.calibration, fitted.calibration, adapted.calibration
    if version is None or before is None or after is None:
        return None
    return CurveMove(
        version.probes_so_far,
        version.probes.mean - version.base.mean,
        version.probes.deviation / version.base.deviation,
        before.threshold(STATED_FMR),
        after.threshold(STATED_FMR),
        version.is_converged,
    )
