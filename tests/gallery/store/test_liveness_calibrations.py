"""Calibrations of liveness in the database: versions of a collection, which every replica reads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from app.access.trail import Trail
from app.database.liveness_calibration_table import LivenessCalibrationTable
from app.errors import CollectionUnknown
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.liveness_calibrations import LivenessCalibration, LivenessCalibrationRepository, MeasuredRate
from tests.gallery.store.enrolling import D

MADE = LivenessCalibration(
    at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    fingerprint="0" * 64,
    sha256s={"net.onnx": "1" * 64},
    detector="yunet",
    live_from=0.7,
    attack_below=0.4,
    max_bpcer=0.05,
    max_apcer=None,
    bpcer=MeasuredRate(4, 100, 80, 0.04, (0.01, 0.08), None),
    apcer={"print": MeasuredRate(0, 15, 15, None, None, 0.18)},
)


@pytest.fixture
def repository(engine):
    return LivenessCalibrationRepository(engine)


@pytest.fixture
def collection(store):
    return store.create_collection("people", model="net", dimension=D)


def test_the_newest_version_is_read_as_it_was_written(repository, collection):
    assert repository.newest(collection) is None
    assert repository.write("people", MADE) == replace(MADE, version=1)
    second = repository.write("people", replace(MADE, live_from=0.9))
    assert second.version == 2
    assert repository.newest(collection) == second


def test_each_collection_has_its_own(repository, store, collection):
    other = store.create_collection("others", model="net", dimension=D)
    repository.write("people", MADE)
    assert repository.newest(other) is None
    assert repository.write("others", MADE).version == 1
    with pytest.raises(CollectionUnknown):
        repository.write("nobody", MADE)


def test_simultaneous_calibrations_get_separate_versions(repository, collection):
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: repository.write("people", MADE).version, range(8)))
    assert sorted(written) == list(range(1, 9))
    assert repository.newest(collection).version == 8


def test_the_audit_trail_names_the_thresholds(repository, engine, collection):
    repository.write(collection.name, MADE)
    (entry,) = [line.entry for line in Trail(engine).lines() if line.entry.action == "collection.changed"]
    assert entry.collection == "people"
    assert entry.detail["liveness_calibration"]["live_from"] == 0.7
    assert Trail(engine).verify().breaks == []


def test_a_collection_takes_its_calibrations_with_it(repository, store, engine, collection):
    repository.write("people", MADE)
    CollectionRepository(engine).delete(store.collection("people"))
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(LivenessCalibrationTable)) == 0
    assert repository.newest(collection) is None
