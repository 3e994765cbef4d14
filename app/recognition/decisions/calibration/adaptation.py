"""Adaptive calibration: a fitted curve, shifted and stretched to the impostor similarities of a collection.

Similarities of different people keep the shape of their distribution from one population or camera to another, but not
its place and width. So the fitted curve FMR_0 is used at the standardised similarity:
FMR(s) = FMR_0(m_0 + (s - m) * d_0 / d), with mean m and deviation d of the collection, m_0 and d_0 of the fitted curve.
This is the zero normalisation of scores (Auckenthaler et al., Digital Signal Processing 2000), applied to a whole
collection. Beyond the counted part of the curve, the tail of a moved curve is stretched further. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin
from app.types import ImpostorMoments

LEAST_PEOPLE: Final = 20
"""Smaller galleries keep the fitted curve."""
PRIOR_PEOPLE: Final = 2.0
"""People of the collection that count as much as the fitted curve."""
PRIOR_PROBES: Final = 30.0
"""Probes that count as much as the curve of the gallery's own pairs."""
LARGEST_STEP: Final = 0.05
"""Largest move of a threshold (similarity) from one version to the next."""
STATED_FMR: Final = 1e-4
"""False match rate at which moves are reported."""

# Other people or cameras than the fitted curve's also have a heavier tail than it. So the deviation grows by this share
# for a whole move, divided by the number of people or probes seen. By measurement on galleries of 20 to 100 people of
# LFW and of another set, unchanged and degraded in seven ways (docs/thresholds.md).
_TAIL_ALLOWANCE: Final = 2.0
# However many people were seen: after half a move and more, the tail (FMR below 1e-3) is wider by this share. Chosen on
# galleries of 50 of 200 people of LFW, degraded in four ways: it brought FMR 1e-4 nearest to what was asked.
_TAIL_STRETCH: Final = 0.4
_TAIL_MOVE: Final = 0.5
# A move that lowers thresholds counts only as far as it exceeds chance: its weight is 1 - 4 / z^2, where z^2 is the sum
# of the squares of both moments' moves in standard errors. Without it, galleries of 50 people whose similarities happen
# to be low would get too many false matches. Nothing is lost where thresholds rise.
_CHANCE: Final = 4.0
_STATED_DEVIATIONS: Final = 3.8  # from the mean to the threshold for FMR 1e-4, in the shipped calibrations
_BELOW: Final = 0.999  # of the largest step, so that thresholds, which are not linear in the moments, end below it
_BOUNDED_FMRS: Final = (1e-2, STATED_FMR, 1e-6)  # a step is bounded at each of them
_LEAST_STRETCH, _LARGEST_STRETCH = 0.5, 2.0
_LARGEST_SHIFT = 0.5
_LEAST_RATIO = 1e-6  # of deviations, so that its logarithm is a number
# Standard errors of the mean and of the logarithm of the deviation (in deviations), from n people: 0.5 / sqrt(n), and
# 0.09 / sqrt(n) with 1 / n for the pairs. Measured on draws of 20 to 400 people of LFW.
_MEAN_ERROR, _DEVIATION_ERROR = 0.5, 0.09
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class AdaptedCalibration:
    """A calibration, adapted to `moments`, which were learned from `people` people; a `RateCurve`.

    Use `adapted`, which leaves a calibration without moments as it is.
    """

    base: Calibration
    base_moments: ImpostorMoments
    moments: ImpostorMoments
    people: int

    @property
    def origin(self) -> CalibrationOrigin:
        """See `RateCurve`."""
        return self.base.origin

    @property
    def typical_norm(self) -> float | None:
        """See `RateCurve`."""
        return self.base.typical_norm

    @property
    def is_adapted(self) -> bool:
        """See `RateCurve`."""
        return True

    @property
    def template_stretch(self) -> float:
        """See `RateCurve`."""
        return self.base.template_stretch

    @property
    def centre(self) -> float:
        """See `RateCurve`."""
        return self.threshold(0.5)

    @property
    def stretch(self) -> float:
        """Width of the curve, as a multiple of the fitted one's."""
        return self.moments.deviation / self.base_moments.deviation

    @property
    def shift(self) -> float:
        """Move of the curve's mean, in similarity."""
        return self.moments.mean - self.base_moments.mean

    def fmr(self, similarity: float) -> float:
        """See `RateCurve`."""
        fitted = self.base_moments.mean + (similarity - self.moments.mean) / self.stretch
        beyond = max(fitted - self.base.tail.start, 0)
        return self.base.fmr(fitted - beyond * (1 - 1 / _tail_stretch(self.base_moments, self.moments)))

    def threshold(self, fmr: float) -> float:
        """See `RateCurve`."""
        return self._moved(self.base.threshold(fmr))

    def doubt(self, fmr: float) -> tuple[float, float]:
        """See `RateCurve`; wider than the fitted curve's by the standard error of moments from so few people."""
        threshold = self.threshold(fmr)
        low, high = (self._moved(each) for each in self.base.doubt(fmr))
        error = self._error(threshold)
        return threshold - np.hypot(threshold - low, error).item(), min(
            threshold + np.hypot(high - threshold, error).item(), 1.0
        )

    def _moved(self, similarity: float) -> float:
        """Return where a threshold of the fitted curve lies now; 1 stays 1, since nothing is more similar."""
        if similarity >= 1:
            return 1.0
        return min(_moved(self.base, self.base_moments, self.moments, similarity), 1.0)

    def _error(self, threshold: float) -> float:
        """Return half of the 95 % interval of a threshold from the moments of `people` and the fitted curve."""
        people = self.people + PRIOR_PEOPLE
        deviations = (threshold - self.moments.mean) / self.moments.deviation
        of_mean = _MEAN_ERROR**2 / people
        of_deviation = deviations**2 * (_DEVIATION_ERROR**2 / people + 1 / people**2)
        return float(_NORMAL_95 * self.moments.deviation * np.sqrt(of_mean + of_deviation))


