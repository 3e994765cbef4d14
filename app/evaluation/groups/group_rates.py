"""Error rates of groups, each with its interval by person or the reason why it has no value. Pure.

Ten errors are the least that determine a rate, and ten people the least that stand for a group. The photos of one pair
of people err together, so errors count by *cases*: pairs of people for the FMR, people for the FNMR.

Without an error, the rule of three gives an upper bound (Jovanovic and Levy, "A look at the rule of three", The
American Statistician 1997; ISO/IEC 19795-1). It needs independent cases: people, or pairs without a common person.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.bootstrap import Estimate, interval
from app.evaluation.curves import MIN_ABOVE, is_supported
from app.evaluation.values import Doubles, Ints

MIN_ERRORS, MIN_PEOPLE = MIN_ABOVE, 10
_RULE_OF_THREE = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """Errors and comparisons (r,) for the set (first) and each replicate.

    `people` is the number of people of the smallest group that takes part. `cases` counts pairs of people (FMR) or
    people (FNMR), `cases_with_error` those with an error, and `independent` those that share no person.
    """

    errors: Doubles
    pairs: Doubles
    people: int
    cases: int
    cases_with_error: int
    independent: int

    @property
    def rates(self) -> Doubles:
        """Return the rates (r,); NaN without comparisons."""
        return self.errors / np.where(self.pairs > 0, self.pairs, np.nan)


@dataclass(frozen=True, slots=True)
class GroupRate:
    """A rate with its counts. `rate` is None if `note` gives a reason; `upper` is a 95 % bound without errors.

    `errors_from` is the number of pairs of people (FMR) or people (FNMR) with an error.
    """

    errors: int
    errors_from: int
    pairs: int
    people: int
    rate: Estimate | None
    upper: float | None = None
    note: str | None = None


def measure_rate(tally: Tally, expected: float | None = None) -> GroupRate:
    """Return the rate of a tally, if there are enough people and enough cases with an error.

    Fewer than ten cases suffice if ten were to be expected at the `expected` rate.
    """
    errors, pairs = int(tally.errors[0]), int(tally.pairs[0])
    counted = errors, tally.cases_with_error, pairs, tally.people
    if not pairs or tally.people < MIN_PEOPLE:
        return GroupRate(*counted, None, None, f"too few people: fewer than {MIN_PEOPLE}" if pairs else "no pairs")
    upper = None if errors else min(_RULE_OF_THREE / tally.independent, 1.0)
    if tally.cases_with_error < MIN_ERRORS and not (expected and is_supported(expected, tally.cases)):
        return GroupRate(*counted, None, upper, f"too few pairs: fewer than {MIN_ERRORS} independent errors")
    spread = interval(tally.rates[1:]) if errors else None
    return GroupRate(*counted, Estimate(float(tally.rates[0]), spread), upper)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Counts of one grouping at one threshold, for the set and each replicate.

    `false_matches` and `impostors` are (r, groups, groups) and symmetric; `false_non_matches` and `genuine` are
    (r, groups). `matched_people` (groups, groups) counts the pairs of people with a false match. `people` (groups,)
    have a face in the group, `mated_people` (groups,) a genuine pair, `missed_people` (groups,) a false non-match.
    """

    false_matches: Doubles
    impostors: Doubles
    false_non_matches: Doubles
    genuine: Doubles
    matched_people: Ints
    people: Ints
    mated_people: Ints
    missed_people: Ints

    def fmr(self, first: int, second: int) -> Tally:
        """Return the impostor pairs of one group, or between two."""
        matches, pairs = self.false_matches[:, first, second], self.impostors[:, first, second]
        few, many = sorted((int(self.people[first]), int(self.people[second])))
        cases, independent = (few * (few - 1) // 2, few // 2) if first == second else (few * many, few)
        return Tally(matches, pairs, few, cases, int(self.matched_people[first, second]), independent)

    def fnmr(self, group: int) -> Tally:
        """Return the genuine pairs of a group."""
        errors, pairs, people = self.false_non_matches[:, group], self.genuine[:, group], int(self.mated_people[group])
        return Tally(errors, pairs, people, people, int(self.missed_people[group]), people)

    def within(self) -> Tally:
        """Return the impostor pairs inside all groups together."""
        matches, pairs = (np.einsum("rgg->r", values) for values in (self.false_matches, self.impostors))
        people, cases = int(self.people.sum()), int((self.people * (self.people - 1) // 2).sum())
        with_error, independent = int(np.trace(self.matched_people)), int((self.people // 2).sum())
        return Tally(matches, pairs, people, cases, with_error, independent)

    def across(self) -> Tally:
        """Return the impostor pairs between different groups."""
        upper = np.triu_indices(len(self.people), 1)
        matches, pairs = (values[:, *upper].sum(axis=1) for values in (self.false_matches, self.impostors))
        people = int(self.people.sum())
        cases, with_error = int(np.outer(self.people, self.people)[upper].sum()), int(self.matched_people[upper].sum())
        independent = min(people // 2, people - int(self.people.max(initial=0)))
        return Tally(matches, pairs, people, cases, with_error, independent)
