"""Error rates of similarities, such as the similarity that one impostor pair in ten thousand reaches.

`app.recognition.decisions.calibration.fit` computes a calibration. Pure, except for the JSON form at the end.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from pydantic import TypeAdapter, ValidationError

from app.errors import CalibrationInvalid
from app.recognition.decisions.scoring import AS_STORED, Scoring
from app.types import ImpostorMoments, RateRange

VERSION: Final = 2
_READABLE: Final = (1, VERSION)
LEVELS: Final = tuple(float(level) for level in np.logspace(0, -3, 31))
SPREAD_LEVELS: Final = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, slots=True)
class CalibrationOrigin:
    """Origin of a calibration, which applies only to this network, detector and flip averaging."""

    network_sha256: str
    model: str
    detector: str
    is_flip_averaged: bool
    people: int
    faces: int
    pairs: int
    source: str


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """Generalised Pareto: the rate is `rate * (1 + shape * (s - start) / scale) ** (-1 / shape)` for s >= `start`."""

    start: float
    rate: float
    shape: float
    scale: float


@dataclass(frozen=True, slots=True)
class Spread:
    """At false match rate `fmr`, the true one lies between `low` and `high` times it (95 %, resampled by person)."""

    fmr: float
    low: float
    high: float


class RateCurve(Protocol):
    """False match rates of similarities, and back: a `Calibration`, or one that was adapted to a collection."""

    @property
    def origin(self) -> CalibrationOrigin:
        """Origin of the fitted calibration."""

    @property
    def typical_norm(self) -> float | None:
        """Median of the raw feature norms."""

    @property
    def template_stretch(self) -> float:
        """Growth of the spread of similarities when one of the two faces becomes a template of many; >= 0."""

    @property
    def is_adapted(self) -> bool:
        """Whether the curve was shifted and stretched to a collection's own people."""

    @property
    def people(self) -> int:
        """Number of people whose similarities were counted; of an adapted curve, those of the collection."""

    @property
    def centre(self) -> float:
        """Median similarity of two people, before any restriction to similar ones."""

    def fmr(self, similarity: float) -> float:
        """Return the share (0..1) of pairs of different people that are at least as similar."""

    def threshold(self, fmr: float) -> float:
        """Return the similarity that the share `fmr` (0 < fmr <= 1) of pairs of different people reaches."""

    def doubt(self, fmr: float) -> tuple[float, float]:
        """Return the thresholds between which it is in doubt whether the rate is above or below `fmr`."""


# Between those of the measured networks (docs/thresholds.md), for calibrations that measured none.
DEFAULT_STRETCH: Final = 0.03

# Smaller ones mean the same, and their logarithms and powers would leave the range of a number.
_LEAST_RATE = 1e-300
_LEAST_FACTOR = 1e-6  # of a rate, so that the doubt about tiny rates stays a number


