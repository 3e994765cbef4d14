"""Evaluation of presentation attack detection: rates at thresholds, separation, and what chance explains. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import REPLICATES, Estimate, estimates
from app.evaluation.curves import RocCurve
from app.evaluation.liveness.attack_rates import (
    LivenessScores,
    choose_thresholds,
    rates_at,
    separation,
)
from app.evaluation.liveness.error_bounds import ErrorCount, ErrorRate
from app.evaluation.liveness.presentations import Presentations
from app.evaluation.values import Advance, Doubles, Ints
from app.recognition.liveness.thresholds import LivenessThresholds


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """How many photos got each verdict, and how many no answer, as they show no usable face."""

    live: int
    uncertain: int
    attack: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class PresentationRates:
    """The rates of live presentations (`error` is BPCER, `no_answer` BPNRR) or of a species (APCER, APNRR).

    `auc` compares a species with the live presentations; it is None for too few photos.
    """

    name: str
    verdicts: VerdictCounts
    error: ErrorRate
    no_answer: ErrorRate
    auc: Estimate | None = None


@dataclass(frozen=True, slots=True)
class LivenessEvaluation:
    """Result on live presentations and species of attacks that are all real, or all simulated.

    `worst` is the name of the species with the highest APCER of those with a figure, None without one. `estimates`
    are the `figures` of all species with a figure; `curve` has their highest APCER as FAR and 1 - BPCER as TAR.
    """

    thresholds: LivenessThresholds
    live: PresentationRates
    species: tuple[PresentationRates, ...]
    worst: str | None
    estimates: dict[str, Estimate]
    curve: RocCurve | None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rates that thresholds must keep; None for one that does not matter."""

    max_bpcer: float | None = None
    max_apcer: float | None = None


def evaluate_liveness(
    live: Presentations,
    species: Sequence[Presentations],
    thresholds: LivenessThresholds | RateLimits,
    *,
    replicates: int = REPLICATES,
    advance: Advance = lambda _: None,
) -> LivenessEvaluation:
    """Evaluate attacks by species; one without any usable face only has its APNRR.

    `thresholds` are those of the verdicts, or the rates for which they are chosen on these photos. The bootstrap
    draws people. Raises EvaluationInvalid if no live photo, or no attack, shows a usable face.
    """
    answered = [each for each in species if each.is_answered.any()]
    _require_answers(live, answered)
    scores = LivenessScores(live, answered)
    counted = _with_figure(scores)
    used = counted if counted.size else np.arange(len(answered))
    curves = scores.curves(np.ones(scores.people))
    if isinstance(thresholds, RateLimits):
        limits = thresholds
        thresholds = choose_thresholds(curves, used, max_bpcer=limits.max_bpcer, max_apcer=limits.max_apcer)

    def figures(multiplicities: Doubles) -> dict[str, float]:
        resampled = scores.curves(multiplicities)
        return rates_at(resampled, thresholds, used) | separation(resampled, used)

    found = estimates(figures, people=scores.people, replicates=replicates, advance=advance)
    numbers = {each.name: number for number, each in enumerate(answered)}
    by_species = tuple(_species_rates(each, thresholds, numbers.get(each.name), found) for each in species)
    worst = max(counted.tolist(), key=lambda number: found[f"apcer:{number}"].value, default=None)
    return LivenessEvaluation(
        thresholds,
        _live_rates(live, thresholds, found["bpcer"]),
        by_species,
        None if worst is None else answered[worst].name,
        found,
        curves.worst(counted) if counted.size else None,
    )


def _require_answers(live: Presentations, answered: Sequence[Presentations]) -> None:
    if not live.is_answered.any() or not answered:
        kind = "attacks" if live.is_answered.any() else "live people"
        raise EvaluationInvalid(f"none of the photos of {kind} shows a face that can be judged")


def _with_figure(scores: LivenessScores) -> Ints:
    """Return the numbers of the species with enough photos and people for a figure."""
    counts = [ErrorCount.of(np.zeros(len(each.people), np.bool_), each.people) for each in scores.species]
    return np.flatnonzero([count.has_figure for count in counts])


def _live_rates(live: Presentations, thresholds: LivenessThresholds, bpcer: Estimate) -> PresentationRates:
    answered = live.only(live.is_answered)
    count = ErrorCount.of(answered.scores < thresholds.attack_below, answered.people)
    return PresentationRates(live.name, _verdicts(live, thresholds), ErrorRate.of(count, bpcer), _no_answer(live))


def _species_rates(
    attacks: Presentations, thresholds: LivenessThresholds, number: int | None, found: dict[str, Estimate]
) -> PresentationRates:
    answered = attacks.only(attacks.is_answered)
    count = ErrorCount.of(answered.scores >= thresholds.live_from, answered.people)
    rate = ErrorRate(count, None) if number is None else ErrorRate.of(count, found[f"apcer:{number}"])
    auc = None if rate.estimate is None else found[f"auc:{number}"]
    return PresentationRates(attacks.name, _verdicts(attacks, thresholds), rate, _no_answer(attacks), auc)


def _no_answer(photos: Presentations) -> ErrorRate:
    """Return the rate of non-responses; only the bounds give it an interval."""
    count = ErrorCount.of(~photos.is_answered, photos.people)
    return ErrorRate.of(count, Estimate(count.errors / count.photos, None))


def _verdicts(photos: Presentations, thresholds: LivenessThresholds) -> VerdictCounts:
    scores = photos.scores[photos.is_answered]
    live, attack = int((scores >= thresholds.live_from).sum()), int((scores < thresholds.attack_below).sum())
    return VerdictCounts(live, len(scores) - live - attack, attack, len(photos.scores) - len(scores))
