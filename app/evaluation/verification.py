"""1:1: accuracy over folds, ROC, EER, AUC and TAR at FAR for given pairs. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import REPLICATES, Estimate, Figures, estimates, pair_weights
from app.evaluation.curves import FARS, Comparisons, Curve, auc, eer, label, tar_at
from app.evaluation.discard import far_of, fnmr_of, poorer
from app.evaluation.values import Advance, Bools, Doubles, Embedded, Ints, Pairs, unit

ACCEPT_ALL, REJECT_ALL = -2.0, 2.0  # beyond every cosine


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """For each fold its accuracy, and the threshold that the other folds chose."""

    accuracies: Doubles
    thresholds: Doubles

    @property
    def mean(self) -> float:
        """Return the mean over the folds that weigh anything."""
        known = self.accuracies[np.isfinite(self.accuracies)]
        return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True, slots=True)
class Verified:
    """What the pairs gave. `similarities` (n,) are NaN where a face was not found."""

    similarities: Doubles
    folds: CrossValidated
    curve: Curve
    estimates: dict[str, Estimate]


def similarities_of(embedded: Embedded, places: Ints) -> Doubles:
    """Return the cosines of pairs (n, 2) of photos, in double precision; NaN where a face was not found."""
    units = unit(embedded.embeddings)
    cosines: Doubles = np.einsum("nd,nd->n", units[places[:, 0]], units[places[:, 1]])
    return cosines


def cross_validated(similarities: Doubles, is_same: Bools, folds: Ints, weights: Doubles) -> CrossValidated:
    """Decide each fold with the threshold that decides most pairs of the others rightly; NaN is decided wrongly.

    Candidates are the midpoints between neighbouring distinct similarities of the other folds, and beyond both ends;
    of equally good ones the lowest is taken.
    """
    order = np.argsort(similarities, kind="stable")  # NaN last
    similarities, is_same, folds, weights = similarities[order], is_same[order], folds[order], weights[order]
    is_found = np.isfinite(similarities)
    numbers = np.unique(folds)
    thresholds, accuracies = np.empty(len(numbers)), np.empty(len(numbers))
    for place, number in enumerate(numbers):
        mine, rest = folds == number, (folds != number) & is_found & (weights > 0)
        thresholds[place] = _best_threshold(similarities[rest], is_same[rest], weights[rest])
        is_right = ((similarities >= thresholds[place]) == is_same) & is_found
        total = weights[mine].sum()
        accuracies[place] = weights[mine & is_right].sum() / total if total > 0 else np.nan
    return CrossValidated(accuracies, thresholds)


def _best_threshold(ascending: Doubles, is_same: Bools, weights: Doubles) -> float:
    """Return the lowest of the thresholds that are right for most."""
    gains = np.append(0, np.cumsum(np.where(is_same, -weights, weights)))  # of rejecting the k lowest
    is_distinct = np.append(True, np.append(np.diff(ascending) > 0, True)[: len(ascending)])
    rejected = int(np.argmax(np.where(is_distinct, gains, -np.inf)))
    if rejected == 0:
        return ACCEPT_ALL
    if rejected == len(ascending):
        return REJECT_ALL
    return float(ascending[rejected - 1] + ascending[rejected]) / 2


def verify(
    pairs: Pairs, embedded: Embedded, *, replicates: int = REPLICATES, advance: Advance = lambda _: None
) -> Verified:
    """Evaluate the pairs; `embedded` holds their photos in the same order."""
    similarities = similarities_of(embedded, pairs.places)
    is_found = np.isfinite(similarities)
    # A genuine comparison that could not be made is rejected at every threshold, an impostor's proves nothing.
    genuine, impostor = pairs.is_same, ~pairs.is_same & is_found
    comparisons = Comparisons(np.where(is_found, similarities, -np.inf)[genuine], similarities[impostor])
    first, second = embedded.people[pairs.places].T
    quality = poorer(*embedded.quality[pairs.places[genuine]].T)
    fnmr = fnmr_of(similarities[genuine], quality, far_of(int(impostor.sum())))
    failure_rate = failure_rate_of(embedded)

    def evaluated(weights: Doubles) -> tuple[CrossValidated, Curve]:
        folds = cross_validated(similarities, pairs.is_same, pairs.folds, weights)
        return folds, comparisons.curve(weights[genuine], weights[impostor])

    def figures(drawn: Doubles) -> Figures:
        weights = pair_weights(drawn, first, second)
        folds, curve = evaluated(weights)
        rates = {"accuracy": folds.mean, "failures_to_enroll_rate": failure_rate(drawn)}
        return {**rates, **figures_of(curve), **fnmr(curve, weights[genuine])}

    count = int(embedded.people.max()) + 1
    found = estimates(figures, people=count, replicates=replicates, advance=advance)
    return Verified(similarities, *evaluated(np.ones(len(similarities))), found)


def figures_of(curve: Curve) -> dict[str, float]:
    """Return EER, AUC and TAR at each FAR, by their names in a report."""
    return {"eer": eer(curve), "auc": auc(curve)} | {f"tar@{label(far)}": tar_at(curve, far) for far in FARS}


def failure_rate_of(embedded: Embedded) -> Callable[[Doubles], float]:
    """Return the share of photos without a found face, as a function of the people's multiplicities."""
    people, is_failure = embedded.people, ~embedded.is_found

    def rate(drawn: Doubles) -> float:
        weights = drawn[people]
        return float(weights[is_failure].sum() / weights.sum())

    return rate
