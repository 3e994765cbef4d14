"""APCER by species of attack and BPCER, at all thresholds and for any weights of the people. Pure.

ISO/IEC 30107-3: APCER is the share of attacks of a species that are taken for live, and the worst species counts. BPCER
is the share of live presentations that are taken for attacks. Photos without a usable face are in neither; they are the
non-responses, APNRR and BPNRR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.curves import Comparisons, RocCurve, auc, eer, threshold_at
from app.evaluation.liveness.presentations import Presentations
from app.evaluation.values import Doubles, Ints, number_names
from app.recognition.liveness.thresholds import LivenessThresholds

RATES = (0.01, 0.05, 0.10)
"""Rates at which the other one is reported: BPCER100, BPCER20 and BPCER10 are those at APCER 1 %, 5 % and 10 %."""

_ROUNDING = 1e-9  # relative tolerance: 3 of 60 is a rate of 0.05


@dataclass(frozen=True, slots=True)
class LivenessCurves:
    """Rates at the ascending `thresholds` (m,): `bpcer` (m,), `apcer` of each species (k, m) and of all (m,)."""

    thresholds: Doubles
    bpcer: Doubles
    apcer: Doubles
    pooled: Doubles

    def worst(self, counted: Ints) -> RocCurve:
        """Return the curve of the species that is worst at each threshold, of those that are counted (c,)."""
        return RocCurve(self.thresholds, np.fmax.reduce(self.apcer[counted], axis=0), 1 - self.bpcer)

    def at(self, threshold: float) -> int:
        """Return the index of the rates at a threshold."""
        index = int(np.searchsorted(self.thresholds, threshold, "left"))
        return min(index, len(self.thresholds) - 1)


class LivenessScores:
    """Scores of live presentations and of attacks, or none; only those with a usable face."""

    def __init__(self, live: Presentations, species: Sequence[Presentations]) -> None:
        self.live = live.only(live.is_answered)
        self.species = tuple(each.only(each.is_answered) for each in species)
        names = [name for each in (self.live, *self.species) for name in each.people]
        numbers = number_names(names)
        self._live_people, self._attack_people = np.split(numbers, [len(self.live.people)])
        sizes = [len(each.people) for each in self.species]
        self._species = np.repeat(np.arange(len(sizes)), sizes)
        self._comparisons = Comparisons(
            self.live.scores, np.concatenate([np.empty(0), *(each.scores for each in self.species)])
        )
        self.people = len(set(names))

    def curves(self, multiplicities: Doubles) -> LivenessCurves:
        """Return the rates if each person (people,) counts so often; NaN for a species without weight."""
        of_live, of_attacks = multiplicities[self._live_people], multiplicities[self._attack_people]
        pooled = self._comparisons.curve(of_live, of_attacks)
        by_species = [
            self._comparisons.curve(of_live, of_attacks * (self._species == number)).far
            for number in range(len(self.species))
        ]
        apcer = np.array(by_species).reshape(len(self.species), len(pooled.thresholds))
        return LivenessCurves(pooled.thresholds, 1 - pooled.tar, apcer, pooled.far)


def rates_at(curves: LivenessCurves, thresholds: LivenessThresholds, counted: Ints) -> dict[str, float]:
    """Return `apcer:K` of each species K, `apcer` of the worst counted one, `bpcer`, and their mean `acer`.

    An attack is an error from `live_from` on, a live presentation below `attack_below`.
    """
    apcer, bpcer = curves.apcer[:, curves.at(thresholds.live_from)], curves.bpcer[curves.at(thresholds.attack_below)]
    worst = float(np.fmax.reduce(apcer[counted])) if counted.size else float("nan")
    by_species = {f"apcer:{number}": float(rate) for number, rate in enumerate(apcer)}
    return {**by_species, "apcer": worst, "bpcer": float(bpcer), "acer": (worst + float(bpcer)) / 2}


def separation(curves: LivenessCurves, counted: Ints) -> dict[str, float]:
    """Return the figures that need no threshold: AUC, by species too, EER, and each rate at fixed ones of the other."""
    worst = curves.worst(counted)
    figures = {"auc": auc(RocCurve(curves.thresholds, curves.pooled, worst.tar)), "eer": eer(worst)}
    for number, of_species in enumerate(curves.apcer):
        figures[f"auc:{number}"] = auc(RocCurve(curves.thresholds, of_species, worst.tar))
    for rate in RATES:
        figures[f"bpcer@{rate}"] = float(1 - worst.tar[threshold_at(worst, rate)])
        figures[f"apcer@{rate}"] = float(worst.far[_highest(curves.bpcer, rate)])
    return figures


def choose_thresholds(
    curves: LivenessCurves, counted: Ints, *, max_bpcer: float | None, max_apcer: float | None
) -> LivenessThresholds:
    """Return the thresholds that keep these rates on these photos; at least one must be given.

    If only one rate is given, both thresholds are equal, and no score is uncertain. If both are given and some
    thresholds keep both, the middle of their range is both thresholds. Otherwise `live_from` is the lowest threshold
    that keeps APCER, `attack_below` the highest that keeps BPCER, and scores between them are uncertain.
    """
    by_bpcer = None if max_bpcer is None else float(curves.thresholds[_highest(curves.bpcer, max_bpcer)])
    by_apcer = None if max_apcer is None else _lowest(curves, counted, max_apcer)
    if by_bpcer is None or by_apcer is None:
        only = by_bpcer if by_apcer is None else by_apcer
        if only is None:
            raise ValueError("max_bpcer or max_apcer is needed")
        return LivenessThresholds(only, only)
    if by_apcer <= by_bpcer:
        middle = (by_apcer + by_bpcer) / 2
        return LivenessThresholds(middle, middle)
    return LivenessThresholds(by_apcer, by_bpcer)


def _highest(bpcer: Doubles, rate: float) -> int:
    """Return the index of the highest threshold with a BPCER of at most `rate`."""
    return max(int(np.count_nonzero(bpcer <= rate * (1 + _ROUNDING))) - 1, 0)


def _lowest(curves: LivenessCurves, counted: Ints, rate: float) -> float:
    """Return the lowest threshold, at most 1, with an APCER of at most `rate`."""
    worst = curves.worst(counted)
    return min(float(worst.thresholds[threshold_at(worst, rate)]), 1.0)
