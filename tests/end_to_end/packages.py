"""Other people's packages for tests, from their registries: installed once for each lock, in a separate folder."""

import hashlib
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from tests.conftest import DATA


def node_modules(source: Path, name: str) -> Path:
    """Return the folder `node_modules` with the packages of a lock; skips without npm or a registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Node.js is not installed: run .ci/install node")
    folder = _folder(name, source / "package-lock.json")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for each in ("package.json", "package-lock.json"):
            shutil.copy(source / each, folder)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], folder)
    return folder / "node_modules"


def python_with(lock: Path, name: str) -> Path:
    """Return the Python of an environment with the packages of a lock; skips without a registry."""
    folder = _folder(name, lock)
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        options = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--no-deps", "--require-hashes"]
        _run([python, "-m", "pip", "install", *options, "--only-binary", ":all:", "-r", lock], folder)
    return python


def _folder(name: str, lock: Path) -> Path:
    return DATA / name / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]


def _run(command: list[str | Path], folder: Path) -> None:
    """Install packages, and mark their folder as complete."""
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"packages could not be installed in {folder}: {made.stderr.strip().splitlines()[-1:]}")
    (folder / "complete").touch()