@dataclass(frozen=True, slots=True)
class AdaptationStep:
    """Moments of the next version, and whether they are those aimed at."""

    moments: ImpostorMoments
    is_converged: bool


def adapted(base: Calibration, moments: ImpostorMoments | None, *, people: int) -> Calibration | AdaptedCalibration:
    """Return a calibration adapted to `moments` from `people` people; itself without moments on either side."""
    if base.moments is None or moments is None:
        return base
    return AdaptedCalibration(base, base.moments, moments, people)


def shrunk(
    prior: ImpostorMoments, seen: ImpostorMoments | None, *, prior_count: float, evidence: float = 1.0
) -> ImpostorMoments:
    """Return the moments between `prior` and `seen`, by the weight seen.count / (seen.count + prior_count).

    The weight is multiplied by the `evidence` (0..1) of a move. The mean is the weighted arithmetic one, the deviation
    the geometric one. The deviation stays between half and twice the prior's, and the mean within 0.5 of it. No gallery
    of real photos came near these bounds, and wrong data must not switch off the threshold.
    """
    if seen is None:
        return ImpostorMoments(prior.mean, prior.deviation, 0)
    weight = evidence * seen.count / (seen.count + prior_count)
    ratio = float(np.clip(seen.deviation / prior.deviation, _LEAST_STRETCH, _LARGEST_STRETCH))
    shift = float(np.clip(seen.mean - prior.mean, -_LARGEST_SHIFT, _LARGEST_SHIFT))
    return ImpostorMoments(prior.mean + weight * shift, float(prior.deviation * ratio**weight), seen.count)


