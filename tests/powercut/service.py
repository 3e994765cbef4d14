"""A recorded service in its own process, and its data as callers see it: the state, and the answers to probes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from app.config import PROJECT
from tests.powercut.databases import DATA
from tests.powercut.recorder import Recorder

State = dict[str, dict[str, list[str]]]
"""The face ids of each identity of each collection."""
_COMMAND = [sys.executable, "-m", "tests.powercut.program"]
PACK = "arcface-mobilefacenet"


def environment(root: Path) -> dict[str, str]:
    """Return the settings of a service on a recorded folder, which saves snapshots often."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ARCID_")},
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "ARCID_DATA_DIR": str(root / DATA),
        "ARCID_MODELS_DIR": str(PROJECT / ".data"),
        "ARCID_PACKS": PACK,
        "ARCID_GALLERY__SNAPSHOT_SECONDS": "1",
        "ARCID_GALLERY__FOLLOW_SECONDS": "0.1",
        "ARCID_LOG_JSON": "true",
    }


@contextmanager
def serving(recorder: Recorder, extra: dict[str, str], log: Path) -> Iterator[httpx2.Client]:
    """Start `arcid serve` in a recording, and kill it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = {**environment(recorder.root), **extra, **recorder.environment()}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_COMMAND, "serve", "--port", str(port)], env=variables, stdout=output, stderr=output
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait(client, process, log)
            yield client
    finally:
        process.kill()
        process.wait()


def command(recorder: Recorder, extra: dict[str, str], *arguments: str) -> None:
    """Run an `arcid` command in a recording."""
    variables = {**environment(recorder.root), **extra, **recorder.environment()}
    done = subprocess.run([*_COMMAND, *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _wait(client: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.02)
    raise AssertionError(f"the service did not become ready: {log.read_text()[-3000:]}")


def state_of(client: Any) -> State:
    """Return who is enrolled, by the API."""
    names = [each["name"] for each in _ok(client.get("/collections"))["collections"]]
    state: State = {name: {} for name in names}
    for name in names:
        for each in _ok(client.get(f"/collections/{name}/faces", params={"limit": 200}))["faces"]:
            state[name].setdefault(each["identity_id"], []).append(each["face_id"])
    return state


def answers_of(client: Any, probes: dict[str, list[list[float]]], state: State) -> dict[str, Any]:
    """Return the answer of each collection to each probe of its model's dimension, as text that has every bit."""
    answers = {}
    models = {each["name"]: each["model"] for each in _ok(client.get("/collections"))["collections"]}
    for name in state:
        for number, embedding in enumerate(probes.get(models[name], ())):
            body = {"embedding": embedding, "collection": name, "top_k": 100, "threshold": -1}
            answers[f"{name}/{number}"] = _ok(client.post("/search", json=body))["candidates"]
    return answers


def _ok(answer: Any) -> Any:
    assert answer.is_success, answer.text
    return answer.json()
