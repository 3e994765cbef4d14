"""Verification: accuracy over folds, ROC, EER, AUC and TAR at FAR for given pairs. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import REPLICATES, Estimate, Figures, estimates, pair_weights
from app.evaluation.calibration_check import PromisedRate, observed_rates, promised_fmrs
from app.evaluation.curves import FARS, Comparisons, RocCurve, auc, eer, label, tar_at
from app.evaluation.discard import fnmr_of, pair_quality, supported_far
from app.evaluation.values import Advance, Bools, Doubles, EmbeddedPhotos, Ints, Pairs
from app.recognition.decisions.calibration.error_rates import Calibration

ACCEPT_ALL, REJECT_ALL = -2.0, 2.0  # beyond the range of cosines


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Accuracy of each fold, and the threshold chosen on the other folds."""

    accuracies: Doubles
    thresholds: Doubles

    @property
    def mean(self) -> float:
        """Return the mean over the folds with a positive weight."""
        finite = self.accuracies[np.isfinite(self.accuracies)]
        return float(finite.mean()) if finite.size else float("nan")


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """Result for given pairs. `similarities` (n,) are NaN for pairs without two faces."""

    similarities: Doubles
    folds: CrossValidation
    curve: RocCurve
    estimates: dict[str, Estimate]
    promises: tuple[PromisedRate, ...] = ()


def similarities_of(embedded: EmbeddedPhotos, places: Ints) -> Doubles:
    """Return the cosines of pairs (n, 2) of photos in double precision; NaN without two faces."""
    units = embedded.vectors
    cosines: Doubles = np.einsum("nd,nd->n", units[places[:, 0]], units[places[:, 1]])
    return cosines


def cross_validate(similarities: Doubles, is_same: Bools, folds: Ints, weights: Doubles) -> CrossValidation:
    """Evaluate each fold with the threshold that is most accurate on the other folds; NaN counts as an error.

    Candidate thresholds are the midpoints between adjacent distinct similarities of the other folds, and one beyond
    each end. Ties go to the lowest threshold.
    """
    order = np.argsort(similarities, kind="stable")  # NaN last
    similarities, is_same, folds, weights = similarities[order], is_same[order], folds[order], weights[order]
    is_compared = np.isfinite(similarities)
    numbers = np.unique(folds)
    thresholds, accuracies = np.empty(len(numbers)), np.empty(len(numbers))
    for index, number in enumerate(numbers):
        is_in_fold, is_other = folds == number, (folds != number) & is_compared & (weights > 0)
        thresholds[index] = _best_threshold(similarities[is_other], is_same[is_other], weights[is_other])
        is_right = ((similarities >= thresholds[index]) == is_same) & is_compared
        total = weights[is_in_fold].sum()
        accuracies[index] = weights[is_in_fold & is_right].sum() / total if total > 0 else np.nan
    return CrossValidation(accuracies, thresholds)


def _best_threshold(ascending: Doubles, is_same: Bools, weights: Doubles) -> float:
    """Return the lowest of the most accurate thresholds."""
    gains = np.append(0, np.cumsum(np.where(is_same, -weights, weights)))  # of rejecting the k lowest similarities
    is_distinct = np.append(True, np.append(np.diff(ascending) > 0, True)[: len(ascending)])
    rejected = int(np.argmax(np.where(is_distinct, gains, -np.inf)))
    if rejected == 0:
        return ACCEPT_ALL
    if rejected == len(ascending):
        return REJECT_ALL
    return float(ascending[rejected - 1] + ascending[rejected]) / 2


def verify(
    pairs: Pairs,
    embedded: EmbeddedPhotos,
    *,
    calibration: Calibration | None = None,
    replicates: int = REPLICATES,
    advance: Advance = lambda _: None,
) -> VerificationResult:
    """Evaluate pairs; `embedded` contains their photos in the same order."""
    promises = promised_fmrs(calibration)
    similarities = similarities_of(embedded, pairs.places)
    is_compared = np.isfinite(similarities)
    # Without two faces, a genuine pair counts as rejected at every threshold; an impostor pair is ignored.
    genuine, impostor = pairs.is_same, ~pairs.is_same & is_compared
    comparisons = Comparisons(np.where(is_compared, similarities, -np.inf)[genuine], similarities[impostor])
    first, second = embedded.people[pairs.places].T
    quality = pair_quality(*embedded.quality[pairs.places[genuine]].T)
    fnmr = fnmr_of(similarities[genuine], quality, supported_far(int(impostor.sum())))
    failure_rate = failure_rate_of(embedded)

    def evaluate(weights: Doubles) -> tuple[CrossValidation, RocCurve]:
        folds = cross_validate(similarities, pairs.is_same, pairs.folds, weights)
        return folds, comparisons.curve(weights[genuine], weights[impostor])

    def figures(multiplicities: Doubles) -> Figures:
        weights = pair_weights(multiplicities, first, second)
        folds, curve = evaluate(weights)
        rates = {"accuracy": folds.mean, "failures_to_enroll_rate": failure_rate(multiplicities)}
        return {**rates, **figures_of(curve), **observed_rates(curve, promises), **fnmr(curve, weights[genuine])}

    count = int(embedded.people.max()) + 1
    figures_with_intervals = estimates(figures, people=count, replicates=replicates, advance=advance)
    return VerificationResult(similarities, *evaluate(np.ones(len(similarities))), figures_with_intervals, promises)


def figures_of(curve: RocCurve) -> dict[str, float]:
    """Return EER, AUC and TAR at each FAR, by their names in a report."""
    return {"eer": eer(curve), "auc": auc(curve)} | {f"tar@{label(far)}": tar_at(curve, far) for far in FARS}


def failure_rate_of(embedded: EmbeddedPhotos) -> Callable[[Doubles], float]:
    """Return a function: multiplicities of the people -> share of photos without a face."""
    people, is_failure = embedded.people, ~embedded.has_face

    def rate(multiplicities: Doubles) -> float:
        weights = multiplicities[people]
        return float(weights[is_failure].sum() / weights.sum())

    return rate
