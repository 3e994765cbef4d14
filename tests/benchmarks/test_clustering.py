"""benchmarks/clustering.py: its measures of right groups, and its methods that need no library."""

import numpy as np
import pytest
from clustering_methods import all_methods
from clustering_sets import KnownFaces, chained, rightness

from tests.recognition.clustering.crowd import crowd, partition
from tests.recognition.fakes import calibration


def test_pairs_and_bcubed_are_counted():
    person, ids = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 1, 2, 0])
    found = {name: each.value for name, each in rightness(person, ids).items()}
    assert found["precision"] == pytest.approx(1 / 3)
    assert found["recall"] == pytest.approx(1 / 4)
    assert found["BCubed precision"] == pytest.approx((2 / 3 * 2 + 1 / 3 + 3) / 6)
    assert found["BCubed recall"] == pytest.approx((2 / 3 * 2 + 1 / 3 + 1 / 2 * 2 + 1) / 6)


def test_intervals_are_over_people():
    person = np.repeat(np.arange(20), 3)
    estimate = rightness(person, np.where(np.arange(60) < 30, person + 1, 0), replicates=50)["recall"]
    assert estimate.value == pytest.approx(0.5)
    assert estimate.interval is not None
    assert estimate.interval[0] < 0.5 < estimate.interval[1]


def test_only_people_who_were_apart_are_chained():
    person = np.array([0, 1, 2, 3])
    assert chained(person, np.array([1, 1, 2]), np.array([1, 1, 1, 1])) == 2


@pytest.mark.parametrize("name", ["ArcID", "connected components", "Chinese whispers"])
def test_methods_find_people_who_differ(name):
    people = crowd([6, 5, 4])
    method = next(each for each in all_methods(calibration(start=0.3)) if each.name.startswith(name))
    assert any(partition(cluster(people.faces())) == partition(people.people + 1) for _, cluster in method.settings)


def test_sets_have_people_with_several_photos_and_strangers():
    people = crowd([40, 4, 3, *[1] * 30])
    known = KnownFaces(people.vectors, np.ones(77, np.float32), np.ones(77, np.float32), people.people)
    drawn = np.bincount(known.drawn(50, np.random.default_rng(0)).person)
    assert drawn.max() <= 30
    assert 10 <= (drawn == 1).sum() <= 30
    assert drawn.sum() == 50
