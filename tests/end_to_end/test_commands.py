"""The commands in separate processes, as a user runs them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

ARCID = str(Path(sys.executable).parent / "arcid")


def environment(settings, tmp_path):
    return {**os.environ, "ARCID_DATA_DIR": str(tmp_path), "ARCID_MODELS_DIR": str(settings.models_dir)}


def test_serve_answers_and_ends_cleanly(settings, tmp_path, portrait):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [ARCID, "serve", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    for expected in (0, 1):  # the second start finds what the first one enrolled
        with subprocess.Popen(command, env=environment(settings, tmp_path), stderr=subprocess.PIPE) as process:
            wait_for(address, process)
            faces = httpx2.post(f"{address}/identify", files={"photo": portrait}).json()["faces"]
            assert len(faces[0]["candidates"]) == expected
            answer = httpx2.post(f"{address}/enroll", files={"photos": portrait}, data={"identity_id": "eileen"})
            assert answer.status_code == 200
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=30)
            assert process.returncode in {0, -signal.SIGTERM}
            assert b"Traceback" not in log
            assert b"eileen" not in log


def test_serve_refuses_a_provider_that_is_not_there(settings, tmp_path):
    variables = {**environment(settings, tmp_path), "ARCID_INFERENCE__PROVIDER": "tensorrt"}
    done = subprocess.run([ARCID, "serve"], env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "tensorrt was requested" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_the_service_does_not_import_insightface():
    code = "import app.cli.serve, app.cli.demo, sys; sys.exit('insightface' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def wait_for(address, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    pytest.fail("the service did not start")
