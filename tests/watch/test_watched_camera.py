import pytest

from app.errors import DatabaseUnavailable
from app.notify.sighting import SightingVerdict
from app.watch.watched_camera import WatchedCamera
from tests.watch.fakes import FakeSink, FakeTracks, camera, frame


def watched(**changes):
    return WatchedCamera(camera(**changes), FakeTracks(), FakeSink())


@pytest.mark.parametrize(("keeps_images", "shot"), [(False, None), (True, b"jpeg")])
def test_images_leave_only_if_the_camera_may_keep_them(keeps_images, shot):
    found = watched(keeps_images=keeps_images)
    found.see(frame())
    assert [each.best_shot for each in found._sink.recorded] == [shot]


def test_sightings_are_recorded_later_if_the_database_is_away():
    found = watched()
    found._sink.error = DatabaseUnavailable("away")
    with pytest.raises(DatabaseUnavailable):
        found.see(frame())
    found._sink.error = None
    found.see(frame())
    assert len(found._sink.recorded) == 2


def test_unrecorded_sightings_are_bounded():
    found = watched()
    found._sink.error = DatabaseUnavailable("away")
    for _ in range(150):
        with pytest.raises(DatabaseUnavailable):
            found.see(frame())
    assert len(found._unrecorded) == 100


def test_frames_are_counted():
    found = watched()
    found.see(frame())
    found.drop(2)
    assert (found.counts.frames, found.counts.dropped, found.counts.open_tracks) == (1, 2, 1)
    found.finish()
    assert found.counts.open_tracks == 0


def test_one_call_is_alone():
    found = watched()
    with found.alone() as first, found.alone() as second:
        assert (first, second) == (True, False)
    with found.alone() as third:
        assert third


def test_unknown_people_are_remembered_once_their_track_has_ended():
    found = watched()
    found._tracks.decision = {"verdict": SightingVerdict.UNKNOWN, "identity_id": None}
    found.see(frame())
    assert found._sink.remembered == []
    found._tracks.tracks.clear()
    found._tracks.decision = {}
    found.see(frame())
    found.finish()
    (remembered,) = found._sink.remembered
    assert (remembered.verdict, remembered.best_shot) == (SightingVerdict.UNKNOWN, b"jpeg")
