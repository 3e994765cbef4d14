"""Counts by group, compared with loops over all pairs of photos of a set in which people are repeated."""

from itertools import combinations

import numpy as np
import pytest

from app.evaluation import blocks
from app.evaluation.bootstrap import draw_multiplicities
from app.evaluation.curves import Comparisons, threshold_at
from app.evaluation.groups.evaluation import GroupEvaluation
from app.evaluation.groups.group_rates import measure_rate
from app.evaluation.groups.group_table import Grouping
from app.evaluation.values import normalise
from tests.evaluation.fakes import random_people

REPLICATES = 30
MAX_FMRS = [0.02, 0.2]
PEOPLE = 12
ROUNDING = 1e-6


class FixedCalibration:
    """Stand-in for a calibration: the same threshold for every rate."""

    def threshold(self, _rate):
        return 0.6


@pytest.fixture(params=[7, 1024], ids=["small blocks", "one block"])
def scene(request, monkeypatch):
    """Photos of twelve people, some without a face, and their groups: one person has photos in two groups."""
    monkeypatch.setattr(blocks, "_BLOCK", request.param)
    embedded = random_people(5, people=PEOPLE, photos=4, noise=0.9, lost=4)
    of_photo = np.array([-1, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1])[embedded.people]
    of_photo[np.flatnonzero(embedded.people == 3)[0]] = 0
    evaluation = GroupEvaluation(
        embedded,
        max_fmrs=MAX_FMRS,
        calibration=FixedCalibration(),  # type: ignore[arg-type]
        replicates=REPLICATES,
    )
    return embedded, Grouping("colour", ("a", "b", "c"), of_photo), evaluation


def multiplicities():
    return np.concatenate([np.ones((1, PEOPLE)), draw_multiplicities(PEOPLE, REPLICATES)])


def pairs_of(embedded):
    """Yield each pair of photos: whether it is genuine, its people, the photos, and its similarity (-inf: no face)."""
    vectors, people = normalise(embedded.embeddings).astype(np.float32), embedded.people
    cosines = np.nan_to_num(vectors @ vectors.T, nan=-np.inf).astype(np.float64)
    for one, two in combinations(range(len(people)), 2):
        yield people[one] == people[two], people[one], people[two], one, two, cosines[one, two]


def test_counts_are_those_of_loops(scene):
    embedded, grouping, evaluation = scene
    groups = grouping.of_photo
    assert [(point.max_fmr, point.origin) for point in evaluation.points] == [
        (0.02, "calibration"),
        (0.2, "calibration"),
        (0.02, "set"),
        (0.2, "set"),
    ]
    for point in evaluation.points:
        counts = evaluation.counts(grouping, point)
        for row, weights in enumerate(multiplicities()):
            matches, impostors = np.zeros((2, 3, 3)), np.zeros((3, 3))
            misses, genuine = np.zeros((2, 3)), np.zeros(3)
            # A threshold may be the similarity of a pair, which rounds differently on other processors.
            around = point.thresholds[row] + np.array([ROUNDING, -ROUNDING])
            for is_genuine, first, second, one, two, similarity in pairs_of(embedded):
                a, b = groups[one], groups[two]
                if min(a, b) < 0:
                    continue
                if is_genuine and a == b:
                    genuine[a] += weights[first]
                    misses[:, a] += weights[first] * (similarity < around)
                if not is_genuine and np.isfinite(similarity):
                    weight = weights[first] * weights[second]
                    for cell in {(a, b), (b, a)}:
                        impostors[cell] += weight
                        matches[:, *cell] += weight * (similarity >= around)
            if np.isnan(point.thresholds[row]):
                assert np.isnan(counts.false_matches[row]).all()
                continue
            assert (matches[0] - ROUNDING <= counts.false_matches[row]).all()
            assert (counts.false_matches[row] <= matches[1] + ROUNDING).all()
            np.testing.assert_allclose(counts.impostors[row], impostors)
            assert (misses[1] - ROUNDING <= counts.false_non_matches[row]).all()
            assert (counts.false_non_matches[row] <= misses[0] + ROUNDING).all()
            np.testing.assert_allclose(counts.genuine[row], genuine)
    assert counts.people.tolist() == [5, 4, 3]


