from dataclasses import replace

import numpy as np
import pytest

from app.gallery.store.calibration_state import ProbeSums
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.probe_learning import ProbeLearning, ProbeReference
from app.types import CollectionKey

D = 16
COLLECTION = Collection(CollectionKey(1), "uid", "people", "net", D, 1, 30, 30, CollectionSettings())


def unit(seed, count):
    drawn = np.random.default_rng(seed).standard_normal((count, D))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def reference(people=30, below=2.0):
    return ProbeReference(np.arange(people), unit(0, people), tuple(f"p{n}" for n in range(people)), below, 1, people)


def test_sums_are_of_the_mean_and_the_mean_square_of_each_probe():
    probes, people = unit(1, 5), reference()
    scores = (probes @ people.vectors.T).astype(np.float64)
    found = people.sums(probes, [None] * 5)
    assert (found.probes, found.weight) == (5, 5.0)
    assert found.total == pytest.approx(scores.mean(axis=1).sum())
    assert found.squares == pytest.approx((scores**2).mean(axis=1).sum())
    assert found.moments is not None
    assert found.moments.deviation == pytest.approx(scores.std(), rel=1e-6)


def test_the_matched_person_and_look_alikes_do_not_count():
    people = reference(below=0.9)
    without = replace(people, vectors=people.vectors[1:], identity_ids=people.identity_ids[1:], keys=people.keys[1:])
    probe = unit(1, 1)
    assert people.sums(probe, ["p0"]).total == pytest.approx(without.sums(probe, [None]).total)
    own = people.vectors[:1]  # the same photo again, not matched: it is above the threshold for one person
    assert people.sums(own, [None]).total == pytest.approx(without.sums(own, [None]).total)


def test_too_few_people_teach_nothing():
    assert reference(9).sums(unit(1, 3), [None] * 3) == ProbeSums()


def test_the_first_probe_asks_for_people_and_the_next_ones_teach():
    learning = ProbeLearning()
    assert not learning.is_wanted(COLLECTION)
    learning.learn(COLLECTION, unit(1, 2), [None, None])
    assert learning.is_wanted(COLLECTION)
    assert learning.take(COLLECTION) == ProbeSums()
    learning.set_reference(COLLECTION, reference())
    learning.learn(COLLECTION, unit(1, 2), [None, None])
    learning.learn(COLLECTION, unit(2, 1), [None])
    assert learning.take(COLLECTION).probes == 3
    assert learning.take(COLLECTION) == ProbeSums()


def test_a_photo_without_a_good_face_teaches_nothing():
    learning = ProbeLearning()
    learning.learn(COLLECTION, unit(1, 1), [None])
    learning.set_reference(COLLECTION, reference())
    learning.learn(COLLECTION, unit(1, 0), [])
    assert learning.take(COLLECTION) == ProbeSums()


def test_memory_is_bounded():
    learning = ProbeLearning()
    for number in range(300):
        learning.learn(replace(COLLECTION, uid=str(number)), unit(1, 1), [None])
    assert not learning.is_wanted(replace(COLLECTION, uid="0"))
    assert learning.is_wanted(replace(COLLECTION, uid="299"))
    assert len(reference(800).limited().keys) == 500


def test_people_without_a_probe_get_no_reference():
    learning = ProbeLearning()
    learning.set_reference(COLLECTION, reference())
    assert learning.reference(COLLECTION) is None
