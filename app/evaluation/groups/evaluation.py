"""Evaluation of groups: thresholds, and the counts of each grouping at each of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.evaluation.bootstrap import draw_multiplicities
from app.evaluation.curves import is_supported
from app.evaluation.groups.chance import deal_groups, dealt_fmrs, dealt_fnmrs
from app.evaluation.groups.counts import (
    all_impostors,
    count_by_person,
    error_counts,
    impostor_totals,
    people_with_error,
    set_thresholds,
)
from app.evaluation.groups.group_rates import GroupCounts, Tally
from app.evaluation.groups.group_table import NOT_STATED, Grouping
from app.evaluation.groups.scored_pairs import ScoredPairs, genuine_pairs, impostor_pairs
from app.evaluation.values import Advance, Doubles, EmbeddedPhotos, Ints
from app.recognition.decisions.calibration.error_rates import Calibration

_TAIL = 5  # times the highest rate; a replicate's threshold is lower than the set's
_MAX_WEIGHTS = 2_000_000_000  # impostor pairs times replicates
_MIN_REPLICATES = 20

Origin = Literal["calibration", "set"]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A tolerated FMR and its thresholds (r,): constant from the calibration, or from each replicate of the set."""

    max_fmr: float
    origin: Origin
    thresholds: Doubles


