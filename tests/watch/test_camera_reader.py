import threading

import pytest

from app.errors import CameraUnreachable
from app.watch.camera_reader import CameraReader
from tests.watch.fakes import FakeSource, frame


def reader(source, put):
    return CameraReader("door", lambda _: source, put, jitter=lambda: 1.0)


def test_frames_are_put_until_it_stops():
    source, frames, is_put = FakeSource(), [], threading.Event()

    def put(each):
        frames.append(each)
        is_put.set()

    reading = reader(source, put)
    given = frame()
    source.give(given)
    reading.start()
    assert is_put.wait(20)
    reading.stop()
    source.give(frame())
    reading.join(20)
    assert frames == [given]


def test_it_connects_again_and_waits_longer_each_time():
    reading = reader(FakeSource(), print)
    assert [reading._wait() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_frame_ends_the_waiting():
    source, is_put = FakeSource(), threading.Event()
    reading = reader(source, lambda _: is_put.set())
    reading._waited = 5
    reading._is_failing = True
    source.give(frame())
    source.fail()
    with pytest.raises(CameraUnreachable):
        reading._read()
    assert is_put.is_set()
    assert reading._wait() == 1


def test_jitter_spreads_the_attempts():
    reading = CameraReader("door", lambda _: FakeSource(), print, jitter=lambda: 0.0)
    assert [reading._wait() for _ in range(3)] == [0.5, 1, 2]
