"""Error rates that photos support: a figure with its interval, or, from few of them, only an upper bound. Pure.

Photos of one person are not independent, so people are counted. If none of n people had an error, the rate is at most
3/n at 95 % confidence: the rule of three (Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?",
JAMA 1983). Its exact form for k of n is by Clopper and Pearson (Biometrika 1934).
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import Estimate
from app.evaluation.values import Bools

LEAST_PHOTOS = 30
"""Photos below which a rate has no figure: ISO/IEC 19795-1's rule of 3 gives 3/30 = 10 % for no error among them."""
LEAST_PEOPLE = 10
"""People below which a rate has no figure: the bootstrap over fewer gives intervals that are too narrow."""

_MISSED = 0.05  # how often the true rate is above the bound
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Errors among photos, and how many people these are of; `wrong_people` had at least one error."""

    errors: int
    photos: int
    people: int
    wrong_people: int

    @classmethod
    def of(cls, is_error: Bools, people: tuple[str, ...]) -> "ErrorCount":
        """Count errors (n,) on photos of these people (n)."""
        wrong = {person for person, is_wrong in zip(people, is_error, strict=True) if is_wrong}
        return cls(int(is_error.sum()), len(is_error), len(set(people)), len(wrong))

    @property
    def has_figure(self) -> bool:
        """Whether there are enough photos and people to state the rate."""
        return self.photos >= LEAST_PHOTOS and self.people >= LEAST_PEOPLE

    @property
    def at_most(self) -> float:
        """The upper bound of the rate at 95 % confidence, 1 without people."""
        return upper_bound(self.wrong_people, self.people)


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A rate: its `count`, and its `estimate`, None for too few photos."""

    count: ErrorCount
    estimate: Estimate | None

    @classmethod
    def of(cls, count: ErrorCount, estimate: Estimate) -> "ErrorRate":
        """Return the rate. If no photo or every photo is an error, its interval comes from `upper_bound`."""
        if not count.has_figure:
            return cls(count, None)
        interval = estimate.interval
        if count.errors == 0:
            interval = 0.0, count.at_most
        elif count.errors == count.photos:
            interval = 1 - upper_bound(0, count.people), 1.0
        return cls(count, Estimate(count.errors / count.photos, interval))


def upper_bound(errors: int, people: int) -> float:
    """Return the highest rate at which so few `errors` among independent people have a chance of 5 % or more."""
    if errors >= people:
        return 1.0
    if errors == 0:
        return float(1 - _MISSED ** (1 / people))
    low, high = errors / people, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_of_at_most(errors, people, middle) > _MISSED else (low, middle)
    return high


def least_people(rate: float) -> int:
    """Return how many people, all without an error, are needed to show that a rate is not exceeded."""
    return int(np.ceil(np.log(_MISSED) / np.log1p(-rate)))


def _chance_of_at_most(errors: int, people: int, rate: float) -> float:
    counts = np.arange(1, errors + 1)
    logs = np.log((people - counts + 1) / counts) + np.log(rate) - np.log1p(-rate)  # of each term, over the one before
    return float(np.exp(people * np.log1p(-rate) + np.cumsum([0.0, *logs])).sum())
