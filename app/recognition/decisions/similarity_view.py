"""Visibility of similarities: exact, or limited to the needs of a decision. Pure.

Exact similarities to chosen probes reveal the template: one probe per number is enough to compute it. A caller who may
not read templates therefore gets no similarity below the collection's own doubt range, and the others in steps of
0.001. Thresholds from this caller have the same steps, so that many thresholds reveal no more than one answer.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.recognition.decisions.policy import Rule
from app.types import Candidate

DECIMALS = 3
"""Of a similarity. The doubt of the shipped calibrations is several times as wide."""

_STEPS = 1000
_ROUNDING = 3  # digits of a step: 0.9999999 is 1, and 0.55500001 is 0.555


@dataclass(frozen=True, slots=True)
class SimilarityView:
    """`least` is the smallest similarity that is seen; None stands for all of them, exactly."""

    least: float | None = None

    @classmethod
    def of(cls, own: Callable[[], Rule], *, is_exact: bool) -> "SimilarityView":
        """Return a caller's view of a collection whose default rule is `own`.

        Raises what `own` raises, unless the view is exact.
        """
        return EXACT if is_exact else cls(_up(own().doubt_from))

    @property
    def is_exact(self) -> bool:
        """Whether similarities are exact."""
        return self.least is None

    def rule(self, asked: Rule) -> Rule:
        """Return the rule that decides for this caller: `asked`, in steps; the threshold is `least` or more."""
        if self.least is None:
            return asked
        return Rule(max(_up(asked.threshold), self.least), _up(asked.doubt_from), _up(asked.doubt_to))

    def seen(self, similarity: float) -> float | None:
        """Return a similarity as the caller sees it, or None if it is hidden.

        It is rounded down, so that it reaches the threshold of `rule` exactly if the unrounded one does.
        """
        rounded = self.rounded(similarity)
        return rounded if self.least is None or rounded >= self.least else None

    def rounded(self, similarity: float) -> float:
        """Return a similarity that is seen in any case."""
        return similarity if self.least is None else math.floor(_in_steps(similarity)) / _STEPS

    def candidates(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Return the visible candidates with their visible similarities."""
        return [
            replace(each, similarity=similarity)
            for each in found
            if (similarity := self.seen(each.similarity)) is not None
        ]

    def difference(self, of: float | None) -> float | None:
        """Return a difference of similarities that are seen, without the digits that subtraction adds."""
        return of if of is None or self.least is None else round(of, DECIMALS)


EXACT = SimilarityView()
ROUNDED = SimilarityView(-1.0)
"""All similarities, rounded."""


def _up(similarity: float) -> float:
    return math.ceil(_in_steps(similarity)) / _STEPS


def _in_steps(similarity: float) -> float:
    return round(similarity * _STEPS, _ROUNDING)
