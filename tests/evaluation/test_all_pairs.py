"""Histograms of blocks, compared with a loop over all pairs."""

import itertools

import numpy as np
import pytest

from app.evaluation import blocks, bootstrap
from app.evaluation.all_pairs import compare_all, comparison_count
from app.evaluation.blocks import BINS, bin_edges
from app.evaluation.bootstrap import draw_multiplicities
from tests.evaluation.fakes import random_people


def looked_at(photos):
    """Yield every pair with two faces: its similarity and its photos."""
    result = []
    for one, two in itertools.combinations(np.flatnonzero(photos.has_face), 2):
        first, second = photos.embeddings[one].astype(float), photos.embeddings[two].astype(float)
        cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        result.append((cosine, one, two))
    return result


@pytest.fixture(params=[7, 1024])
def block(request, monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK", request.param)


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_is_counted_once(seed, block):
    photos = random_people(seed)
    steps: list[int] = []
    result, expected = compare_all(photos, replicates=0, advance=steps.append), looked_at(photos)
    assert sum(steps) == comparison_count(photos) == len(expected)
    people = photos.people
    for counted, is_same in ((result.genuine, True), (result.impostor, False)):
        values = sorted(value for value, one, two in expected if (people[one] == people[two]) == is_same)
        assert counted.sum() == len(values)
        np.testing.assert_allclose(np.repeat(bin_edges(), counted.astype(int)), values, atol=2.1 / BINS)
    lost = sum(
        people[one] == people[two] and not (photos.has_face[one] and photos.has_face[two])
        for one, two in itertools.combinations(range(len(people)), 2)
    )
    assert result.curve.tar[0] == pytest.approx(result.genuine.sum() / (result.genuine.sum() + lost))


def test_the_hardest_pairs_are_named(block):
    photos = random_people(5)
    people, expected = photos.people, looked_at(photos)
    result = compare_all(photos, replicates=0)
    impostors = sorted((each for each in expected if people[each[1]] != people[each[2]]), reverse=True)
    genuine = sorted(each for each in expected if people[each[1]] == people[each[2]])
    assert [each[1:] for each in result.hard_impostor] == [each[1:] for each in impostors[:20]]
    assert [tuple(sorted(each[1:])) for each in result.hard_genuine] == [each[1:] for each in genuine[:20]]


def test_intervals_are_those_of_the_resampled_people(block):
    photos = random_people(6, lost=0)
    result = compare_all(photos, replicates=50).estimates["tar@1e-1"]
    people, samples = photos.people, []
    for multiplicities in draw_multiplicities(12, 50):
        genuine, impostor = [], []
        for value, one, two in looked_at(photos):
            if people[one] == people[two]:
                genuine.append((value, multiplicities[people[one]]))
            else:
                impostor.append((value, multiplicities[people[one]] * multiplicities[people[two]]))
        allowed = 0.1 * sum(weight for _, weight in impostor)
        passed, bar = 0.0, 2.0
        for value, weight in sorted(impostor, reverse=True):
            passed += weight
            if passed > allowed:
                bar = value
                break
        total = sum(weight for _, weight in genuine)
        samples.append(sum(weight for value, weight in genuine if value > bar) / total)
    assert result.interval == pytest.approx(tuple(np.percentile(samples, (2.5, 97.5))), abs=0.02)


def test_too_many_comparisons_get_no_interval(monkeypatch):
    monkeypatch.setattr(bootstrap, "_MAX_WEIGHTED_COMPARISONS", 1000)
    assert compare_all(random_people(1), replicates=100).estimates["eer"].interval is None
