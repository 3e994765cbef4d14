"""From what a caller tolerates (an error rate) or orders (a threshold) to the rule that decides. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.errors import CalibrationMissing
from app.recognition.calibration import Calibration, chance_among, rate_for_chance

DEFAULT_MAX_FMR = 1e-4
DEFAULT_MAX_FPIR = 0.01


class Outcome(StrEnum):
    """What a similarity means under a rule."""

    MATCH = "match"
    POSSIBLE = "possible"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Rule:
    """`threshold` decides; from `doubt_from` to `doubt_to` the calibration cannot tell on which side of it one is."""

    threshold: float
    doubt_from: float
    doubt_to: float

    def has_doubt(self) -> bool:
        """Say whether the rule comes from an error rate; an explicit threshold has no doubt."""
        return self.doubt_from < self.doubt_to

    def outcome(self, similarity: float) -> Outcome:
        """Decide on one similarity."""
        if similarity >= self.doubt_to:
            return Outcome.MATCH
        return Outcome.POSSIBLE if similarity >= self.doubt_from else Outcome.NO_MATCH


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one collection: by its calibration, or by a fixed threshold while there is none."""

    calibration: Calibration | None
    fallback: float

    def for_verification(self, *, max_fmr: float | None = None, threshold: float | None = None) -> Rule:
        """Return the rule for one pair: at most the share `max_fmr` of pairs of different people is a match.

        Raises CalibrationMissing when a rate is asked for and there is no calibration.
        """
        if threshold is not None:
            return _exact(threshold)
        return self._at(max_fmr, DEFAULT_MAX_FMR)

    def for_identification(self, faces: int, *, max_fpir: float | None = None, threshold: float | None = None) -> Rule:
        """Return the rule for a gallery of `faces`: at most the share `max_fpir` of strangers finds a match in it.

        Raises CalibrationMissing as above.
        """
        if threshold is not None:
            return _exact(threshold)
        wanted = None if max_fpir is None else rate_for_chance(max_fpir, faces)
        return self._at(wanted, rate_for_chance(DEFAULT_MAX_FPIR, faces))

    def fmr(self, similarity: float) -> float | None:
        """Return the share of pairs of different people that reach a similarity, None without a calibration."""
        return None if self.calibration is None else self.calibration.fmr(similarity)

    def fpir(self, similarity: float, faces: int) -> float | None:
        """Return the chance that a stranger reaches a similarity somewhere among `faces`, None as above."""
        return None if self.calibration is None else chance_among(self.calibration.fmr(similarity), faces)

    def _at(self, wanted: float | None, default: float) -> Rule:
        if self.calibration is None:
            if wanted is not None:
                raise CalibrationMissing(
                    "the network in use has no calibration, so no error rate can be promised; run arcid calibrate, "
                    "or send a threshold"
                )
            return _exact(self.fallback)
        rate = wanted if wanted is not None else default
        return Rule(self.calibration.threshold(rate), *self.calibration.doubt(rate))


PolicyOf = Callable[[str], Policy]
"""The policy of a collection, by its name."""


def _exact(threshold: float) -> Rule:
    return Rule(threshold, threshold, threshold)
