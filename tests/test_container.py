"""The container: what it opens, when its threads start, and in which order it closes."""

import threading
from functools import cached_property
from inspect import getmembers_static

import pytest

from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.connection import Database
from app.errors import NetworkMissing
from app.gallery.gallery import Gallery
from app.gallery.replication import ReplicationWorker
from app.gallery.retention_worker import RetentionWorker
from app.jobs.runner import JobRunner
from app.notify.delivery_worker import DeliveryWorker
from app.recognition.calibration_worker import CalibrationWorker
from app.recognition.unknown_grouping import GroupingWorker
from app.statistics.worker import StatisticsWorker
from app.watch.camera_workers import CameraWorkers
from app.wiring.model_loading import ModelLoader


def parts(kind):
    return [name for name, _ in getmembers_static(kind, lambda attribute: isinstance(attribute, cached_property))]


def constructed(container):
    return set(parts(type(container))) & set(vars(container))


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("arcid-")}


def test_constructing_starts_no_thread_and_opens_no_network(settings):
    before = threads()
    with Container(settings) as container:
        for name in parts(Container):
            getattr(container, name)
        assert threads() == before
        assert container.models.embedders == {}
        assert container.gallery.states() == []


def test_each_part_is_constructed_once(settings):
    with Container(settings) as container:
        assert all(getattr(container, name) is getattr(container, name) for name in parts(Container))
        assert container.enrollment._gallery is container.health._gallery is container.gallery


@pytest.mark.parametrize(
    ("name", "opened"), [("keys", {"database", "keys"}), ("store", {"database", "current_database", "clock", "store"})]
)
def test_a_command_opens_what_it_touches(settings, name, opened):
    with Container(settings) as container:
        getattr(container, name)
        assert constructed(container) == opened


def test_what_was_started_and_opened_is_closed_in_reverse_order(settings, monkeypatch):
    before = threads()
    closed: list[str] = []
    for kind, name in (
        (ModelLoader, "close"),
        (Database, "__exit__"),
        (Gallery, "release"),
        (Gallery, "save"),
        (ReplicationWorker, "stop"),
        (RetentionWorker, "stop"),
        (DeliveryWorker, "stop"),
        (JobRunner, "stop"),
        (CameraWorkers, "stop"),
        (GroupingWorker, "stop"),
        (CalibrationWorker, "stop"),
        (StatisticsWorker, "stop"),
    ):
        monkeypatch.setattr(kind, name, noting(closed, kind, name))
    container = Container(settings)
    container.start()
    threads_of_workers = {
        "calibration",
        "cameras",
        "delivery",
        "follower",
        "frames-0",
        "grouping",
        "housekeeper",
        "jobs",
        "mqtt",
        "statistics",
    }
    assert threads() - before == {f"arcid-{each}" for each in threads_of_workers}
    assert constructed(container) == set(parts(Container))
    container.close()
    assert threads() == before
    assert closed == [
        "StatisticsWorker.stop",
        "CalibrationWorker.stop",
        "GroupingWorker.stop",
        "CameraWorkers.stop",
        "JobRunner.stop",
        "DeliveryWorker.stop",
        "RetentionWorker.stop",
        "ReplicationWorker.stop",
        "Gallery.save",
        "Gallery.release",
        "Database.__exit__",
        "ModelLoader.close",
    ]
    container.close()
    assert len(closed) == 12


def noting(closed, kind, name):
    """Return a method that notes its call."""
    original = getattr(kind, name)

    def noted(self, *args):
        closed.append(f"{kind.__name__}.{name}")
        return original(self, *args)

    return noted


def test_a_failed_start_leaves_nothing_open(tmp_path):
    before = threads()
    settings = read_settings(data_dir=tmp_path / "data", models_dir=tmp_path)
    prepare_database(settings)
    with Container(settings) as container, pytest.raises(NetworkMissing):
        container.start()
    assert threads() == before
    assert "gallery" not in vars(container)
