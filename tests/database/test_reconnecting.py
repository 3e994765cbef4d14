from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from app.database.engine import open_engine
from app.database.reconnecting import WAIT_S, Reconnecting, patience
from app.errors import DatabaseUnavailable
from tests.cluster import running


class Away(Exception):
    """The server cannot be reached."""


class Server:
    """A server that is away until a moment; `now` is its clock."""

    def __init__(self, until: float) -> None:
        self.now = 0.0
        self.until = until
        self.attempts = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def connect(self) -> str:
        self.attempts += 1
        if self.now < self.until:
            raise Away
        return "connected"


@pytest.fixture
def server_until(monkeypatch):
    def made(until: float) -> Server:
        server = Server(until)
        monkeypatch.setattr(
            "app.database.reconnecting.time.sleep", lambda seconds: setattr(server, "now", server.now + seconds)
        )
        return server

    return made


def test_a_request_waits_for_a_server_that_restarts(server_until):
    server = server_until(2)
    with patience():
        assert Reconnecting(Away, server.clock).connect(server.connect) == "connected"
    assert server.now == pytest.approx(2)


def test_everything_else_fails_at_once(server_until):
    server = server_until(2)
    with pytest.raises(Away):
        Reconnecting(Away, server.clock).connect(server.connect)
    assert (server.now, server.attempts) == (0, 1)


def test_the_wait_ends_for_all_at_the_same_moment(server_until):
    server = server_until(60)
    reconnecting_to = Reconnecting(Away, server.clock)
    with patience():
        with pytest.raises(Away):
            reconnecting_to.connect(server.connect)
        assert server.now == pytest.approx(WAIT_S, abs=0.2)
        server.attempts = 0
        with pytest.raises(Away):
            reconnecting_to.connect(server.connect)
        assert server.attempts == 1
        server.now = 60
        assert reconnecting_to.connect(server.connect) == "connected"
        server.until = 62  # the next outage has its own wait
        assert reconnecting_to.connect(server.connect) == "connected"


def test_other_failures_are_raised(server_until):
    server_until(0)
    with patience(), pytest.raises(ZeroDivisionError):
        Reconnecting(Away).connect(lambda: 1 // 0)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_request_is_answered_across_a_restart_of_postgresql(mode):
    with running() as cluster:
        engine = open_engine(cluster.url)

        def asked() -> int:
            with patience(), engine.connect() as connection:
                return int(connection.execute(text("SELECT 7")).scalar_one())

        assert asked() == 7
        cluster.stop(mode)
        with pytest.raises(DatabaseUnavailable), engine.connect():
            pass
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(asked) for _ in range(4)]
            cluster.start()
            assert [each.result(timeout=20) for each in waiting] == [7] * 4
        engine.dispose()
