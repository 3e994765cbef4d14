"""Similarity score: a scale from 0 to 1 for every network, on which a number means an error rate. Pure.

Clients of other recognizers compare a number in 0..1 with a threshold, often 0.5 or 0.9. A cosine does not fit that:
0.5 is a match with one network and a stranger with another. The score follows the false match rate:

    log3(score / (1 - score)) = -log10(FMR) - 4

So 0.5 is the rate of one pair of strangers in 10,000, the default of /verify. Each decade of the rate multiplies the
odds by 3: 0.25 at 1e-3, 0.75 at 1e-5, 0.9 at 1e-6.
"""

import math
from dataclasses import dataclass

from app.recognition.decisions.calibration.templates import TemplateComparisons, stranger_rate
from app.recognition.decisions.policy import DEFAULT_MAX_FMR, Policy

_ODDS_PER_DECADE = 3.0
_ODDS_PER_COSINE = 20.0  # natural logarithm; about what calibrated networks have around their thresholds (19 to 24)
_SMALLEST_RATE = 1e-300
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class SimilarityScale:
    """Scale of a collection: from its policy's calibration, or around the policy's fixed threshold without one."""

    policy: Policy

    def score(self, similarity: float, faces: int = 1) -> float:
        """Return the score (0..1, five digits) of a similarity (cosine) to a template of `faces`.

        It never falls as the similarity rises.
        """
        calibration = self.policy.calibration
        if calibration is None:
            return _logistic(_ODDS_PER_COSINE * (similarity - self.policy.fallback))
        return score_of_rate(stranger_rate(calibration, similarity, TemplateComparisons(1, faces)))


def score_of_rate(fmr: float) -> float:
    """Return the score (0..1, five digits) of a false match rate (0..1)."""
    decades = math.log10(DEFAULT_MAX_FMR) - math.log10(max(fmr, _SMALLEST_RATE))
    return _logistic(math.log(_ODDS_PER_DECADE) * decades)


def rate_of_score(score: float) -> float:
    """Return the false match rate of a score between 0 and 1: the inverse of `score_of_rate`."""
    decades = math.log(score / (1 - score)) / math.log(_ODDS_PER_DECADE)
    return float(DEFAULT_MAX_FMR * 10**-decades)


def _logistic(log_odds: float) -> float:
    return round((1 + math.tanh(log_odds / 2)) / 2, _DIGITS)
