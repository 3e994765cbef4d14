import threading
from types import SimpleNamespace

import pytest

from app.errors import CollectionUnknown
from app.watch.frame_analysis import Courtesy, FrameAnalysis
from app.watch.newest_frame import NewestFrames
from app.watch.watched_camera import WatchedCamera
from tests.watch.fakes import FakeSink, FakeTracks, camera, frame


@pytest.fixture
def door():
    return WatchedCamera(camera(), FakeTracks(), FakeSink())


def searching(frames, watched, courtesy=None):
    return FrameAnalysis(frames, watched, courtesy or Courtesy(), threads=1)


def test_frames_are_searched(door):
    frames = NewestFrames()
    analysis = searching(frames, {"door": door})
    frames.put("door", frame())
    frames.put("gate", frame())
    analysis.start()
    assert door._sink.is_recorded.wait(20)
    analysis.stop()
    assert door.counts.frames == 1


def test_a_failure_stops_nothing(door):
    frames, sink = NewestFrames(), FakeSink()
    other = WatchedCamera(camera(camera_id="gate"), FakeTracks(), sink)
    door._tracks.error = CollectionUnknown("gone")
    analysis = searching(frames, {"door": door, "gate": other})
    frames.put("door", frame())
    frames.put("gate", frame())
    analysis.start()
    assert sink.is_recorded.wait(20)
    analysis.stop()


def test_requests_come_first(door):
    is_full, looked = threading.Event(), threading.Event()
    is_full.set()

    def look():
        looked.set()
        return is_full.is_set()

    courtesy, frames = Courtesy(), NewestFrames()
    courtesy.give_way_to(SimpleNamespace(is_full=look, has_waiting=lambda: True))
    analysis = searching(frames, {"door": door}, courtesy)
    frames.put("door", frame())
    analysis.start()
    assert looked.wait(20)
    is_full.clear()
    assert door._sink.is_recorded.wait(20)
    analysis.stop()


def test_a_busy_service_searches_a_frame_now_and_then():
    courtesy = Courtesy()
    assert not courtesy.has_waiting()
    courtesy.give_way_to(SimpleNamespace(is_full=lambda: True, has_waiting=lambda: True))
    courtesy.wait(patience=0.01)
    assert courtesy.has_waiting()
