import sys

import pytest

from app import __version__
from app.cli import main


@pytest.fixture
def run(home, monkeypatch, capsys):
    """Run the command as a shell would: exit status, standard output, standard error."""

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["arcid", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return run


def test_the_version(run):
    assert run("version") == (0, f"{__version__}\n", "")


def test_what_an_operator_can_mend_is_one_line(run):
    status, out, err = run("models", "pull", "opne")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("arcid: there is no pack 'opne'; known: ")


def test_a_wrong_setting_is_one_line(run, monkeypatch):
    monkeypatch.setenv("ARCID_LIMITS__PHOTO_BYTES", "[many]")
    status, _, err = run("models", "list")
    assert status == 1
    assert err.startswith("arcid: ARCID_LIMITS__PHOTO_BYTES: ")
    assert len(err.splitlines()) == 1


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
