"""Error rates at all thresholds, and the figures derived from them. Pure.

A comparison is accepted if its similarity is at least the threshold. Comparisons have weights, so the same code
evaluates resampled sets (bootstrap) and histograms.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Doubles

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
MIN_ABOVE = 10  # fewer accepted impostors do not determine a rate (the "rule of 30" is even stricter)
UNSUPPORTED = f"fewer than {MIN_ABOVE} impostor pairs above"
_ROUNDING = 1e-9  # relative tolerance: 3 of 3,000 is a FAR of 1e-3


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Accepted shares of impostor (`far`) and genuine (`tar`) comparisons at the ascending `thresholds`, all (m,)."""

    thresholds: Doubles
    far: Doubles
    tar: Doubles


class Comparisons:
    """Similarities of genuine and impostor comparisons. -inf (no face) is never accepted."""

    def __init__(self, genuine: Doubles, impostor: Doubles) -> None:
        values = np.unique(np.concatenate([genuine, impostor]))
        finite = values[np.isfinite(values)]
        above_all = np.nextafter(finite[-1:], np.inf) if finite.size else np.zeros(1)
        self._thresholds = np.append(finite, above_all)
        self._genuine = np.searchsorted(self._thresholds, genuine, "right")
        self._impostor = np.searchsorted(self._thresholds, impostor, "right")

    def curve(self, genuine: Doubles, impostor: Doubles) -> RocCurve:
        """Return the curve for given weights of the comparisons; rates are NaN if all weights are 0."""
        return RocCurve(
            self._thresholds, self._accepted(self._impostor, impostor), self._accepted(self._genuine, genuine)
        )

    def _accepted(self, indices: np.typing.NDArray[np.intp], weights: Doubles) -> Doubles:
        total = float(weights.sum())
        passed = np.bincount(indices, weights, len(self._thresholds) + 1)[:0:-1].cumsum()[::-1]
        return passed / (total if total > 0 else np.nan)


def eer(curve: RocCurve) -> float:
    """Return (FAR + FRR) / 2 at the lowest threshold at which the two differ least."""
    gap = np.abs(curve.far - (1 - curve.tar))
    if np.isnan(gap[0]):
        return float("nan")
    index = int(np.argmin(gap))
    return float(curve.far[index] + 1 - curve.tar[index]) / 2


def auc(curve: RocCurve) -> float:
    """Return the area under the ROC: how often a genuine comparison beats an impostor one, with ties counting half."""
    return float(np.trapezoid(curve.tar[::-1], curve.far[::-1]))


def threshold_at(curve: RocCurve, far: float) -> int:
    """Return the index of the lowest threshold with a FAR of at most `far`."""
    return int(np.argmax(curve.far <= far * (1 + _ROUNDING)))


def tar_at(curve: RocCurve, far: float) -> float:
    """Return the highest TAR with a FAR of at most `far`."""
    return float(curve.tar[threshold_at(curve, far)])


def is_supported(far: float, impostors: int) -> bool:
    """Return whether this number of impostor comparisons is enough to measure a rate."""
    return far * impostors * (1 + _ROUNDING) >= MIN_ABOVE


def label(rate: float) -> str:
    """Return a rate as text for reports, such as 1e-3."""
    return f"1e-{round(-np.log10(rate))}"
