import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from app.database.data_version import DataVersion
from app.database.engine import open_engine, sqlite_url
from app.database.table_types import Base
from app.errors import ArcidError, DatabaseUnavailable, IndexUnavailable
from app.gallery import replication as follower_module
from app.gallery.replication import ReplicationWorker
from app.gallery.store.change_log import ChangeLog
from tests.clocks import Jumps
from tests.recognition.enrolling import D, enroll, found, units
from tests.recognition.galleries import gallery_on


def eventually(is_so: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def started(engine):
    """Start a follower of a gallery; all are stopped in the end."""
    running = []

    def started(gallery, *, save_every: float = 60, keep: timedelta = timedelta(days=7)) -> ReplicationWorker:
        follower = ReplicationWorker(gallery, ChangeLog(engine), every=0.01, save_every=save_every, keep=keep)
        follower.start()
        running.append(follower)
        return follower

    yield started
    for each in running:
        each.stop()


@pytest.fixture
def people(gallery):
    """A collection `people` that another process writes to."""
    return gallery.require("people")


@pytest.fixture
def gallery(engine):
    gallery = gallery_on(engine, model="net", dimension=D)
    gallery.ensure("people")
    return gallery


def test_what_others_write_is_found_soon(engine, gallery, people, started):
    own = gallery_on(engine, model="net", dimension=D)
    own.open()
    started(own)
    vector = units(1, seed=1)
    enroll(gallery, people, "ada", vector)
    eventually(lambda: own.states()[0].behind == 0)
    assert found(own, people, vector[0]) == "ada"
    gallery.remove_identity(people, "ada")
    eventually(lambda: own.states()[0].indexed == 0)


def test_what_changed_is_saved(engine, people, gallery, started, tmp_path):
    own = gallery_on(engine, model="net", dimension=D, folder=tmp_path)
    own.open()
    started(own, save_every=0.02)
    enroll(gallery, people, "ada", units(1, seed=1))
    eventually(lambda: any(tmp_path.rglob("*.segment")))


def test_what_is_old_is_forgotten(engine, gallery, people, started, monkeypatch):
    monkeypatch.setattr(follower_module, "_TRIM_EVERY", 0.02)
    enroll(gallery, people, "ada", units(1, seed=1))
    started(gallery, keep=timedelta(days=-1))
    eventually(lambda: ChangeLog(engine).since(people, 0) is None)


def test_a_jump_of_the_clock_shortens_no_log(engine, gallery, people, monkeypatch):
    monkeypatch.setattr(follower_module, "_TRIM_EVERY", 0)
    jumps, log = Jumps(), ChangeLog(engine)
    enroll(gallery, people, "ada", units(1, seed=1))
    keep = timedelta(days=-1)
    follower = ReplicationWorker(gallery, log, every=1, save_every=60, keep=keep, clock=jumps.clock)
    jumps.ahead = -3600
    follower.step()
    assert log.since(people, 0) is not None
    ReplicationWorker(gallery, log, every=1, save_every=60, keep=keep).step()
    assert log.since(people, 0) is None


def test_without_commits_nothing_is_read_and_the_index_is_current(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "a.db"))
    Base.metadata.create_all(engine)
    gallery, own = (gallery_on(engine, model="net", dimension=D) for _ in range(2))
    gallery.ensure("people")
    people = gallery.require("people")
    own.open()
    day = timedelta(days=1)
    follower = ReplicationWorker(own, ChangeLog(engine), every=1, save_every=60, keep=day, version=DataVersion(engine))
    follower.step()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *each: asked.append(each[2]))
    time.sleep(0.3)
    follower.step()
    assert not asked
    vector = units(1, seed=1)
    enroll(gallery, people, "ada", vector)
    (behind,) = own.states()
    assert behind.behind == 1
    assert behind.seconds_behind < 0.3  # since the last step, not since the last write
    follower.step()
    assert asked
    assert own.states()[0].behind == 0
    assert found(own, people, vector[0]) == "ada"
    engine.dispose()


def test_a_failed_step_is_repeated_without_a_commit(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "a.db"))
    gallery = Away([])
    day = timedelta(days=1)
    follower = ReplicationWorker(
        cast("Any", gallery), ChangeLog(engine), every=1, save_every=60, keep=day, version=DataVersion(engine)
    )
    gallery.failures += [IndexUnavailable("away")]
    with pytest.raises(IndexUnavailable):
        follower.step()
    for _ in range(2):
        follower.step()
    assert (gallery.follows, gallery.currents) == (1, 1)
    engine.dispose()


class Away:
    """A gallery that cannot follow for a while."""

    def __init__(self, failures: list[Exception]) -> None:
        self.failures = failures
        self.follows = self.currents = 0
        self.thread: threading.Thread | None = None

    def follow(self) -> None:
        self.thread = threading.current_thread()
        if self.failures:
            raise self.failures.pop()
        self.follows += 1

    def note_current(self) -> None:
        self.currents += 1

    def save(self) -> None:
        pass


@pytest.mark.parametrize(
    "failure", [DatabaseUnavailable("away"), IndexUnavailable("away"), OSError("disk full"), MemoryError()]
)
def test_what_passes_is_survived_and_said_once(started, failure):
    gallery = Away([failure] * 5)
    with capture_logs() as logs:
        follower = started(gallery)
        eventually(lambda: gallery.follows > 2)
        gallery.failures += [failure] * 3
        eventually(lambda: not gallery.failures)
        seen = gallery.follows
        eventually(lambda: gallery.follows > seen)
        follower.stop()
    said = failure.code if isinstance(failure, ArcidError) else repr(failure)
    assert [(log["event"], log["error"]) for log in logs] == [("follower.failed", said)] * 2


def test_it_stops(started):
    gallery = Away([])
    follower = started(gallery)
    eventually(lambda: gallery.follows > 2)
    follower.stop()
    follower.stop()
    assert gallery.thread is not None
    assert not gallery.thread.is_alive()
    seen = gallery.follows
    time.sleep(0.05)
    assert gallery.follows == seen
