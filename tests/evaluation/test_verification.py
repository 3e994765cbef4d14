"""Accuracy over folds, compared with a plain implementation of docs/evaluation.md."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.values import Pairs
from app.evaluation.verification import ACCEPT_ALL, REJECT_ALL, cross_validate, similarities_of, verify
from tests.evaluation.fakes import embedded

similarity = st.integers(-10, 10).map(lambda each: each / 10) | st.just(math.nan)
row = st.tuples(similarity, st.booleans(), st.integers(0, 3))


def restated(rows):
    """Return the mean accuracy and the threshold of each fold."""
    accuracies, thresholds = [], []
    for fold in sorted({number for _, _, number in rows}):
        rest = [(value, same) for value, same, number in rows if number != fold and not math.isnan(value)]
        values = sorted({value for value, _ in rest})
        candidates = [-2.0, *((low + high) / 2 for low, high in itertools.pairwise(values)), 2.0]
        right = [sum((value >= at) == same for value, same in rest) for at in candidates]
        threshold = candidates[right.index(max(right))]
        mine = [(value, same) for value, same, number in rows if number == fold]
        right_ones = [not math.isnan(value) and (value >= threshold) == same for value, same in mine]
        accuracies.append(sum(right_ones) / len(right_ones))
        thresholds.append(threshold)
    return accuracies, thresholds


def decided(rows, weights=None):
    values, same, folds = zip(*rows, strict=True)
    weighted = np.ones(len(rows)) if weights is None else np.array(weights, float)
    return cross_validate(np.array(values, float), np.array(same), np.array(folds), weighted)


@given(st.lists(row, min_size=1, max_size=60))
def test_folds_are_decided_as_documented(rows):
    result = decided(rows)
    accuracies, thresholds = restated(rows)
    assert result.accuracies.tolist() == pytest.approx(accuracies)
    assert result.thresholds.tolist() == pytest.approx(thresholds)
    assert result.mean == pytest.approx(np.mean(accuracies))


@given(st.lists(st.tuples(row, st.integers(0, 3)), min_size=1, max_size=30))
def test_a_weight_is_as_good_as_a_repetition(weighted):
    rows, weights = [row for row, _ in weighted], [weight for _, weight in weighted]
    repeated = [row for row, weight in weighted for _ in range(weight)]
    if {fold for _, _, fold in repeated} != {fold for _, _, fold in rows}:
        return  # a fold without pairs has no accuracy
    result, expected = decided(rows, weights), decided(repeated)
    assert result.accuracies.tolist() == pytest.approx(expected.accuracies.tolist())
    assert result.thresholds.tolist() == expected.thresholds.tolist()


def test_a_fold_of_no_weight_is_left_out():
    rows = [(0.9, True, 0), (0.1, False, 0), (0.2, True, 1)]
    result = decided(rows, [1, 1, 0])
    assert result.mean == 0.5  # without other folds, everything is accepted
    assert math.isnan(result.accuracies[1])


def test_thresholds_beyond_both_ends():
    alike, unlike = [(0.5, True, 0)] * 3, [(0.5, False, 1)] * 3
    result = decided(alike + unlike)
    assert result.thresholds.tolist() == [REJECT_ALL, ACCEPT_ALL]
    assert result.mean == 0


def pairs_of(photos, rows):
    places, same = [(first, second) for first, second, _ in rows], [same for _, _, same in rows]
    return Pairs(photos, np.array(places), np.array(same), np.arange(len(rows)) % 2)


def test_a_missing_face_is_wrong_and_rejected_but_no_evidence_against():
    photos = embedded([[2, 0], [1, 0.1], None, [0, 3], [0.1, 1]], "aaabb")
    pairs = pairs_of(
        photos.photos,
        [
            (0, 1, True),
            (3, 4, True),
            (0, 3, False),
            (1, 4, False),
            (0, 2, True),
            (2, 3, False),
            (1, 3, False),
            (0, 4, False),
        ],
    )
    similarities = similarities_of(photos, pairs.places)
    assert np.isnan(similarities).tolist() == [False] * 4 + [True] * 2 + [False] * 2
    assert similarities[2] == 0
    result = verify(pairs, photos, replicates=20)
    assert result.estimates["accuracy"].value == 6 / 8
    assert result.estimates["tar@1e-1"].value == 2 / 3
    assert result.estimates["auc"].value == pytest.approx(2 / 3)
    assert result.curve.far[0] == 1
    assert result.estimates["failures_to_enroll_rate"].value == 1 / 5
