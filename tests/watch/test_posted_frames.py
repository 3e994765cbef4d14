from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import cv2
import pytest

from app.errors import CameraTakesNoFrames, RequestInvalid
from app.vision.imaging.decode import Limits, decode
from app.watch.posted_frames import PostedFrames
from app.watch.watched_camera import WatchedCamera
from tests.watch.fakes import FakeSink, FakeTracks, camera, posted_setup
from tests.watch.videos import grey

PHOTO = cv2.imencode(".jpg", grey(100))[1].tobytes()


@pytest.fixture
def door():
    return replace(camera(), setup=posted_setup())


@pytest.fixture
def watched(door):
    return WatchedCamera(door, FakeTracks(), FakeSink())


def posting(watched, is_busy=lambda: False):
    return PostedFrames(lambda _: watched, lambda data: decode(data, Limits()), is_busy)


def test_frames_are_searched_in_order(door, watched):
    result = posting(watched).post(door, [PHOTO] * 3)
    assert result.codes == [None] * 3
    assert len(result.sightings) == len(watched._sink.recorded) == 3
    first, second, third = watched._tracks.seen
    assert second - first == third - second == timedelta(seconds=0.2)


def test_times_with_an_offset_become_utc(door, watched):
    at = datetime.now(timezone(timedelta(hours=1)))
    posting(watched).post(door, [PHOTO], [at])
    (seen,) = watched._tracks.seen
    assert (seen, seen.tzinfo) == (at, UTC)


def test_frames_that_come_too_fast_or_late_are_dropped(door, watched):
    start = datetime.now(UTC) - timedelta(seconds=5)
    times = [start + timedelta(seconds=each) for each in (0, 0.05, 0.2, 0.1, 0.4)]
    result = posting(watched).post(door, [PHOTO] * 5, times)
    assert result.codes == [None, "too_fast", None, "too_late", None]
    assert watched.counts.dropped == 2


def test_a_clock_that_was_set_back_counts_once_the_tracks_have_ended(door, watched):
    now = datetime.now(UTC)
    posted = posting(watched)
    assert posted.post(door, [PHOTO], [now]).codes == [None]
    assert posted.post(door, [PHOTO], [now - timedelta(hours=1)]).codes == ["too_late"]
    watched.finish()
    assert posted.post(door, [PHOTO], [now - timedelta(hours=1)]).codes == [None]


def test_a_photo_that_is_none_has_its_code(door, watched):
    assert posting(watched).post(door, [b"text", PHOTO]).codes == ["not_an_image", None]


def test_a_busy_service_drops_frames(door, watched):
    assert posting(watched, lambda: True).post(door, [PHOTO] * 2).codes == ["busy", "busy"]
    assert watched.counts.dropped == 2
    assert not watched._tracks.seen


def test_frames_are_dropped_while_earlier_ones_are_searched(door, watched):
    with watched.alone():
        assert posting(watched).post(door, [PHOTO]).codes == ["busy"]


def test_requests_that_come_in_the_meantime_come_first(door, watched):
    looks = iter([False, False, True, True])
    assert posting(watched, lambda: next(looks)).post(door, [PHOTO] * 3).codes == [None, "busy", "busy"]


@pytest.mark.parametrize("times", [[datetime(2030, 1, 1, tzinfo=UTC)], [datetime(2025, 1, 1, tzinfo=UTC)] * 2])
def test_times_that_cannot_be_are_refused(door, watched, times):
    with pytest.raises(RequestInvalid):
        posting(watched).post(door, [PHOTO], times)


@pytest.mark.parametrize("setup", [camera().setup, posted_setup(is_enabled=False)])
def test_only_an_enabled_camera_without_a_url_takes_frames(watched, setup):
    with pytest.raises(CameraTakesNoFrames):
        posting(watched).post(replace(camera(), setup=setup), [PHOTO])
