"""Error rates at every threshold, and the figures read off them. Pure.

The rule everywhere: a comparison is accepted when its similarity is at least the threshold. Comparisons carry weights,
so that a resampled set (bootstrap) and a histogram are evaluated by the same few lines.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.values import Doubles

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
LEAST_ABOVE = 10  # fewer accepted impostors than this say little about a rate ("rule of 30" would be stricter still)
UNSUPPORTED = f"fewer than {LEAST_ABOVE} impostor pairs above"
_ROUNDING = 1e-9  # of a rate: 3 of 3,000 is a FAR of 1e-3


@dataclass(frozen=True, slots=True)
class Curve:
    """`far` and `tar` (m,): accepted shares of impostor and genuine comparisons at `thresholds` (m,), ascending."""

    thresholds: Doubles
    far: Doubles
    tar: Doubles


class Comparisons:
    """Similarities of genuine and impostor comparisons; -inf is never accepted (a face was not found)."""

    def __init__(self, genuine: Doubles, impostor: Doubles) -> None:
        values = np.unique(np.concatenate([genuine, impostor]))
        finite = values[np.isfinite(values)]
        above_all = np.nextafter(finite[-1:], np.inf) if finite.size else np.zeros(1)
        self._thresholds = np.append(finite, above_all)
        self._genuine = np.searchsorted(self._thresholds, genuine, "right")
        self._impostor = np.searchsorted(self._thresholds, impostor, "right")

    def curve(self, genuine: Doubles, impostor: Doubles) -> Curve:
        """Return the curve for the weights of the comparisons; NaN where all weigh nothing."""
        return Curve(self._thresholds, self._accepted(self._impostor, impostor), self._accepted(self._genuine, genuine))

    def _accepted(self, places: np.typing.NDArray[np.intp], weights: Doubles) -> Doubles:
        total = float(weights.sum())
        passed = np.bincount(places, weights, len(self._thresholds) + 1)[:0:-1].cumsum()[::-1]
        return passed / (total if total > 0 else np.nan)


def eer(curve: Curve) -> float:
    """Return (FAR + FRR) / 2 where the two differ least, at the lowest such threshold."""
    gap = np.abs(curve.far - (1 - curve.tar))
    if np.isnan(gap[0]):
        return float("nan")
    at = int(np.argmin(gap))
    return float(curve.far[at] + 1 - curve.tar[at]) / 2


def auc(curve: Curve) -> float:
    """Return the area under the ROC: how often a genuine comparison is the more similar one, ties counting half."""
    return float(np.trapezoid(curve.tar[::-1], curve.far[::-1]))


def threshold_at(curve: Curve, far: float) -> int:
    """Return the place of the lowest threshold whose FAR is at most `far`."""
    return int(np.argmax(curve.far <= far * (1 + _ROUNDING)))


def tar_at(curve: Curve, far: float) -> float:
    """Return the greatest TAR whose FAR is at most `far`."""
    return float(curve.tar[threshold_at(curve, far)])


def is_supported(far: float, impostors: int) -> bool:
    """Say whether so many impostor comparisons can show a rate."""
    return far * impostors * (1 + _ROUNDING) >= LEAST_ABOVE


def label(rate: float) -> str:
    """Write a rate as reports do: 1e-3."""
    return f"1e-{round(-np.log10(rate))}"
