"""Choice of thresholds of liveness on photos of one camera, with the error rates that they have there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import CalibrationTooSmall, EvaluationInvalid
from app.evaluation.bootstrap import REPLICATES, estimates
from app.evaluation.liveness.attack_rates import LivenessScores, choose_thresholds
from app.evaluation.liveness.error_bounds import LEAST_PEOPLE, LEAST_PHOTOS, ErrorCount, ErrorRate, least_people
from app.evaluation.liveness.liveness_evaluation import RateLimits, evaluate_liveness
from app.evaluation.liveness.presentations import SIMULATED_FILE, Presentations
from app.evaluation.values import Ints
from app.observability.counted import counted
from app.recognition.liveness.thresholds import LivenessThresholds

_NOBODY: Ints = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class ChosenThresholds:
    """Thresholds, the BPCER and the APCER of each kind of attack with them, on the photos that they were chosen on."""

    thresholds: LivenessThresholds
    bpcer: ErrorRate
    apcer: Mapping[str, ErrorRate]


def choose_for_camera(
    live: Presentations, species: Sequence[Presentations], limits: RateLimits, *, replicates: int = REPLICATES
) -> ChosenThresholds:
    """Return the thresholds that keep the rates of `limits`; without attacks, only a BPCER can be kept.

    Raises CalibrationTooSmall if too few people show that a rate is kept, and EvaluationInvalid for simulated photos,
    for `max_apcer` without attacks, and if no threshold keeps it.
    """
    _require_real(live, *species)
    if limits.max_bpcer is not None:
        _require_people(live, limits.max_bpcer, "max_bpcer")
    if limits.max_apcer is not None:
        if not species:
            raise EvaluationInvalid("max_apcer needs photos of attacks")
        for each in species:
            _require_people(each, limits.max_apcer, "max_apcer")
    if not species:
        return _by_live_alone(live, limits, replicates)
    result = evaluate_liveness(live, species, limits, replicates=replicates)
    rate = result.estimates["apcer"].value
    if limits.max_apcer is not None and rate > limits.max_apcer:
        raise EvaluationInvalid(f"no threshold keeps max_apcer {limits.max_apcer:g}: attacks reach the highest score")
    return ChosenThresholds(result.thresholds, result.live.error, {each.name: each.error for each in result.species})


def _by_live_alone(live: Presentations, limits: RateLimits, replicates: int) -> ChosenThresholds:
    scores = LivenessScores(live, ())
    curves = scores.curves(np.ones(scores.people))
    thresholds = choose_thresholds(curves, _NOBODY, max_bpcer=limits.max_bpcer, max_apcer=None)
    found = estimates(
        lambda drawn: {"bpcer": float(scores.curves(drawn).bpcer[curves.at(thresholds.attack_below)])},
        people=scores.people,
        replicates=replicates,
    )
    count = ErrorCount.of(scores.live.scores < thresholds.attack_below, scores.live.people)
    return ChosenThresholds(thresholds, ErrorRate.of(count, found["bpcer"]), {})


def _require_real(*photos: Presentations) -> None:
    for each in photos:
        if each.is_simulated:
            raise EvaluationInvalid(
                f"{each.name} is simulated ({SIMULATED_FILE}); calibrate with photos of your camera"
            )


def _require_people(photos: Presentations, rate: float, name: str) -> None:
    """Raise CalibrationTooSmall if fewer people have a usable face than can show a rate."""
    answered = photos.only(photos.is_answered)
    count = ErrorCount.of(np.zeros(len(answered.people), np.bool_), answered.people)
    least = least_people(rate)
    if count.people < least or not count.has_figure:
        raise CalibrationTooSmall(
            f"{photos.name}: {counted(count.people, 'person', 'people')} with a face that can be judged "
            f"({counted(count.photos, 'photo')}); {name} {rate:g} needs {max(least, LEAST_PEOPLE)} people and "
            f"{LEAST_PHOTOS} photos"
        )
