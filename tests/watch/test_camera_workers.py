import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.database.leader_lock import TaskLock
from app.database.vault import Vault
from app.errors import SealBroken
from app.gallery.store.camera_values import CameraState
from app.gallery.store.cameras import CameraRepository
from app.watch.camera_workers import CameraWorkers, WatchOptions
from tests.watch.fakes import SETUP, FakeSink, FakeSource, FakeTracks, frame, posted_setup, setup


@pytest.fixture
def cameras(store, engine):
    store.create_collection("people", model="net", dimension=4)
    return CameraRepository(engine, Vault(engine))


class Service:
    """A process with cameras; its supervisor takes a step only when asked to."""

    def __init__(self, cameras, engine, **options):
        self.sources = {}
        self.tracks = []
        self.sink = FakeSink()
        self.workers = CameraWorkers(
            cameras,
            TaskLock(engine),
            self.sink,
            source_of=self._source_of,
            tracks_of=self._tracks_of,
            options=WatchOptions(every=3600, **options),
        )
        self.workers.start()

    def _source_of(self, camera):
        source = self.sources[camera.setup.camera_id] = FakeSource()
        return lambda _: source

    def _tracks_of(self, _):
        self.tracks.append(FakeTracks())
        return self.tracks[-1]

    def show(self, camera_id="door"):
        self.sink.is_recorded.clear()
        self.sources[camera_id].give(frame())
        assert self.sink.is_recorded.wait(20)


@pytest.fixture
def service(cameras, engine):
    made = Service(cameras, engine)
    yield made
    for source in made.sources.values():
        source.fail()
    made.workers.stop()


def test_a_new_camera_is_watched_without_a_restart(service, cameras):
    service.workers.step()
    assert service.sources == {}
    cameras.create(SETUP, most=10)
    service.workers.step()
    service.show()
    service.workers.step()
    status = cameras.get("door").status
    assert (status.state, status.frames) == (CameraState.CONNECTED, 1)
    assert [each.camera.setup.camera_id for each in service.workers.all_watched()] == ["door"]


def test_a_change_opens_the_camera_again(service, cameras):
    cameras.create(SETUP, most=10)
    service.workers.step()
    first = service.sources["door"]
    cameras.change("door", {"fps": 1.0})
    first.fail()
    service.workers.step()
    assert service.sources["door"] is not first
    assert service.tracks[0].finished == 1
    service.show()


@pytest.mark.parametrize("end", ["delete", "disable"])
def test_a_camera_that_is_gone_is_no_longer_read(service, cameras, end):
    cameras.create(SETUP, most=10)
    service.workers.step()
    service.show()
    cameras.delete("door") if end == "delete" else cameras.change("door", {"is_enabled": False})
    service.sources["door"].fail()
    service.workers.step()
    assert list(service.workers.all_watched()) == []
    assert service.tracks[0].finished == 1


def test_frames_above_the_capacity_are_dropped_and_counted(service, cameras):
    cameras.create(SETUP, most=10)
    service.workers.step()
    go = service.tracks[0].go = threading.Event()
    source = service.sources["door"]
    source.give(frame())
    assert service.tracks[0].at_frame.wait(20)
    last = frame()
    source.give(frame(), frame(), last)
    (watched,) = service.workers.all_watched()
    while watched.counts.dropped < 2:
        time.sleep(0.001)
    go.set()
    while len(service.tracks[0].seen) < 2:
        time.sleep(0.001)
    assert service.tracks[0].seen[-1] == last.at


def test_a_camera_without_frames_is_lost_and_comes_back(cameras, engine):
    service = Service(cameras, engine, lost_seconds=60)
    cameras.create(SETUP, most=10)
    service.workers.step()
    service.show()
    service.workers.step()
    (watched,) = service.workers.all_watched()
    watched.last_frame_at = datetime.now(UTC) - timedelta(seconds=61)
    service.workers.step()
    assert cameras.get("door").status.state is CameraState.LOST
    assert service.tracks[0].finished == 1
    service.show()
    service.workers.step()
    assert cameras.get("door").status.state is CameraState.CONNECTED
    service.sources["door"].fail()
    service.workers.stop()


def test_a_slow_camera_has_time_for_three_frames(cameras, engine):
    service = Service(cameras, engine, lost_seconds=1)
    cameras.create(setup(fps=0.1), most=10)
    service.workers.step()
    (watched,) = service.workers.all_watched()
    watched.last_frame_at = datetime.now(UTC) - timedelta(seconds=25)
    service.workers.step()
    assert cameras.get("door").status.state is CameraState.CONNECTED
    service.sources["door"].fail()
    service.workers.stop()


def test_one_process_reads_a_camera_and_another_takes_over(cameras, engine):
    first, second = Service(cameras, engine), Service(cameras, engine)
    cameras.create(SETUP, most=10)
    first.workers.step()
    second.workers.step()
    assert (list(first.sources), list(second.sources)) == (["door"], [])
    first.sources["door"].fail()
    first.workers.stop()
    second.workers._elsewhere.clear()
    second.workers.step()
    second.show()
    second.sources["door"].fail()
    second.workers.stop()


def test_a_lost_lease_ends_the_reading(service, cameras, engine):
    cameras.create(SETUP, most=10)
    service.workers.step()
    TaskLock(engine).take("camera:door", timedelta(seconds=30))
    service.workers._leases = TaskLock(engine)  # another one than that which took it
    service.workers._reading["door"].noted = 0
    service.sources["door"].fail()
    service.workers.step()
    assert list(service.workers.all_watched()) == []


def test_a_url_that_cannot_be_opened_stops_no_other_camera(service, cameras, monkeypatch):
    for name in ("door", "gate"):
        cameras.create(setup(camera_id=name), most=10)
    get = cameras.get

    def broken(camera_id):
        if camera_id == "door":
            raise SealBroken("changed")
        return get(camera_id)

    monkeypatch.setattr(cameras, "get", broken)
    service.workers.step()
    assert list(service.sources) == ["gate"]


# Cameras whose frames clients post


def test_posted_frames_keep_their_tracks_until_the_camera_changes(service, cameras):
    camera = cameras.create(posted_setup(), most=10)
    service.workers.step()
    watched = service.workers.posted(camera)
    assert service.workers.posted(camera) is watched
    watched.last_frame_at = datetime.now(UTC)
    watched.see(frame())
    service.workers.step()
    status = cameras.get("door").status
    assert (status.state, status.frames, status.open_tracks) == (CameraState.CONNECTED, 1, 1)
    changed = cameras.change("door", {"fps": 1.0})
    service.workers.step()
    assert service.tracks[0].finished == 1
    assert service.workers.posted(changed) is not watched


def test_tracks_of_posted_frames_end_when_frames_stop(service, cameras):
    watched = service.workers.posted(cameras.create(posted_setup(), most=10))
    watched.see(frame(datetime(2020, 1, 1, tzinfo=UTC)))  # old frames are as good as new ones
    service.workers.step()
    assert service.tracks[0].finished == 0
    watched._searched -= 60
    service.workers.step()
    assert service.tracks[0].finished == 1
    assert cameras.get("door").status.state is CameraState.WAITING