def test_errors_come_from_people(scene):
    embedded, grouping, evaluation = scene
    point = evaluation.points[1]
    counts = evaluation.counts(grouping, point)
    matched, missed = set(), set()
    for is_genuine, first, second, one, two, similarity in pairs_of(embedded):
        a, b = sorted((grouping.of_photo[one], grouping.of_photo[two]))
        if is_genuine and a == b >= 0 and similarity < point.thresholds[0]:
            missed.add((a, first))
        if not is_genuine and a >= 0 and similarity >= point.thresholds[0]:
            matched.add((a, b, *sorted((first, second))))
    for a in range(3):
        assert counts.missed_people[a] == sum(cell == a for cell, _ in missed)
        for b in range(a, 3):
            assert counts.matched_people[a, b] == sum(cell == (a, b) for cell in (entry[:2] for entry in matched))
    assert counts.fmr(0, 1).cases == 5 * 4
    assert counts.fmr(0, 0).cases == 10


def test_thresholds_of_the_set_are_those_of_the_curve(scene):
    """Each replicate has the same false matches and misses at its threshold as the ROC curve of its weights."""
    embedded, _, evaluation = scene
    pairs = list(pairs_of(embedded))
    genuine = [pair for pair in pairs if pair[0]]
    impostor = [pair for pair in pairs if not pair[0] and np.isfinite(pair[-1])]
    scores = [np.array([pair[-1] for pair in side]) for side in (genuine, impostor)]
    comparisons = Comparisons(*scores)
    for point in evaluation.points[2:]:
        matches, misses = evaluation.overall(point)
        for row, weights in enumerate(multiplicities()):
            curve = comparisons.curve(
                np.array([weights[pair[1]] for pair in genuine]),
                np.array([weights[pair[1]] * weights[pair[2]] for pair in impostor]),
            )
            at = threshold_at(curve, point.max_fmr)
            assert matches.rates[row] == pytest.approx(curve.far[at])
            assert misses.rates[row] == pytest.approx(1 - curve.tar[at])


def test_a_rate_that_the_set_does_not_support_has_no_threshold():
    evaluation = GroupEvaluation(random_people(1), max_fmrs=[1e-3, 0.1], calibration=None, replicates=0)
    low, high = evaluation.points
    assert np.isnan(low.thresholds).all()
    assert np.isfinite(high.thresholds).all()
    assert evaluation.replicates == 0


def test_within_and_across_add_up(scene):
    _, grouping, evaluation = scene
    counts = evaluation.counts(grouping, evaluation.points[1])
    upper = np.triu_indices(3)
    np.testing.assert_allclose(counts.within().pairs + counts.across().pairs, counts.impostors[:, *upper].sum(axis=1))
    np.testing.assert_allclose(
        counts.within().errors + counts.across().errors, counts.false_matches[:, *upper].sum(axis=1)
    )
    assert counts.within().independent == 2 + 2 + 1
    assert counts.across().independent == 6


def test_random_groups_have_the_rates_of_the_whole(scene):
    """The mean over many deals is the rate of all pairs of the groups, and a person in two groups is refused."""
    embedded, _, evaluation = scene
    clean = Grouping("half", ("x", "y"), np.arange(PEOPLE)[embedded.people] % 2)
    point = evaluation.points[1]
    matches, misses = evaluation.overall(point)
    dealt = evaluation.fmrs_by_chance(clean, point, [0, 1])
    assert dealt.shape == (REPLICATES, 2)
    assert dealt.mean() == pytest.approx(matches.rates[0], rel=0.25)
    assert evaluation.fnmrs_by_chance(clean, point, [0, 1]).mean() == pytest.approx(misses.rates[0], rel=0.25)


def test_no_deals_if_a_person_is_in_two_groups(scene):
    _, grouping, evaluation = scene
    assert evaluation.fmrs_by_chance(grouping, evaluation.points[1], [0, 2]).shape == (0, 2)
    assert evaluation.fmrs_by_chance(grouping, evaluation.points[1], [1, 2]).shape == (REPLICATES, 2)


@pytest.mark.parametrize(("people", "photos"), [(1, 5), (6, 1)], ids=["one person", "one photo each"])
def test_sets_with_pairs_of_one_kind(people, photos):
    embedded = random_people(2, people=people, photos=photos, lost=0)
    grouping = Grouping("colour", ("a", "b"), embedded.people % 2)
    calibration = FixedCalibration()
    evaluation = GroupEvaluation(embedded, max_fmrs=[0.1], calibration=calibration, replicates=5)  # type: ignore[arg-type]
    counts = evaluation.counts(grouping, evaluation.points[0])
    assert measure_rate(counts.across()).note == ("no pairs" if people == 1 else "too few people: fewer than 10")
    assert measure_rate(counts.fnmr(0)).note == ("no pairs" if photos == 1 else "too few people: fewer than 10")
