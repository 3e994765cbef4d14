"""Searches, compared with a loop over all candidates."""

import numpy as np
import pytest

from app.errors import EvaluationInvalid
from app.evaluation import identification
from app.evaluation.identification import (
    distractor_counts,
    hardest_distractors,
    identify,
    rank_1_with_distractors,
    search,
    split_gallery,
)
from app.evaluation.values import normalise
from tests.evaluation.fakes import embedded, random_people


@pytest.fixture(params=[5, 2048])
def block(request, monkeypatch):
    monkeypatch.setattr(identification, "_BLOCK", request.param)


def test_who_is_enrolled_and_who_searches():
    result = split_gallery(np.array([1, 0, 1, 2, 0, 1]))
    assert result.gallery.tolist() == [1, 0]
    assert result.probes.tolist() == [4, 2, 5]
    assert result.mates.tolist() == [0, 1, 1]
    assert result.strangers.tolist() == [3]
    with pytest.raises(EvaluationInvalid):
        split_gallery(np.arange(3))


@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_places_in_the_sorted_gallery(seed, block):
    photos = random_people(seed, noise=1.5)
    vectors, roles = normalise(photos.embeddings).astype(np.float32), split_gallery(photos.people)
    result = search(vectors[roles.probes], vectors[roles.gallery], roles.mates)
    for place, (probe, mate) in enumerate(zip(roles.probes, roles.mates, strict=True)):
        cosines = {other: float(vectors[probe] @ vectors[at]) for other, at in enumerate(roles.gallery)}
        cosines = {other: value for other, value in cosines.items() if not np.isnan(value)}
        if mate not in cosines:
            assert result.rank[place] == len(roles.gallery) + 1
            continue
        order = sorted(cosines, key=lambda other: -cosines[other])
        assert result.rank[place] == order.index(mate) + 1
        best = next(other for other in order if other != mate)
        assert (result.other_index[place], result.other[place]) == (best, pytest.approx(cosines[best], abs=1e-6))
    assert result.rank.max() > 2


def test_a_tie_is_no_hit():
    vectors = np.eye(2, dtype=np.float32)[[0, 0, 1]]
    assert search(vectors[:1], vectors, np.array([0])).rank.tolist() == [2]


# Ada and Bob enroll at 0 and 90 degrees; Bob's second probe looks like Ada, one photo of Ada has no face.
SCENE = [[1, 0], [0.9, 0.1], None, [0, 1], [0.1, 0.9], [0.8, 0.6], [0.6, 0.8], [1, 1], None]
WHO = "aaabbbcde"


def test_a_scene_by_hand():
    result = identify(embedded(SCENE, WHO), replicates=50)
    assert result.mated.rank.tolist() == [1, 3, 1, 2]
    assert result.estimates["rank@1"].value == 2 / 4
    assert result.estimates["rank@2"].value == 3 / 4
    assert result.non_mated[:2].tolist() == pytest.approx([0.8, 0.5**0.5])
    assert np.isnan(result.non_mated[2])
    assert not result.split.is_leave_one_out
    assert result.estimates["fnir@1e-1"].value == 1 / 2  # two of four are above 0.8
    assert result.estimates["failures_to_enroll_rate"].value == 2 / 9
    low, high = result.estimates["rank@1"].interval or (1, 0)
    assert low <= 0.5 <= high


def test_an_enrollment_that_failed_is_a_miss():
    result = identify(embedded([None, [1, 0], [0, 1], [0, 1]], "aabb"), replicates=0)
    assert result.estimates["rank@1"].value == 1 / 2
    assert result.split.is_leave_one_out


def test_without_strangers_the_probes_are_searched_without_their_mates():
    result = identify(embedded([[1, 0], [0.9, 0.1], [0, 1], [0.6, 0.8]], "aabb"), replicates=0)
    assert result.split.is_leave_one_out
    assert result.non_mated.tolist() == pytest.approx([0.1 / np.hypot(0.9, 0.1), 0.6], abs=1e-6)


# MegaFace


def test_sizes():
    assert distractor_counts(5) == [5]
    assert distractor_counts(100) == [10, 100]
    assert distractor_counts(1_000_000) == [10, 100, 1000, 10_000, 100_000, 1_000_000]


def test_rank_1_among_distractors(block, tmp_path):
    photos = random_people(3, noise=0.8)
    vectors = normalise(photos.embeddings).astype(np.float32)
    among = np.random.default_rng(9).normal(size=(123, 8)).astype(np.float32)
    np.save(tmp_path / "among.npy", among)
    sizes = distractor_counts(len(among))
    steps: list[int] = []
    mapped = np.load(tmp_path / "among.npy", mmap_mode="r")
    hardest = hardest_distractors(photos, mapped, sizes, steps.append)
    assert sum(steps) == len(among)
    result = rank_1_with_distractors(photos, hardest, sizes, replicates=20)
    others, people = among / np.linalg.norm(among, axis=1)[:, None], photos.people
    for size in sizes:
        hits = [
            (vectors[probe] @ others[:size].T).max() < vectors[probe] @ vectors[mate]
            for probe in range(len(people))
            for mate in range(len(people))
            if probe != mate and people[probe] == people[mate]
        ]
        assert result[str(size)].value == pytest.approx(np.mean(hits))
    assert result["10"].value > result["123"].value


@pytest.mark.parametrize(
    "among", [np.zeros(8), np.zeros((3, 7)), np.zeros((3, 8)), np.full((3, 8), np.nan)], ids=["1-d", "7", "0", "nan"]
)
def test_distractors_that_are_no_embeddings(among):
    with pytest.raises(EvaluationInvalid):
        hardest_distractors(random_people(1), among, [3])
