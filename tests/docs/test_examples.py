"""Run all examples of the documentation against the real service, or at least parse those with a reason not to run."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer
import yaml

from app.cli import cli
from app.cli.demo import serving
from app.cli.lazy import LazyCommand
from app.cli.serve import prepare_database
from app.config import PREFIX, PROJECT, read_settings
from tests.conftest import DATA
from tests.docs.examples import EXCLUDED, Example, examples, pages

SERVICE = "localhost:8000"  # the address in the documentation; curl is redirected to the real one
ALL = [each for page in pages() for each in examples(page)]
RUN = [page for page in pages() if any(each.is_run for each in examples(page))]
NPM = "arcface-mobilefacenet"


def script(run: list[Example], address: str) -> str:
    """Return a page's examples as one bash script that records completed ones in the file `ran`."""
    parts = ["set -euo pipefail"]
    for each in run:
        text = each.text
        if each.language == "python":
            text = f"python - <<'EXAMPLE'\n{text.replace(SERVICE, address)}\nEXAMPLE"
        parts += [f"echo '--- {each}' >&2", each.before, text, f"echo '{each}' >> ran"]
    return "\n".join(parts)


@pytest.fixture
def environment(tmp_path, desk, programs, network):
    """The environment of examples: the desk as their folder, a separate data folder, no other settings."""
    network("open", "sface.onnx")
    if missing := [each for each in ("bash", "curl") if shutil.which(each) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    shutil.copytree(desk, tmp_path / "desk")
    (tmp_path / "data").mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX.upper())}
    return {
        **plain,
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(PROJECT / "clients" / "python"),
        "ARCID_DATA_DIR": str(tmp_path / "data"),
        "ARCID_MODELS_DIR": str(DATA),
        "CURL_HOME": str(tmp_path),
        "COLUMNS": "120",
    }


@pytest.mark.parametrize("page", RUN)
def test_examples_run(page, environment, network, tmp_path):
    run = [each for each in examples(page) if each.is_run]
    told = "\n".join(each.before + each.text for each in run)
    if NPM in told:
        network(NPM, "mobilefacenet.onnx")
    settings = read_settings(data_dir=tmp_path / "data", models_dir=DATA, database_url=None)
    prepare_database(settings)
    with ExitStack() as stack:
        address = stack.enter_context(serving(settings, port=0)) if SERVICE in told else "http://nowhere"
        place = address.removeprefix("http://")
        (tmp_path / ".curlrc").write_text(
            f'connect-to = "{SERVICE}:{place}"\nfail-with-body\nsilent\nshow-error\nmax-time = 60\n'
        )
        done = subprocess.run(
            ["bash", "-c", script(run, place)],  # noqa: S607 - whichever bash there is
            cwd=tmp_path / "desk",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:]
    assert (tmp_path / "desk" / "ran").read_text("utf-8").split() == [str(each) for each in run]


def test_what_is_not_run_says_why():
    assert all(EXCLUDED.values())
    for each in ALL:
        assert each.language in {"sh", "python", "json", "toml", "yaml", "ini", "js", "ts", "html", "text", ""}, each
        assert each.reason is None or len(each.reason) > 5, each
        assert each.reason is None or not each.before, each


@pytest.mark.parametrize("example", [each for each in ALL if each.language == "python"], ids=str)
def test_python_parses(example):
    assert ast.parse(example.text).body


@pytest.mark.parametrize("example", [each for each in ALL if each.language == "json"], ids=str)
def test_json_parses(example):
    assert json.loads(example.text)


@pytest.mark.parametrize("example", [each for each in ALL if each.language == "yaml"], ids=str)
def test_yaml_parses(example):
    assert yaml.safe_load(example.text)


TOML = [each for each in ALL if each.language == "toml"]
RUNS = "docs/training.md"


def is_part(written, whole):
    """Return whether each value of nested tables is in `whole`."""
    if not isinstance(written, dict):
        return written == whole
    return all(name in whole and is_part(value, whole[name]) for name, value in written.items())


@pytest.mark.parametrize("example", [each for each in TOML if each.page != RUNS], ids=str)
def test_toml_is_a_file_of_settings(example, tmp_path, monkeypatch):
    (tmp_path / "arcid.toml").write_text(example.text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCID_OIDC__CLIENT_SECRET", "secret")  # is not in the file
    assert is_part(tomllib.loads(example.text), read_settings().model_dump(mode="json"))


@pytest.mark.parametrize("example", [each for each in TOML if each.page == RUNS], ids=str)
def test_toml_is_the_configuration_of_a_run(example):
    pytest.importorskip("torch", reason="PyTorch is not installed; run: make test TORCH=torch")
    from app.training.config import parse_config  # noqa: PLC0415 - not without PyTorch

    assert parse_config(tomllib.loads(example.text))


@pytest.mark.parametrize("example", [each for each in ALL if each.language == "sh" and not each.is_run], ids=str)
def test_commands_that_are_not_run_exist(example):
    for line in example.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        calls = [at for at, word in enumerate(words) if word in {"arcid", ".venv/bin/arcid"}]
        if calls and words[0] not in {"helm", "kubectl", "pg_dump", "pg_restore"}:  # for them, `arcid` is another name
            require_command(words[calls[-1] + 1 :])


@pytest.mark.parametrize("page", pages())
def test_commands_in_sentences_exist(page):
    sentences = re.sub(r"^ *```.*?^ *```$", "", Path(PROJECT, page).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for said in re.findall(r"`arcid ([a-z][^`]*)`", sentences):
        first, *others = said.split(" | ")
        words = first.split()
        require_command(words)
        for each in others:
            require_command([words[0], *each.split()])


def require_command(words: list[str]) -> None:
    """Fail where `arcid` has no such command, or the command no such option."""
    command = typer.main.get_command(cli)
    arguments = iter(words)
    for word in arguments:
        commands = getattr(command, "commands", None)
        if commands is None or word.startswith("-"):
            break
        assert word in commands, f"arcid {' '.join(words)}"
        command = commands[word]
        command = command.load() if isinstance(command, LazyCommand) else command
    options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    asked = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert asked <= options, f"arcid {' '.join(words)}"


def test_bash_can_read_all(tmp_path):
    text = "\n".join(each.text for each in ALL if each.language == "sh")
    subprocess.run(["bash", "-n", "-c", text], check=True, cwd=PROJECT)  # noqa: S607 - whichever bash there is
