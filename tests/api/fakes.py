"""A service without networks or database, and clients that see every byte of what a real server does."""

import asyncio
import base64
import json
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from socket import create_server
from types import SimpleNamespace

from app.access.keys import ANONYMOUS
from app.cli.serve import configured_server
from app.config import read_settings
from app.container import Container
from app.errors import NetworkMissing
from app.notify.delivery_log import Backlog
from app.notify.delivery_worker import DeliveryCounts
from app.observability import logs
from app.recognition.attributes import AttributeService
from app.recognition.identification import Identification
from app.recognition.liveness.gate import LivenessGate
from app.types import Effort
from app.vision.inference.runtime import Runtime
from app.watch.frame_analysis import Courtesy

HOST = "127.0.0.1"


class Identifying:
    """Finds nobody, after `seconds` or once `go` is set; remembers how many photos it saw, and how many at once."""

    def __init__(self, seconds=0.0, go=None):
        self.seconds, self.go = seconds, go
        self.seen = self.now = self.most = 0
        self._lock = threading.Lock()

    def identify(self, _photo, **_):
        with self._lock:
            self.seen, self.now = self.seen + 1, self.now + 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        if self.go is not None:
            self.go.wait(20)
        with self._lock:
            self.now -= 1
        return Identification([], 0.5)


def started(settings, sealer=None):
    """Return a started container; with `sealer`, it keeps crops."""
    container = Container(settings, sealer=sealer)
    container.start()
    return container


def failing_to_open():
    raise NetworkMissing("this service has no networks of attributes")


def services_of(identifying):
    return SimpleNamespace(
        identification=identifying,
        recorder=None,
        access=SimpleNamespace(needs_refresh=lambda _: False, principal=lambda _: ANONYMOUS),
        registry=SimpleNamespace(default=SimpleNamespace(pack="fake", model="fake", detector="fake"), models=["fake"]),
        store=SimpleNamespace(collections=list),
        models=SimpleNamespace(runtime=Runtime(), embedders={}),
        liveness_gate=LivenessGate(),
        camera_workers=SimpleNamespace(courtesy=Courtesy(), all_watched=list),
        delivery_worker=SimpleNamespace(counts=DeliveryCounts()),
        delivery_log=SimpleNamespace(backlog=lambda: Backlog(pending=0, dead=0, oldest=None)),
        attributes=AttributeService((), failing_to_open),
        settings=SimpleNamespace(effort=Effort.BALANCED),
        gallery=SimpleNamespace(states=list),
        database=SimpleNamespace(
            schema=SimpleNamespace(require_compatible=lambda: "0", head=lambda: "0"),
            vault=SimpleNamespace(is_on=False, is_closed=False),
        ),
        close=lambda: os.write(sys.stdout.fileno(), b"closed\n"),  # a signal ends the process: nothing would be flushed
    )


def settings_of(
    *, at_once=2, rates=None, urls=None, origins=(), hosts=("testserver",), proxies=(), root_path="", **limits
):
    groups = {
        "rates": rates or {},
        "urls": urls or {},
        "cors": {"origins": origins},
        "server": {"hosts": hosts, "root_path": root_path},
    }
    return read_settings(limits=limits, inference={"concurrency": at_once}, proxies=proxies, **groups)


@contextmanager
def serving(identifying, **settings):
    """Serve in a thread on a real socket; yields the port."""
    with create_server((HOST, 0), backlog=2048) as listener:
        server = configured_server(settings_of(**settings), services_of(identifying))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def request(method="POST", path="/identify", body=None, **headers):
    """Return a request's bytes; without a body given, that of a small photo."""
    if body is None:
        body = b"" if method == "GET" else json.dumps({"photo": base64.b64encode(b"photo").decode()}).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answer(reader):
    """Read one whole answer: status, headers, body. Raises IncompleteReadError or OSError where it breaks off."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def ask(port, sent=None):
    """Return the answer to one request on a new connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request() if sent is None else sent)
        return await answer(reader)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def main(seconds, grace):
    """Serve in this process until SIGTERM, like `arcid serve`; the first line contains the address."""
    logs.configure(is_json=True)
    with create_server((HOST, 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        settings = settings_of(at_once=2, waiting=8, grace_seconds=grace)
        configured_server(settings, services_of(Identifying(seconds))).run(sockets=[listener])


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
