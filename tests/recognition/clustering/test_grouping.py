from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recognition.clustering.face_groups import NO_GROUP, FaceGroups
from app.recognition.clustering.grouping import group_faces
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale
from app.recognition.decisions.matching import template_of
from tests.recognition.clustering.crowd import crowd, partition
from tests.recognition.fakes import calibration

CURVE = calibration(start=0.3)
RULE = GroupingRule(CURVE, max_false=1e-3)
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=12)


def group(people, rule=RULE, **known):
    return group_faces(people.faces(**known), FaceGroups.none(len(people.vectors)), rule)


def extended(groups, count):
    """Return groups with further faces, which are in none yet."""
    return replace(groups, ids=np.concatenate([groups.ids, np.zeros(count - len(groups.ids), np.int64)]), merged={})


def test_people_become_groups_and_strangers_stay_alone():
    people = crowd([5, 3, 2, 1, 1])
    groups = group(people)
    alone = np.isin(people.people, [3, 4])
    assert partition(groups.ids) == partition(np.where(alone, NO_GROUP, people.people + 1))
    assert (groups.ids[alone] == NO_GROUP).all()
    assert groups.last_id == 3
    assert groups.ids[groups.ids > 0][0] == 1  # in the order of the first faces


def test_no_faces_are_no_groups():
    assert group(crowd([])).ids.shape == (0,)


def test_equal_faces_are_one_group():
    people = crowd([1]).part(np.zeros(5, np.intp))
    assert group(people).ids.tolist() == [1] * 5


@given(SIZES, st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_faces_does_not_matter(sizes, seed, random):
    people = crowd(sizes, seed=seed, likeness=0.45)
    order = np.array(random.sample(range(len(people.people)), len(people.people)))
    groups, others = group(people), group(people.part(order))
    back = np.empty_like(others.ids)
    back[order] = others.ids
    assert partition(back) == partition(groups.ids)


@given(SIZES, st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_no_groups_are_left_that_the_rule_would_merge(sizes, seed):
    people = crowd(sizes, seed=seed, likeness=0.45)
    ids = group(people).ids
    parts = [list(each) for each in partition(ids)] + [[place] for place in np.flatnonzero(ids == NO_GROUP)]
    threshold = RULE.threshold(len(ids))
    for place, one in enumerate(parts):
        for other in parts[:place]:
            both = [template_of(people.vectors[each], np.full(len(each), 0.8, np.float32)) for each in (one, other)]
            scale = TemplateScale.of(CURVE, TemplateComparisons(1, len(one), len(other)))
            assert scale.to_single(float(both[0] @ both[1])) < threshold + 1e-5


@given(SIZES, st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_faces_of_one_photo_are_never_together(sizes, seed):
    people = crowd(sizes, seed=seed)
    photos = np.random.default_rng(seed).integers(0, 4, len(people.people))
    ids = group(people, photos=photos).ids
    for each in np.unique(ids[ids > 0]):
        assert len(set(photos[ids == each].tolist())) == (ids == each).sum()


def test_a_persons_word_counts():
    people = crowd([4, 4])
    first, second = (np.flatnonzero(people.people == person).tolist() for person in (0, 1))
    merged = group_faces(people.faces(together=((first[0], second[0]),)), group(people), RULE)
    assert merged.ids.tolist() == [1] * 8
    assert merged.merged == {2: 1}
    split = group(people, apart=((first[0], first[1]),))
    assert split.ids[first[0]] != split.ids[first[1]]
    # A word to merge counts more than the photo.
    one_photo = group(people, photos=np.zeros(8, np.int64), together=((first[0], first[1]),))
    assert partition(one_photo.ids) == {frozenset(first[:2])}


def test_not_the_same_is_remembered_for_whole_groups():
    people = crowd([6])
    earlier = FaceGroups(np.array([1, 1, 2, 2, 0, 0]), 2)
    rule = replace(RULE, joins_groups=True)
    assert group_faces(people.faces(), earlier, rule).merged == {2: 1}
    kept = group_faces(people.faces(apart_groups=((2, 1), (2, 7))), earlier, rule)
    assert not kept.merged
    assert kept.ids[:4].tolist() == [1, 1, 2, 2]


@given(SIZES, st.integers(0, 1000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_groups_keep_their_ids_and_faces_as_the_collection_doubles(sizes, seed, joins_groups):
    people = crowd(sizes * 2, seed=seed, likeness=0.45)
    half = len(people.people) // 2
    rule = replace(RULE, joins_groups=joins_groups)
    before = group(people.part(slice(half)), rule)
    after = group_faces(people.faces(), extended(before, len(people.people)), rule)
    for old, new in zip(before.ids.tolist(), after.ids.tolist(), strict=False):
        assert old == NO_GROUP or new == after.merged.get(old, old)
    assert joins_groups or not after.merged
    assert after.last_id >= before.last_id
    again = group_faces(people.faces(), replace(after, merged={}), rule)
    assert partition(again.ids) >= partition(after.ids) or joins_groups


def test_ids_are_not_used_again():
    people = crowd([3, 3])
    groups = group_faces(people.faces(), FaceGroups(np.zeros(6, np.int64), last_id=9), RULE)
    assert sorted(set(groups.ids.tolist())) == [10, 11]


def test_a_group_keeps_its_id_with_one_face():
    people = crowd([1, 1])
    assert group_faces(people.faces(), FaceGroups(np.array([4, 0]), 6), RULE).ids.tolist() == [4, 0]


@pytest.mark.parametrize("middle", [0.8, 0.1])
def test_a_low_quality_face_joins_but_does_not_connect(middle):
    one, other = np.eye(8, dtype=np.float32)[:2]
    between = (one + other) / np.float32(np.sqrt(2))  # as similar to both as nothing else
    vectors = np.stack([one, one, other, other, between * 1.0])
    qualities = np.array([0.8, 0.8, 0.8, 0.8, middle], np.float32)
    people = replace(crowd([1] * 5), vectors=vectors)
    rule = GroupingRule(None, fallback=0.6)
    ids = group(people, rule, qualities=qualities).ids
    assert ids[4] in {1, 2}
    assert ids[:4].tolist() == [1, 1, 2, 2]
    both_low = group(people.part([0, 1]), rule, qualities=np.array([0.1, 0.1], np.float32))
    assert both_low.ids.tolist() == [NO_GROUP, NO_GROUP]


def test_a_calibration_makes_the_rule_stricter_as_the_collection_grows():
    assert RULE.threshold(10) < RULE.threshold(1000) < RULE.threshold(100_000)
    assert GroupingRule(None, fallback=0.4).threshold(100_000) == 0.4
