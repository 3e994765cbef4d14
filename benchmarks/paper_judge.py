"""Verification of networks on the test people of `benchmarks/paper_tables.py`, with the people drawn again."""

from collections.abc import Callable

import numpy as np
from paper_results import SeedRate

from app.errors import EvaluationInvalid
from app.evaluation.bootstrap import draw_multiplicities, pair_weights
from app.evaluation.paired import FMR, true_match_rate
from app.evaluation.values import Doubles, Ints
from app.evaluation.verification import cross_validate
from app.types import Floats

FOLDS, REPLICATES = 10, 1000
_SEED = 1801


class Judge:
    """The test photos by person, and the pairs of the accuracy.

    The genuine pairs are all pairs of a person's photos; each person counts once. For each of them there is an impostor
    pair of the same weight: its first photo and a photo of another person of the same fold. So the folds share nobody,
    and the threshold of a fold is that of the other nine.
    """

    def __init__(self, people: Ints) -> None:
        """Args: people: number of the person of each photo (n,), from 0. Raises EvaluationInvalid with too few."""
        self._people = people
        self._count = int(people.max()) + 1
        counts = np.bincount(people)
        folds = min(FOLDS, self._count // 2)
        if folds < 2 or counts.min() < 2:
            raise EvaluationInvalid("the test needs four people or more, with two photos or more each")
        first, second = np.triu_indices(len(people), 1)
        is_mated = people[first] == people[second]
        first, second = first[is_mated], second[is_mated]
        others = _strangers(people, first, folds)
        owners = people[first]
        self._first, self._second = np.tile(first, 2), np.append(second, others)
        self._is_same = np.repeat([True, False], len(first))
        self._folds = np.tile(owners % folds, 2)
        self._weights = np.tile(1 / np.bincount(owners, minlength=self._count)[owners], 2)

    def rates(self, vectors: Floats) -> tuple[SeedRate, SeedRate]:
        """Return the accuracy and the true match rate at FMR 1e-3 of unit vectors (n, d) of the photos."""
        similarities = np.einsum("nd,nd->n", vectors[self._first], vectors[self._second]).astype(np.float64)
        first, second = self._people[self._first], self._people[self._second]

        def accuracy(multiplicities: Doubles) -> float:
            weights = self._weights * pair_weights(multiplicities, first, second)
            return cross_validate(similarities, self._is_same, self._folds, weights).mean

        return self._rate(accuracy), self._rate(true_match_rate(vectors, self._people, FMR))

    def _rate(self, figure: Callable[[Doubles], float]) -> SeedRate:
        drawn = draw_multiplicities(self._count, REPLICATES)
        return SeedRate(figure(np.ones(self._count)), tuple(figure(weights) for weights in drawn))


def _strangers(people: Ints, first: Ints, folds: int) -> Ints:
    """Return a random photo (n,) of another person of the same fold for each photo `first` (n,); deterministic."""
    generator = np.random.default_rng(_SEED)
    strangers = np.empty(len(first), np.intp)
    for fold in range(folds):
        places = np.flatnonzero(people % folds == fold)
        is_here = people[first] % folds == fold
        owners = people[first[is_here]]
        drawn = generator.choice(places, len(owners))
        while (is_own := people[drawn] == owners).any():
            drawn[is_own] = generator.choice(places, int(is_own.sum()))
        strangers[is_here] = drawn
    return strangers
