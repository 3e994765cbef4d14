"""Clients that other people's generators make from the OpenAPI document: they generate, enroll and identify."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.container import Container
from tests.end_to_end.packages import node_modules, python_with

HERE = Path(__file__).parent
SOURCE = HERE / "generators"
EXPECTED = {"identity": "ada", "owner": "ada", "refused": "nothing_enrolled"}

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def service(settings):
    """Address of a service, and a key."""
    _, key = Container(settings).keys.create(NewKey("generated", [Scope.RECOGNISE, Scope.ENROLL, Scope.MANAGE]))
    with serving(settings, port=0) as address:
        yield address, key


@pytest.fixture(scope="module")
def folder(tmp_path_factory, service, faces_of, faceless):
    """A folder with the document and photos."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "ada.jpg").write_bytes(faces_of[0])
    (folder / "faceless.jpg").write_bytes(faceless)
    (folder / "openapi.json").write_bytes(httpx2.get(f"{service[0]}/openapi.json").content)
    return folder


@pytest.fixture(scope="module")
def in_node(folder):
    """Return a function that runs a program of the packages of npm in the folder, and returns its output."""
    packages = node_modules(SOURCE, "generators-node")
    (folder / "node_modules").symlink_to(packages)
    for each in SOURCE.glob("*.ts"):
        shutil.copy(each, folder)
    return lambda program, *args: _output([packages / ".bin" / program, *args], folder)


def _output(command: list[str | Path], folder: Path) -> str:
    """Return what a program prints; its warnings are errors."""
    # openapi-python-client looks for ruff, which is installed with it, in PATH.
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"DO_NOT_TRACK": "1", "REDOCLY_TELEMETRY": "off", "NO_COLOR": "1", "PATH": path}
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=folder, env=kept | own, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(word in done.stdout for word in ("WARNING", "::warning", "⚠")), done.stdout
    return done.stdout


def test_openapi_python_client(folder, service):
    python = python_with(SOURCE / "requirements.txt", "generators-venv")
    options = ["--path", "openapi.json", "--meta", "none", "--output-path", "generated", "--fail-on-warning"]
    _output([python.with_name("openapi-python-client"), "generate", *options], folder)
    shutil.copy(HERE / "with_openapi_python_client.py", folder)
    assert json.loads(_output([python, "with_openapi_python_client.py", *service], folder)) == EXPECTED


def test_hey_api(in_node, folder, service):
    in_node("openapi-ts", "--input", "openapi.json", "--output", "hey", "--client", "@hey-api/client-fetch")
    assert json.loads(_compiled(in_node, folder, "with_hey_api", service)) == EXPECTED


def test_openapi_typescript(in_node, folder, service):
    in_node("openapi-typescript", "openapi.json", "--output", "types.ts")
    assert json.loads(_compiled(in_node, folder, "with_openapi_fetch", service)) == EXPECTED


def _compiled(in_node, folder, name: str, service: tuple[str, str]) -> str:
    """Check and compile a program, and return what it prints."""
    options = ["--strict", "--skipLibCheck", "--target", "es2022", "--module", "node16", "--esModuleInterop"]
    in_node("tsc", *options, f"{name}.ts")
    return _output(["node", f"{name}.js", *service], folder)


def test_redocly_finds_no_flaw(in_node):
    in_node("redocly", "lint", "openapi.json", "--max-problems", "100", "--format", "github-actions")