class GroupEvaluation:
    """All comparisons of a set, and their counts by group."""

    def __init__(
        self,
        embedded: EmbeddedPhotos,
        *,
        max_fmrs: Sequence[float],
        calibration: Calibration | None,
        replicates: int,
        advance: Advance = lambda _: None,
    ) -> None:
        """Compare all pairs of photos; `advance` is called with the number of comparisons, each made twice."""
        self._people, self._has_face = embedded.people, embedded.has_face
        promised = [calibration.threshold(rate) for rate in max_fmrs] if calibration else []
        self._impostors = impostor_pairs(
            embedded, share=min(_TAIL * max(max_fmrs), 1), lowest=min(promised, default=1.0), advance=advance
        )
        self._genuine = genuine_pairs(embedded)
        self._multiplicities = _multiplicities(int(self._people.max()) + 1, replicates, len(self._impostors.first))
        self._totals = all_impostors(self._multiplicities, self._people[self._has_face])
        ones = np.ones(len(self._multiplicities))
        self.points = [
            *(OperatingPoint(rate, "calibration", ones * at) for rate, at in zip(max_fmrs, promised, strict=False)),
            *(OperatingPoint(rate, "set", self._set_thresholds(rate)) for rate in max_fmrs),
        ]

    @property
    def multiplicities(self) -> Doubles:
        """Return how often each person counts (1 + replicates, people): ones for the set, then the replicates."""
        return self._multiplicities

    @property
    def replicates(self) -> int:
        """Return the number of resamplings."""
        return len(self._multiplicities) - 1

    def counts(self, grouping: Grouping, point: OperatingPoint) -> GroupCounts:
        """Return the counts of a grouping at an operating point."""
        size, groups = len(grouping.groups), grouping.of_photo
        shape = self._multiplicities.shape[1], size
        photos = count_by_person(self._people, np.where(self._has_face, groups, NOT_STATED), shape)
        genuine_groups = _cells(self._genuine, groups, size, is_diagonal=True)
        mated = count_by_person(self._people[self._genuine.first], genuine_groups, shape)
        cells = _cells(self._impostors, groups, size, is_diagonal=False)
        matches, matched = self._errors(self._impostors, cells, size * size, point.thresholds)
        misses, missed = self._errors(self._genuine, genuine_groups, size, point.thresholds)
        return GroupCounts(
            _symmetric(matches.reshape(-1, size, size)),
            impostor_totals(self._multiplicities, photos),
            misses,
            self._multiplicities @ mated,
            _symmetric(matched.reshape(1, size, size))[0],
            (photos > 0).sum(axis=0),
            (mated > 0).sum(axis=0),
            missed,
        )

    def overall(self, point: OperatingPoint) -> tuple[Tally, Tally]:
        """Return the impostor and the genuine pairs of the whole set, whether or not their groups are stated."""
        everyone = Grouping("all", ("all",), np.zeros(len(self._people), np.intp))
        counts = self.counts(everyone, point)
        return counts.fmr(0, 0), counts.fnmr(0)

    def fmrs_by_chance(self, grouping: Grouping, point: OperatingPoint, groups: Sequence[int]) -> Doubles:
        """Return the FMR inside each of the groups if they are dealt to their people at random (deals, groups).

        If a person is in two groups, no deals are drawn.
        """
        people, dealt = self._deal(grouping, groups)
        matches = self._impostors.above(point.thresholds[0])
        place = np.full(int(self._people.max()) + 1, NOT_STATED)
        place[people] = np.arange(len(people))
        first, second = place[self._people[matches.first]], place[self._people[matches.second]]
        is_inside = (first >= 0) & (second >= 0)
        photos = np.bincount(self._people, self._has_face)[people].astype(np.float64)
        return dealt_fmrs(dealt, photos, first[is_inside], second[is_inside], len(groups))

    def fnmrs_by_chance(self, grouping: Grouping, point: OperatingPoint, groups: Sequence[int]) -> Doubles:
        """Return the FNMR of each of the groups if they are dealt to their people at random (deals, groups)."""
        people, dealt = self._deal(grouping, groups)
        person, is_error = self._people[self._genuine.first], self._genuine.similarities < point.thresholds[0]
        size = int(self._people.max()) + 1
        errors = np.bincount(person, is_error, size)[people].astype(np.float64)
        pairs = np.bincount(person, minlength=size)[people].astype(np.float64)
        return dealt_fnmrs(dealt, errors, pairs, len(groups))

    def _deal(self, grouping: Grouping, groups: Sequence[int]) -> tuple[Ints, Ints]:
        """Return the people in these groups, and the places of their groups for each deal (deals, people)."""
        is_chosen = np.isin(grouping.of_photo, groups)
        members = np.unique(np.stack([self._people, grouping.of_photo])[:, is_chosen], axis=1)
        people, places = members[0], np.searchsorted(groups, members[1])
        has_one_group = len(np.unique(people)) == len(people)
        return people, deal_groups(places, len(self._multiplicities) - 1 if has_one_group else 0)

    def _set_thresholds(self, rate: float) -> Doubles:
        if not is_supported(rate, int(self._totals[0])):
            return np.full(len(self._totals), np.nan)
        return set_thresholds(self._multiplicities, self._impostors, self._people, totals=self._totals, rate=rate)

    def _errors(self, pairs: ScoredPairs, cells: Ints, size: int, thresholds: Doubles) -> tuple[Doubles, Ints]:
        """Return the errors in each cell (r, size), and the pairs of people, or people, that they come from (size,)."""
        errors = error_counts(self._multiplicities, pairs, self._people, cells, size=size, thresholds=thresholds)
        return errors, people_with_error(pairs, self._people, cells, size=size, threshold=thresholds[0])


def _cells(pairs: ScoredPairs, groups: Ints, size: int, *, is_diagonal: bool) -> Ints:
    """Return the cell of each pair: its group, or lower group * size + higher group; NOT_STATED for no cell."""
    first, second = groups[pairs.first], groups[pairs.second]
    low, high = np.minimum(first, second), np.maximum(first, second)
    if is_diagonal:
        return np.where(first == second, first, NOT_STATED)
    return np.where(low >= 0, low * size + high, NOT_STATED)


def _symmetric(upper: NDArray[Any]) -> NDArray[Any]:
    """Return matrices (r, groups, groups) with the values above the diagonal also below it."""
    below: NDArray[Any] = np.triu(upper, 1).transpose(0, 2, 1)
    full: NDArray[Any] = upper + below
    return full


def _multiplicities(people: int, replicates: int, pairs: int) -> Doubles:
    """Return the multiplicities of the set and the replicates (1 + r, people); fewer for many pairs."""
    replicates = min(replicates, _MAX_WEIGHTS // max(pairs, 1))
    drawn = draw_multiplicities(people, replicates if replicates >= _MIN_REPLICATES else 0)
    return np.concatenate([np.ones((1, people)), drawn])
