import os
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from app.cli import cli
from tests.vision.inference.releases import tiny_network

# A pack that is its own detector: enough for every command that does not open the networks.
TINY = """
title = "Tiny"
licence = "for tests only"
commercial_use = "yes"
default_detector = "tiny"

[detector]
kind = "scrfd"
files = ["det.onnx"]

[embedder]
model = "tiny-net"
file = "rec.onnx"
dimension = 3
input_size = 112
color = "rgb"
mean = 0
scale = 1
alignment = "arcface-112"
threshold = 0.3

[[files]]
name = "det.onnx"
[[files]]
name = "rec.onnx"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty data folder that the environment names; no master key is created in it."""
    for name in os.environ:
        if name.upper().startswith("ARCID_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("ARCID_DATA_DIR", str(folder))
    monkeypatch.setenv("ARCID_ENCRYPTION__OWN_KEY", "false")
    return folder


@pytest.fixture
def arcid(home):
    """The command line: arcid("models", "list"), whose log is not part of the output."""

    def arcid(*arguments):
        with structlog.testing.capture_logs():
            return CliRunner().invoke(cli, arguments)

    return arcid


@pytest.fixture
def tiny_folder(tmp_path):
    """A folder of networks as an operator might have it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "manifest.toml").write_text(TINY)
    (folder / "det.onnx").write_bytes(tiny_network(2))
    (folder / "rec.onnx").write_bytes(tiny_network(3))
    return folder


@pytest.fixture
def tiny(arcid, tiny_folder, home, monkeypatch):
    """The added pack `tiny`, chosen by the environment; gives the folder where its networks lie."""
    assert arcid("models", "add", str(tiny_folder)).exit_code == 0
    monkeypatch.setenv("ARCID_PACK", "tiny")
    return home / "models" / "tiny"


@pytest.fixture
def flip() -> Callable[[Path], None]:
    """Flip one bit in the middle of a file."""

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    return flip
