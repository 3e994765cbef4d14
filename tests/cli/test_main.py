import os
import subprocess
import sys

import pytest
from typer.main import get_command

from app import __version__
from app.cli import cli, main
from app.cli.lazy import LazyCommand


@pytest.fixture
def run(home, monkeypatch, capsys):
    """Run the command as a shell would: exit status, standard output, standard error."""

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["arcid", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_the_version(run, asked):
    assert run(asked) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("asked", ["version", "--help"])
def test_the_version_and_help_open_nothing_that_is_slow_to_import(asked):
    slow = {"numpy", "structlog", "sqlalchemy", "fastapi", "onnxruntime", "faiss", "cv2", "app.container"}
    code = "import sys\nfrom app.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code, asked], check=True, capture_output=True, text=True)
    assert not slow & {*ended.stdout.splitlines()[-1].split()}


def loaded(command):
    return command.load() if isinstance(command, LazyCommand) else command


def first_paragraph(command):
    return " ".join(command.help.split("\n\n")[0].split())


def test_help_lists_commands_as_they_describe_themselves():
    for command in get_command(cli).commands.values():  # type: ignore[attr-defined] # it is a group
        assert first_paragraph(command) == first_paragraph(loaded(command))


def subcommands(command, name="arcid"):
    """Yield a command and all below it, each with its name."""
    command = loaded(command)
    yield name, command
    for key, each in getattr(command, "commands", {}).items():
        yield from subcommands(each, f"{name} {key}")


def test_help_describes_every_argument_and_option():
    parameters = [(name, each) for name, command in subcommands(get_command(cli)) for each in command.params]
    assert len(parameters) > 100
    assert [f"{name}: {each.name}" for name, each in parameters if not (getattr(each, "help", "") or "").strip()] == []


def test_what_an_operator_can_mend_is_one_line(run):
    status, out, err = run("models", "pull", "opne")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("arcid: there is no pack 'opne'; did you mean open?")
    assert err.endswith(" [pack_unknown]\n")


def test_a_wrong_setting_is_one_line(run, monkeypatch):
    monkeypatch.setenv("ARCID_LIMITS__PHOTO_BYTES", "[many]")
    status, _, err = run("models", "list")
    assert status == 1
    assert err.startswith("arcid: ARCID_LIMITS__PHOTO_BYTES: ")
    assert err.endswith(" [settings_invalid]\n")
    assert len(err.splitlines()) == 1


def test_everything_that_is_missing_is_named_at_once(run, tmp_path):
    status, _, err = run("train", "clean", str(tmp_path))
    assert (status, "Missing option '--out', option '--threshold'." in err) == (2, True)
    status, _, err = run("verify", "--url", "localhost")
    assert (status, "Missing argument" in err) == (2, True)
    assert "Usage: " in run("train", "clean", "--help")[1]
    assert "No such option" in run("train", "clean", "--ot", "x")[2]


def test_a_file_in_the_place_of_a_folder_is_one_line(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")

    def fail():
        (tmp_path / "file" / "x").mkdir()

    monkeypatch.setattr("app.cli.cli", lambda **_: fail())
    status, _, err = run("models", "list")
    assert (status, err) == (1, f"arcid: {tmp_path}/file/x cannot be used: not a directory [file_unusable]\n")


def test_an_error_that_looks_like_markup_is_printed_as_it_is(run):
    assert "'[red]a[/b]'" in run("models", "pull", "[red]a[/b]")[2]


@pytest.mark.parametrize("command", [[], ["models"], ["db"], ["collections"], ["keys"], ["audit"]])
def test_without_a_command_help_is_shown(run, command):
    _, out, err = run(*command)
    assert "Usage: " in out + err
    assert "Commands" in out + err


def test_a_command_that_does_not_exist(run):
    status, _, err = run("modles")
    assert status == 2
    assert "No such command" in err
    assert "Did you mean 'models'?" in err


def test_completion_knows_the_commands(home):
    shell = {**os.environ, "_ARCID_COMPLETE": "complete_bash", "COMP_WORDS": "arcid mod", "COMP_CWORD": "1"}
    code = "from app.cli import cli; cli(prog_name='arcid')"
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=shell)
    assert ended.stdout.split() == ["models"]
