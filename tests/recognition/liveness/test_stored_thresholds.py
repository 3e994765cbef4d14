"""Thresholds of collections: their calibration's if it is of the networks in use, or those of the pack."""

from dataclasses import replace

import pytest

from app.gallery.store.liveness_calibrations import LivenessCalibrationRepository
from app.recognition.liveness.stored_thresholds import StoredThresholds
from app.recognition.liveness.thresholds import LivenessThresholds
from tests.gallery.store.test_liveness_calibrations import MADE

DEFAULT = LivenessThresholds(0.6, 0.3)


class InUse:
    """Networks and detector of the service."""

    fingerprint, detector = MADE.fingerprint, MADE.detector


@pytest.fixture
def in_use():
    return InUse()


@pytest.fixture
def repository(engine):
    return LivenessCalibrationRepository(engine)


@pytest.fixture
def thresholds_of(repository, in_use):
    return StoredThresholds(
        repository,
        fingerprint=lambda: in_use.fingerprint,
        detector_of=lambda _: in_use.detector,
        default=lambda: DEFAULT,
    )


@pytest.fixture
def collection(store):
    return store.create_collection("people", model="net", dimension=4)


def test_without_a_calibration_the_pack_decides(thresholds_of, collection):
    assert thresholds_of(None) == thresholds_of(collection) == DEFAULT
    assert not thresholds_of(collection).is_calibrated
    assert thresholds_of.stale(collection) is None


def test_a_new_calibration_is_used_at_once(thresholds_of, repository, collection):
    repository.write("people", MADE)
    assert thresholds_of(collection) == LivenessThresholds(0.7, 0.4, "people/1")
    repository.write("people", replace(MADE, live_from=0.8))
    assert thresholds_of(collection) == LivenessThresholds(0.8, 0.4, "people/2")
    assert thresholds_of(None) == DEFAULT
    assert thresholds_of.stale(collection) is None


@pytest.mark.parametrize("changed", ["fingerprint", "detector"])
def test_a_calibration_of_another_network_or_detector_is_not_used(
    thresholds_of, repository, collection, in_use, changed
):
    stored = repository.write("people", MADE)
    setattr(in_use, changed, "another")
    assert thresholds_of(collection) == DEFAULT
    assert thresholds_of.stale(collection) == stored