def aims(
    base: ImpostorMoments, gallery: ImpostorMoments | None, probes: ImpostorMoments | None
) -> tuple[ImpostorMoments, ImpostorMoments]:
    """Return the moments to adapt to, for pairs of the gallery and for probes against it.

    The first are shrunk towards the fitted curve's, more so if thresholds would fall. The second are shrunk towards the
    first. Each is then widened by the allowance for its tail. Fewer than `LEAST_PEOPLE` people teach nothing, nor do
    probes against them.
    """
    if gallery is None or gallery.count < LEAST_PEOPLE:
        return shrunk(base, None, prior_count=PRIOR_PEOPLE), shrunk(base, None, prior_count=PRIOR_PROBES)
    own = shrunk(base, gallery, prior_count=PRIOR_PEOPLE, evidence=_evidence(base, gallery))
    of_gallery = _widened(base, own, gallery.count)
    if probes is None or not probes.count:
        return of_gallery, shrunk(of_gallery, None, prior_count=PRIOR_PROBES)
    of_probes = shrunk(of_gallery, probes, prior_count=PRIOR_PROBES)
    weight = probes.count / (probes.count + PRIOR_PROBES)
    return of_gallery, _widened(base, of_probes, min(gallery.count, probes.count) / weight)


def _widened(base: ImpostorMoments, moved: ImpostorMoments, count: float) -> ImpostorMoments:
    """Return moments with the allowance for a tail that was learned from `count` people or probes."""
    allowance = _TAIL_ALLOWANCE * _move(base, moved) / max(count, 1)
    return ImpostorMoments(moved.mean, moved.deviation * (1 + allowance), moved.count)


def _evidence(base: ImpostorMoments, seen: ImpostorMoments) -> float:
    """Return the weight (0..1) of a move to moments seen: 1 unless it lowers thresholds, see `_CHANCE`."""
    if seen.mean - base.mean + _STATED_DEVIATIONS * (seen.deviation - base.deviation) >= 0:
        return 1.0
    of_mean = (seen.mean - base.mean) / (_MEAN_ERROR * base.deviation)
    of_deviation = _log_ratio(base, seen) / float(np.hypot(_DEVIATION_ERROR, 1 / np.sqrt(seen.count)))
    return max(1 - _CHANCE / (seen.count * (of_mean**2 + of_deviation**2)), 0.0)


def _move(base: ImpostorMoments, moved: ImpostorMoments) -> float:
    """Return how far moments moved: 0 for not at all, 1 for one deviation and more."""
    return min(abs(moved.mean - base.mean) / base.deviation + abs(_log_ratio(base, moved)), 1.0)


def _log_ratio(base: ImpostorMoments, moved: ImpostorMoments) -> float:
    return float(np.log(max(moved.deviation / base.deviation, _LEAST_RATIO)))


def _tail_stretch(base: ImpostorMoments, moved: ImpostorMoments) -> float:
    return 1 + _TAIL_STRETCH * min(_move(base, moved) / _TAIL_MOVE, 1.0)


def _moved(base: Calibration, base_moments: ImpostorMoments, moments: ImpostorMoments, similarity: float) -> float:
    """Return where a similarity of the fitted curve lies after it moved to `moments`."""
    beyond = max(similarity - base.tail.start, 0) * (_tail_stretch(base_moments, moments) - 1)
    stretch = moments.deviation / base_moments.deviation
    return moments.mean + (similarity + beyond - base_moments.mean) * stretch


def step(base: Calibration, now: ImpostorMoments, aim: ImpostorMoments) -> AdaptationStep:
    """Return the moments between `now` and `aim` whose thresholds are at most `LARGEST_STEP` away from those now.

    Args:
        base: A calibration with moments.
        now: The moments in use.
        aim: The moments to reach.
    """
    taken, part = aim, 1.0
    while (largest := max(moves(base, now, taken))) > LARGEST_STEP:
        part *= _BELOW * LARGEST_STEP / largest
        mean = now.mean + part * (aim.mean - now.mean)
        deviation = now.deviation + part * (aim.deviation - now.deviation)
        taken = ImpostorMoments(mean, deviation, aim.count)
    return AdaptationStep(taken, is_converged=taken is aim)


def moves(base: Calibration, now: ImpostorMoments, aim: ImpostorMoments) -> Iterable[float]:
    """Yield how far thresholds move between two adaptations, at several false match rates."""
    if base.moments is None:
        return
    for fmr in _BOUNDED_FMRS:
        threshold = base.threshold(fmr)
        before, after = (_moved(base, base.moments, each, threshold) for each in (now, aim))
        yield abs(after - before)
