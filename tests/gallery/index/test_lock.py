import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from app.gallery.index.storage.folder_lock import ReadWriteLock

SOON = 0.05  # long enough for an unblocked thread to continue
LONG = 10


@pytest.fixture
def lock():
    return ReadWriteLock()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


class Holder:
    """Holds the lock in a separate thread until the test releases it."""

    def __init__(self, pool: ThreadPoolExecutor, filter_present: AbstractContextManager[None]) -> None:
        self.got, self.may_go = threading.Event(), threading.Event()
        self._done = pool.submit(self._hold, filter_present)

    def _hold(self, filter_present: AbstractContextManager[None]) -> None:
        with filter_present:
            self.got.set()
            assert self.may_go.wait(LONG)

    def let_go(self) -> None:
        self.may_go.set()
        self._done.result(LONG)


def test_readers_share(lock, pool):
    readers = [Holder(pool, lock.reading()) for _ in range(4)]
    assert all(reader.got.wait(LONG) for reader in readers)
    for reader in readers:
        reader.let_go()


def test_a_writer_waits_for_the_last_reader(lock, pool):
    readers = [Holder(pool, lock.reading()) for _ in range(2)]
    assert all(reader.got.wait(LONG) for reader in readers)
    writer = Holder(pool, lock.writing())
    readers[0].let_go()
    assert not writer.got.wait(SOON)
    readers[1].let_go()
    assert writer.got.wait(LONG)
    writer.let_go()


def test_a_writer_excludes_readers_and_writers(lock, pool):
    writer = Holder(pool, lock.writing())
    assert writer.got.wait(LONG)
    others = [Holder(pool, lock.reading()), Holder(pool, lock.writing())]
    assert not any(other.got.wait(SOON) for other in others)
    writer.let_go()
    for other in others:
        other.may_go.set()
    assert all(other.got.wait(LONG) for other in others)
    for other in others:
        other.let_go()


def test_a_waiting_writer_goes_before_new_readers(lock, pool):
    first = Holder(pool, lock.reading())
    assert first.got.wait(LONG)
    writer = Holder(pool, lock.writing())
    while not lock._waiting_writers:
        time.sleep(0.001)
    late = Holder(pool, lock.reading())
    assert not late.got.wait(SOON)
    first.let_go()
    assert writer.got.wait(LONG)
    assert not late.got.wait(SOON)
    writer.let_go()
    assert late.got.wait(LONG)
    late.let_go()


def test_readers_who_waited_go_before_the_next_writer(lock, pool):
    first = Holder(pool, lock.writing())
    assert first.got.wait(LONG)
    readers = [Holder(pool, lock.reading()) for _ in range(2)]
    while lock._waiting_readers < 2:
        time.sleep(0.001)
    second = Holder(pool, lock.writing())
    while not lock._waiting_writers:
        time.sleep(0.001)
    first.let_go()
    assert all(reader.got.wait(LONG) for reader in readers)
    assert not second.got.wait(SOON)
    for reader in readers:
        reader.let_go()
    assert second.got.wait(LONG)
    second.let_go()


def test_writers_without_a_pause_do_not_keep_readers_out(lock, pool):
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            with lock.writing():
                pass

    writers = [pool.submit(write) for _ in range(2)]
    started = time.monotonic()
    for _ in range(20):
        with lock.reading():
            pass
    waited = time.monotonic() - started
    done.set()
    for writer in writers:
        writer.result(LONG)
    assert waited < LONG


@pytest.mark.parametrize("name", ["reading", "writing"])
def test_an_error_inside_lets_go(lock, pool, name):
    with pytest.raises(ValueError, match="inside"), getattr(lock, name)():
        raise ValueError("inside")
    writer = Holder(pool, lock.writing())
    assert writer.got.wait(LONG)
    writer.let_go()


def test_no_update_is_lost(lock, pool):
    counter = 0

    def count() -> None:
        nonlocal counter
        for _ in range(50):
            with lock.writing():
                seen = counter
                time.sleep(0)
                counter = seen + 1

    for done in [pool.submit(count) for _ in range(8)]:
        done.result(LONG)
    assert counter == 400