@dataclass(frozen=True, slots=True)
class Calibration:
    """False match rates of similarities, and back; `thresholds` are reached at the rates of `LEVELS`."""

    origin: CalibrationOrigin
    thresholds: tuple[float, ...]
    tail: ParetoTail
    spread: tuple[Spread, ...]
    version: int = VERSION
    typical_norm: float | None = None
    """Median of the raw feature norms; the scale of what `app.vision.quality` makes of them."""
    moments: ImpostorMoments | None = None
    """Of all pairs of different people. None in version 1, which cannot be adapted."""
    template_stretch: float = DEFAULT_STRETCH
    """Growth of the spread of strangers' similarities when one of the two faces becomes a template of many; >= 0."""

    mean: tuple[float, ...] | None = None
    """Mean embedding (d,) of the network, which the similarities of this calibration do not contain (`Scoring`)."""

    @property
    def is_adapted(self) -> bool:
        """See `RateCurve`."""
        return False

    @property
    def people(self) -> int:
        """See `RateCurve`."""
        return self.origin.people

    @property
    def centre(self) -> float:
        """See `RateCurve`."""
        return self.threshold(0.5)

    def fmr(self, similarity: float) -> float:
        """Return the share (0..1) of pairs of different people that are at least as similar."""
        if similarity >= self.tail.start:
            base = max(1 + self.tail.shape * (similarity - self.tail.start) / self.tail.scale, 1e-9)
            return float(self.tail.rate * base ** (-1 / self.tail.shape))
        return float(np.exp(np.interp(similarity, self.thresholds, np.log(LEVELS))))

    def threshold(self, fmr: float) -> float:
        """Return the similarity that the share `fmr` (0 < fmr <= 1) of pairs of different people reaches."""
        fmr = max(fmr, _LEAST_RATE)
        if fmr < self.tail.rate:
            grown = ((fmr / self.tail.rate) ** -self.tail.shape - 1) / self.tail.shape
            return float(min(self.tail.start + self.tail.scale * grown, 1.0))
        return float(np.interp(-np.log(fmr), -np.log(LEVELS), self.thresholds))

    def doubt(self, fmr: float) -> tuple[float, float]:
        """Return the thresholds between which it is in doubt whether the rate is above or below `fmr`."""
        low, high = self._factors(fmr)
        return self.threshold(min(fmr / low, 1.0)), self.threshold(min(fmr / high, 1.0))

    def _factors(self, fmr: float) -> RateRange:
        """Return the factors (low, high) of `fmr` (0..1) between which the true rate lies (95 %).

        Below the smallest measured rate, they grow by the decade as between the two smallest ones.
        """
        depth = -math.log10(max(fmr, _LEAST_RATE))
        depths = [-math.log10(each.fmr) for each in self.spread]
        beyond = max(depth - depths[-1], 0)
        low, high = (
            float(np.interp(depth, depths, side)) * _growth(depths, side) ** beyond
            for side in ([each.low for each in self.spread], [each.high for each in self.spread])
        )
        return max(low, _LEAST_FACTOR), min(high, 1 / _LEAST_FACTOR)


def _growth(depths: list[float], side: list[float]) -> float:
    """Return the factor by which one side of the spread grows in the last measured decade."""
    if len(side) < 2:
        return 1.0
    return float((side[-1] / side[-2]) ** (1 / (depths[-1] - depths[-2])))


def scoring_of(calibration: Calibration | None) -> Scoring:
    """Return the scoring of the similarities that a calibration describes."""
    if calibration is None or calibration.mean is None:
        return AS_STORED
    return Scoring(np.array(calibration.mean, np.float32), calibration.typical_norm)


def chance_among(fmr: float, comparisons: float) -> float:
    """Return the chance that a stranger reaches, in so many comparisons, what one impostor pair reaches at rate `fmr`.

    The maximum of as many scores taken as independent (how well that holds: docs/thresholds.md).
    """
    return fmr if comparisons == 1 else float(-np.expm1(comparisons * np.log1p(-min(fmr, 1 - 1e-12))))


def rate_for_chance(chance: float, comparisons: float) -> float:
    """Return the rate for one pair that gives a stranger this chance: `chance_among` inverted."""
    return chance if comparisons <= 1 else float(-np.expm1(np.log1p(-chance) / comparisons))


_FORM = TypeAdapter(Calibration)


def read_calibration(path: Path) -> Calibration:
    """Read a calibration's JSON file; raises CalibrationInvalid if it is unreadable or of another version."""
    try:
        calibration = _FORM.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CalibrationInvalid(f"{path} is not a calibration: {error}") from error
    if calibration.version not in _READABLE or len(calibration.thresholds) != len(LEVELS) or not calibration.spread:
        raise CalibrationInvalid(f"{path} is a calibration of another version; calibrate again")
    return calibration


def as_json(calibration: Calibration) -> bytes:
    """Return the JSON form that `read_calibration` takes."""
    return _FORM.dump_json(calibration, indent=1)
