import threading

import pytest
from structlog.testing import capture_logs

from app.errors import DatabaseUnavailable
from app.periodic_worker import PeriodicWorker


class Counting(PeriodicWorker):
    """Takes steps, the first of which may fail."""

    def __init__(self, *failures):
        super().__init__("counting", every=0.001)
        self.failures = list(failures)
        self.steps = 0
        self.ended = threading.Event()

    def step(self):
        self.steps += 1
        if self.steps > 8:
            self.ended.set()
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure


@pytest.fixture
def run():
    """Run a worker for eight steps, and return what it logged."""

    def run(worker):
        with capture_logs() as logs:
            worker.start()
            assert worker.ended.wait(10)
            worker.stop()
        return [(each["event"], each["error"]) for each in logs]

    return run


def test_it_takes_steps_until_it_is_stopped(run):
    assert run(Counting()) == []
    assert "arcid-counting" not in {each.name for each in threading.enumerate()}


def test_failures_in_a_row_are_logged_once(run):
    failures = [DatabaseUnavailable("away")] * 3
    logs = run(Counting(*failures, None, OSError("disk full")))
    assert logs == [("counting.failed", "database_unavailable"), ("counting.failed", "OSError('disk full')")]
