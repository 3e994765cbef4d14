from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from app.gallery.store.calibration_state import ProbeSums
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.calibration.adaptation import LARGEST_STEP, STATED_FMR
from app.recognition.decisions.calibration.versions import (
    ExaminedState,
    applicable,
    curves,
    is_due,
    look_alike_threshold,
    next_version,
)
from app.types import CollectionKey, ImpostorMoments
from tests.recognition.fakes import calibration

MOMENTS = ImpostorMoments(0.1, 0.087, 2835)
BASE = replace(calibration(), moments=MOMENTS)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_PROBES = ProbeSums()
EMPTY = Collection(CollectionKey(1), "uid", "people", "net", 4, 100, 100, 100, CollectionSettings())
STUDIO = ImpostorMoments(0.2, 0.11, 100)


def following(collection, gallery=STUDIO, probes=NO_PROBES):
    version = next_version(collection, BASE, gallery, probes, now=NOW)
    return collection if version is None else replace(collection, calibration=version)


def settled(collection, gallery=STUDIO, probes=NO_PROBES):
    while (then := following(collection, gallery, probes)) is not collection:
        collection = then
    return collection


def test_a_large_move_takes_several_versions_and_arrives():
    collection, thresholds = EMPTY, [BASE.threshold(STATED_FMR)]
    while (then := following(collection)) is not collection:
        collection = then
        thresholds.append(curves(collection, BASE)[0].threshold(STATED_FMR))
    assert collection.calibration is not None
    assert collection.calibration.version == len(thresholds) - 1 > 3
    assert collection.calibration.is_converged
    assert max(abs(b - a) for a, b in pairwise(thresholds)) <= LARGEST_STEP + 1e-9
    weight = 100 / 102
    assert collection.calibration.gallery.mean == pytest.approx(0.1 + weight * 0.1)


def test_a_first_version_is_written_also_if_nothing_moves():
    collection = settled(EMPTY, replace(MOMENTS, count=50))
    assert collection.calibration is not None
    assert collection.calibration.version == 1
    assert curves(collection, BASE)[0].people == 50


@pytest.mark.parametrize("gallery", [None, ImpostorMoments(0.5, 0.2, 19)])
def test_too_few_people_write_nothing(gallery):
    assert following(EMPTY, gallery) is EMPTY


def test_a_gallery_that_shrinks_goes_back_to_the_fitted_curve():
    assert curves(settled(settled(EMPTY), None), BASE) == (BASE, BASE)


def test_a_calibration_of_version_1_is_never_adapted():
    assert next_version(EMPTY, calibration(), STUDIO, NO_PROBES, now=NOW) is None


def test_another_base_makes_a_version_void():
    collection = settled(EMPTY)
    other = replace(BASE, moments=replace(MOMENTS, mean=0.05))
    assert applicable(collection, other) is None
    assert curves(collection, other) == (other, other)
    assert is_due(collection, other, NO_PROBES, None)
    version = next_version(collection, other, STUDIO, NO_PROBES, now=NOW)
    assert version is not None
    assert collection.calibration is not None
    assert version.version == collection.calibration.version + 1


def test_adaptation_is_turned_off_for_a_collection_or_the_service():
    collection = settled(EMPTY)
    assert curves(collection, BASE)[0].is_adapted
    assert curves(collection, BASE, is_on=False) == (BASE, BASE)
    assert curves(replace(collection, settings=CollectionSettings(is_adaptive=False)), BASE) == (BASE, BASE)


def test_probes_move_only_their_own_curve():
    probes = ProbeSums(100, 100.0, 0.0, 100 * 0.08**2)
    collection = settled(EMPTY, STUDIO, probes)
    of_gallery, of_probes = curves(collection, BASE)
    assert of_probes.threshold(STATED_FMR) < of_gallery.threshold(STATED_FMR)
    assert of_gallery.threshold(STATED_FMR) == pytest.approx(
        curves(settled(EMPTY), BASE)[0].threshold(STATED_FMR), abs=0.002
    )


# When


@pytest.mark.parametrize(
    ("identities", "revision", "probes", "expected"),
    [
        (100, 100, 0, False),
        (104, 104, 0, False),
        (110, 110, 0, True),
        (100, 110, 0, True),  # ten left, ten came
        (91, 109, 0, False),
        (100, 100, 19, False),
        (100, 100, 20, True),
    ],
)
def test_a_collection_is_due_when_a_tenth_of_it_is_new(identities, revision, probes, expected):
    examined = ExaminedState.of(settled(EMPTY), BASE, NO_PROBES)
    collection = replace(settled(EMPTY), identities=identities, revision=revision)
    sums = ProbeSums(probes, float(probes), 0.0, 0.0)
    assert is_due(collection, BASE, sums, None) is expected
    assert is_due(collection, BASE, sums, examined) is expected


def test_an_earlier_look_does_not_count_after_another_version_or_calibration():
    examined = ExaminedState.of(EMPTY, BASE, NO_PROBES)
    assert not is_due(EMPTY, BASE, NO_PROBES, examined)
    assert is_due(following(EMPTY), BASE, NO_PROBES, examined)  # by another replica, and not there yet
    other = replace(BASE, moments=replace(MOMENTS, mean=0.05))
    assert is_due(EMPTY, other, NO_PROBES, examined)


def test_a_collection_without_a_version_is_due_with_twenty_people():
    assert is_due(replace(EMPTY, identities=20), BASE, NO_PROBES, None)
    assert not is_due(replace(EMPTY, identities=19), BASE, NO_PROBES, None)


def test_a_collection_is_due_until_it_arrives():
    assert is_due(following(EMPTY), BASE, NO_PROBES, None)
    assert not is_due(settled(EMPTY), BASE, NO_PROBES, None)


def test_two_people_of_a_larger_gallery_must_be_more_similar_to_count_as_one():
    assert look_alike_threshold(BASE, 20) < look_alike_threshold(BASE, 1000)
