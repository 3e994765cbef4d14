"""A real Redis server for tests: `.ci/redis make test` starts one and sets TEST_REDIS; else the tests skip."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


def redis_url() -> str:
    given = os.environ.get("TEST_REDIS")
    if not given:
        pytest.skip("no Redis: run .ci/redis make test, or set TEST_REDIS to the URL of a server for tests")
    return given


@contextmanager
def redis_at(folder: Path):
    """Run a server that a test may stop and start; yield its socket and the two functions."""
    redis_url()
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip("redis-server is not installed")
    socket, running = folder / "socket", []

    def start():
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
        running.append(subprocess.Popen([command, *options], stdout=subprocess.DEVNULL))
        while not socket.exists():
            time.sleep(0.02)

    def stop():
        for each in running:
            each.terminate()
            each.wait()
        running.clear()

    start()
    try:
        yield f"unix://{socket}", start, stop
    finally:
        stop()
