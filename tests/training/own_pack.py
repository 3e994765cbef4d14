"""The command line with a pack of a test's own network."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli


def add_own_pack(
    folder: Path, manifest: str, network: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Add a pack to a data folder `home` in a folder; return the command line there, which gives its output.

    The function raises the error of the command, and AssertionError for another exit status than 0.
    """
    monkeypatch.setenv("ARCID_DATA_DIR", str(folder / "home"))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(folder / "home" / "models"))
    (folder / name).mkdir()
    (folder / name / "manifest.toml").write_text(manifest)
    (folder / name / f"{name}.onnx").write_bytes(network)

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(cli, [str(each) for each in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    run("models", "add", "--accept-license", folder / name)
    return run
