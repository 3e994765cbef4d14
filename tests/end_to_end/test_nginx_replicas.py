"""docker/nginx-replicas.conf in a real nginx: which requests reach another replica if one fails."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from app.config import PROJECT
from tests.end_to_end.test_nginx import AROUND, free_port

CONFIGURATION = PROJECT / "docker" / "nginx-replicas.conf"
HEALTHY, FAILING, CUTTING = "healthy", "failing", "cutting"


class Replica(ThreadingHTTPServer):
    """A replica that notes its requests and answers 200, or 503, or cuts the connection after the body."""

    def __init__(self, behaviour: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.behaviour = behaviour
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Replica

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(f"{self.command} {self.path} {len(body)}")
        if self.server.behaviour == CUTTING:
            self.close_connection = True
            return
        self.send_response(200 if self.server.behaviour == HEALTHY else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names of http.server

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def nginx(folder: Path, ports: list[int]) -> Iterator[str]:
    """Run nginx in front of three replicas, without TLS; yield its address."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed: run .ci/install nginx")
    port, text = free_port(), CONFIGURATION.read_text("utf-8")
    for number, each in enumerate(ports, start=1):
        assert text.count(f"127.0.0.1:800{number} ") == 1
        text = text.replace(f"127.0.0.1:800{number} ", f"127.0.0.1:{each} ")
    lines = [line for line in text.splitlines() if not line.strip().startswith(("ssl_", "server_name"))]
    text = "\n".join(lines).replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    (folder / "arcid.conf").write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder), "utf-8")
    folder.chmod(0o755)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.communicate(timeout=10)


@pytest.fixture(params=[FAILING, CUTTING])
def proxied(request, tmp_path):
    """A client of nginx, and its replicas: one is healthy, one fails in the middle of requests, one does not run."""
    with ExitStack() as stack:
        replicas = [Replica(HEALTHY), Replica(request.param)]
        for each in replicas:
            threading.Thread(target=each.serve_forever, daemon=True).start()
            stack.callback(each.server_close)
            stack.callback(each.shutdown)
        ports = [each.server_address[1] for each in replicas]
        address = stack.enter_context(nginx(tmp_path, [ports[1], free_port(), ports[0]]))
        client = stack.enter_context(httpx2.Client(base_url=address, timeout=20))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                client.get("/healthz")
                break
            except httpx2.TransportError:
                time.sleep(0.05)
        for each in replicas:
            each.asked.clear()
        yield client, replicas


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/collections/default/identities/a%2Fb?x=1", {}),
        ("DELETE", "/collections/default/identities/ada", {}),
        ("PATCH", "/collections/default/identities/ada", {}),
        ("POST", "/identify", {}),
        ("POST", "/v1/verify", {}),
        ("POST", "/enroll", {"Idempotency-Key": "a key"}),
        ("POST", "/v1/enroll", {"Idempotency-Key": "7"}),
    ],
)
def test_what_may_be_sent_twice_is_always_answered(proxied, method, path, headers):
    client, (healthy, failing) = proxied
    content = None if method in {"GET", "DELETE"} else b"x" * 300_000
    answers = [client.request(method, path, headers=headers, content=content).status_code for _ in range(6)]
    assert answers == [200] * 6
    assert failing.asked  # it was in turn, too
    assert set(healthy.asked) == {f"{method} {path} {len(content or b'')}"}  # the whole body, and the path as sent


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/enroll"),
        ("POST", "/jobs"),
        ("POST", "/collections"),
        ("POST", "/collections/default/faces/move"),
        ("PATCH", "/uploads/7"),
    ],
)
def test_what_must_not_be_sent_twice_reaches_one_replica(proxied, method, path):
    client, replicas = proxied
    answers = [client.request(method, path, content=b"x" * 300_000).status_code for _ in range(6)]
    assert sum(len(each.asked) for each in replicas) == 6  # the replica that does not run was skipped
    assert 0 < answers.count(200) < 6


def test_a_key_of_another_request_repeats_nothing(proxied):
    client, replicas = proxied
    for _ in range(6):
        client.post("/jobs", headers={"Idempotency-Key": "/enroll"}, content=b"x")
    assert sum(len(each.asked) for each in replicas) == 6
