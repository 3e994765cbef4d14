"""`arcid serve` as a process with JSON logs: whatever happens, every line on standard error is one JSON object."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from app.config import PROJECT

SERVE = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
ROUTE = "/collections/{collection}/identities/{identity_id:path}"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def environment(settings, **more):
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("ARCID_")}
    folders = {"ARCID_DATA_DIR": str(settings.data_dir), "ARCID_MODELS_DIR": str(settings.models_dir)}
    return {**kept, **folders, "ARCID_LOG_JSON": "true", "PYTHONDEVMODE": "1", **more}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def parsed(standard_error):
    lines = [json.loads(line) for line in standard_error.splitlines()]
    assert lines
    assert all(isinstance(each, dict) and {"event", "level", "timestamp"} <= set(each) for each in lines)
    return lines


@contextmanager
def served(settings, **more):
    """Yield a client and the list that the log's lines are put into once the service has stopped."""
    port = free_port()
    lines: list[dict[str, Any]] = []
    process = subprocess.Popen(
        [*SERVE, "--port", str(port)], cwd=PROJECT, env=environment(settings, **more), stderr=subprocess.PIPE, text=True
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(600):
                with suppress(httpx2.TransportError):
                    client.get("/healthz")
                    break
                assert process.poll() is None
                time.sleep(0.1)
            yield client, lines
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        lines += parsed(errors)
    finally:
        process.kill()
        process.communicate()


def damaged_tiff():
    """Return a photo about which the TIFF library writes to standard error itself."""
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "TIFF", compression="tiff_deflate")
    data = bytearray(out.getvalue())
    data[len(data) // 2] ^= 255
    return bytes(data)


@pytest.fixture(scope="module")
def lines(settings, portrait, tmp_path_factory):
    # Nobody listens where the traces go: that is the exporter's own line, and nobody else's business.
    tracing = {"ARCID_TRACING__ENDPOINT": "http://127.0.0.1:9"}
    new = {"ARCID_DATA_DIR": str(tmp_path_factory.mktemp("new"))}
    with served(settings, **tracing, **new) as (client, lines):
        fields = {"identity_id": "secret-ada", "name": "Secret Ada"}
        assert client.post("/enroll", files={"photos": portrait}, data=fields).status_code == 200
        assert client.post("/identify", files={"photo": damaged_tiff()}).status_code == 422
        said = {"X-Request-ID": "mine-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "User-Agent": "secret"}
        missing = client.get("/collections/default/identities/secret-nobody", headers=said)
        assert (missing.headers["x-request-id"], missing.json()["request_id"]) == ("mine-1", "mine-1")
        unusable = client.get("/secret-path?secret=query", headers={"X-Request-ID": "secret id"})
        assert re.fullmatch("[0-9a-f]{32}", unusable.headers["x-request-id"])
        assert unusable.json()["request_id"] == unusable.headers["x-request-id"]
        assert client.delete("/collections/default/identities/secret-ada").status_code == 200
        with socket.create_connection((client.base_url.host, client.base_url.port)) as raw:
            raw.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
            raw.recv(1000)
    return lines


def of(lines, event):
    return [each for each in lines if each["event"] == event]


def test_the_servers_own_lines_are_among_them(lines):
    events = [each["event"] for each in lines]
    start = events[: events.index("serve.ready") + 1]
    assert len(start) <= 10
    assert "database.upgraded" in start
    assert not [each for each in start if " " in each]  # none of a library
    assert "Invalid HTTP request received." in events
    assert events[-1] == "serve.stopped"


def test_a_library_in_c_cannot_break_the_lines(lines):
    assert [each["level"] for each in of(lines, "stderr")]


def test_each_request_is_one_line_with_its_route_and_id(lines):
    done = [each for each in of(lines, "request.done") if each["route"] != "/healthz"]
    assert [(each["method"], each["route"], each["status"]) for each in done] == [
        ("POST", "/enroll", 200),
        ("POST", "/identify", 422),
        ("GET", ROUTE, 404),
        ("GET", "other", 404),
        ("DELETE", ROUTE, 200),
    ]
    assert done[2]["request_id"] == "mine-1"
    assert done[2]["trace_id"] == TRACE
    assert len({each["request_id"] for each in done}) == len(done)
    assert {"decode_ms", "detect_ms", "embed_ms", "infer_ms", "wait_ms"} <= set(done[0])


def test_no_id_name_path_query_or_body_is_written(lines):
    assert "secret" not in json.dumps(lines).lower()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--host", "0.0.0.0"], "keys_required"), (["--port", "{taken}"], "address_unusable")],  # noqa: S104 - refused
)
def test_a_start_that_fails_is_json_too(settings, arguments, code):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*SERVE, *(each.format(taken=port) for each in arguments)],
            cwd=PROJECT,
            env=environment(settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode
    failures = [each for each in parsed(done.stderr) if each["level"] in {"error", "critical"}]
    assert len(failures) == 1
    assert failures[0].get("code") == code
    assert done.stdout == ""
