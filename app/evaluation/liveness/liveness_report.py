"""Content of the report on presentation attack detection, with real and simulated attacks apart. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from app.evaluation.bootstrap import Estimate
from app.evaluation.curves import RocCurve
from app.evaluation.liveness.attack_rates import RATES
from app.evaluation.liveness.error_bounds import ErrorRate, least_people
from app.evaluation.liveness.liveness_evaluation import LivenessEvaluation, PresentationRates, RateLimits
from app.evaluation.report import Report

SIMULATED = "simulated attacks: they test that the parts work together, and do not measure security"
_DET_POINTS = 60


def of_liveness(
    real: LivenessEvaluation | None, simulated: LivenessEvaluation | None, limits: RateLimits | None
) -> Report:
    """Return the report; `limits` are the rates for which thresholds were chosen on these photos, if they were."""
    return {
        "real": None if real is None else _evaluated(real, limits),
        "simulated": None if simulated is None else {"note": SIMULATED, **_evaluated(simulated, limits)},
    }


def rate_content(rate: ErrorRate) -> Report:
    """Return a rate: its figure and interval, or only `at_most` for too few photos."""
    count, estimate = rate.count, rate.estimate
    return {
        "rate": None if estimate is None else estimate.value,
        "interval": None if estimate is None else estimate.interval,
        "at_most": count.at_most if estimate is None else None,
        "errors": count.errors,
        "photos": count.photos,
        "people": count.people,
    }


def _evaluated(result: LivenessEvaluation, limits: RateLimits | None) -> Report:
    bpcer, thresholds = result.live.error, result.thresholds
    return {
        "thresholds": {
            "live_from": thresholds.live_from,
            "attack_below": thresholds.attack_below,
            "origin": thresholds.origin or ("uncalibrated" if limits is None else "these photos"),
            "max_bpcer": None if limits is None else limits.max_bpcer,
            "max_apcer": None if limits is None else limits.max_apcer,
        },
        "live": {"bpcer": rate_content(bpcer), **_answers(result.live, "bpnrr")},
        "attacks": {each.name: _species(each) for each in result.species},
        "worst": result.worst,
        **_figures(result),
        "det": [] if result.curve is None or bpcer.estimate is None else _det(result.curve),
    }


def _species(rates: PresentationRates) -> Report:
    return {
        "apcer": rate_content(rates.error),
        **_answers(rates, "apnrr"),
        "auc": None if rates.auc is None else _estimate(rates.auc),
    }


def _answers(rates: PresentationRates, non_response: str) -> Report:
    return {"verdicts": asdict(rates.verdicts), non_response: rate_content(rates.no_answer)}


def _figures(result: LivenessEvaluation) -> Report:
    """Return the figures over all species; null unless live people and a species have enough photos."""
    live = result.live.error
    species = [each.error for each in result.species if each.error.estimate is not None]
    has_figures = live.estimate is not None and bool(species)
    attackers = min((each.count.people for each in species), default=0)
    worst = next((each.error for each in result.species if each.name == result.worst), None)
    return {
        "apcer": None if worst is None else rate_content(worst),
        **{name: _estimate(result.estimates[name]) if has_figures else None for name in ("acer", "auc", "eer")},
        "bpcer_at_apcer": _at_fixed("bpcer", result.estimates, attackers if has_figures else 0),
        "apcer_at_bpcer": _at_fixed("apcer", result.estimates, live.count.people if has_figures else 0),
    }


def _at_fixed(name: str, estimates: Mapping[str, Estimate], people: int) -> Report:
    """Return a rate at each fixed value of the other rate; null for values that need more than `people`."""
    return {
        str(rate): _estimate(estimates[f"{name}@{rate}"])
        if people >= least_people(rate)
        else {"rate": None, "interval": None, "note": f"needs {least_people(rate)} people"}
        for rate in RATES
    }


def _estimate(estimate: Estimate) -> Report:
    """Return a figure. If it is the same in all replicates, as no photo was an error, they give no interval."""
    interval = estimate.interval
    is_varied = interval is not None and interval[0] < interval[1]
    return {"rate": estimate.value, "interval": interval if is_varied else None}


def _det(curve: RocCurve) -> Sequence[Sequence[float]]:
    """Return points of the DET: threshold, APCER and BPCER."""
    chosen = np.unique(np.linspace(0, len(curve.thresholds) - 1, _DET_POINTS).astype(np.intp))
    return [(float(curve.thresholds[index]), float(curve.far[index]), float(1 - curve.tar[index])) for index in chosen]
