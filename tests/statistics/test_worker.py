from collections.abc import Mapping

import pytest

from app.errors import DatabaseUnavailable
from app.statistics.counts import Count, Operation
from app.statistics.store import Selection, StatisticsStore
from app.statistics.worker import StatisticsWorker
from tests.clocks import Jumps
from tests.statistics.conftest import NOON


class FailingStore(StatisticsStore):
    """A store whose database does not answer for the first write."""

    is_away = True

    def add(self, counts: Mapping[Count, int]) -> None:
        """Raise DatabaseUnavailable once."""
        if self.is_away:
            self.is_away = False
            raise DatabaseUnavailable("away")
        super().add(counts)


@pytest.fixture
def worker_of(recorder, clock):
    return lambda store: StatisticsWorker(recorder, store, every=0.01, keep_days=2, clock=clock)


@pytest.fixture
def counted(store):
    """Return the sum of all counts."""
    return lambda: sum(each.count for each in store.sums(Selection(0, NOON * 2, 1)))


def test_counts_are_written(worker_of, store, recorder, counted):
    recorder.count(Operation.DETECT, None, 0.1)
    worker_of(store).step()
    assert counted() == 1


def test_a_failed_write_is_repeated(worker_of, engine, recorder, counted):
    worker = worker_of(FailingStore(engine))
    recorder.count(Operation.DETECT, None, 0.1)
    with pytest.raises(DatabaseUnavailable):
        worker.step()
    recorder.count(Operation.DETECT, None, 0.1)
    worker.step()
    assert counted() == 2


def test_the_last_counts_are_written_at_the_end(worker_of, store, recorder, counted):
    worker = worker_of(store)
    worker.start()
    recorder.count(Operation.DETECT, None, 0.1)
    worker.stop()
    assert counted() == 1


def test_a_jump_of_the_clock_deletes_no_counts(store, recorder, clock, counted):
    jumps = Jumps()
    worker = StatisticsWorker(recorder, store, every=1, keep_days=2, clock=clock, settled=jumps.clock)
    recorder.count(Operation.DETECT, None, 0.1)
    worker.step()
    clock.hour += 24 * 40
    jumps.ahead = 40 * 86_400
    worker.step()
    clock.hour -= 24 * 40
    assert counted() == 1


def test_old_counts_are_deleted_once_an_hour(worker_of, store, recorder, clock, counted):
    worker = worker_of(store)
    recorder.count(Operation.DETECT, None, 0.1)
    worker.step()
    clock.hour += 48
    worker.step()
    assert counted() == 1
    clock.hour += 1
    worker.step()
    assert counted() == 0
