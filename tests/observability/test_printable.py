"""Untrusted text cannot control a terminal, start a log line, or become a formula in a spreadsheet."""

import io
import logging
import re
from pathlib import Path

import pytest
from rich.table import Table

from app.cli.output import Console, show
from app.observability.logs import configure, get_logger
from app.observability.printable import cell, one_line, printable

HOSTILE = "a\x1b]0;title\x07\x1b[2Jb\x9b31mc\u202ed\u2028e\r\nf\x00\ud800"


@pytest.mark.parametrize(
    "steering", ["\x1b", "\x07", "\x9b", "\u202e", "\u2028", "\r", "\x00", "\ud800", "\x7f", "\x08"]
)
def test_steering_characters_are_spelled_out(steering):
    shown = printable(f"a{steering}b")
    assert steering not in shown
    assert shown.encode() == f"a{ascii(steering)[1:-1]}b".encode()
    assert one_line(f"a{steering}b\nc").count("\n") == 0


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", "Zoë 李 \u05d0\u200f \U0001f469\u200d\U0001f52c", "tab\there", "two\nlines"]
)
def test_names_stay_as_they_are(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_no_cell_is_a_formula(text):
    assert cell(text) == f"'{text}"
    assert cell(f"a{text}") == f"a{text}"


def test_commands_print_no_escape_sequence_and_no_markup(capsys):
    table = Table("name", "[bold]header[/bold]", box=None)
    table.add_row(HOSTILE, "[red]x[/red] [link=http://x]y[/link] :smile:")
    show(table)
    Console().print(f"{HOSTILE}: [red]x[/red]", style="red", highlight=False, soft_wrap=True)
    Console(stderr=True).print(HOSTILE)
    out = "".join(capsys.readouterr())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", out)
    assert r"a\x1b]0;title" in out
    assert out.count("[red]x[/red]") == 2
    assert "[link=http://x]y[/link] :smile:" in out


def test_commands_use_this_console():
    folder = Path("app/cli")
    assert folder.is_dir()
    assert not [path.name for path in folder.glob("*.py") if "rich.console import Console\n" in path.read_text()]


def test_a_line_of_the_log_is_one_line():
    stream, root = io.StringIO(), logging.getLogger()
    kept, level = root.handlers[:], root.level
    try:
        configure(is_json=False, stream=stream)
        get_logger("x").warning("photo.refused", reason=f"x\n2026-01-01 [error] forged {HOSTILE}", path="/a\x1bb")
        logging.getLogger("y").warning("of another library: %s", HOSTILE)
        try:
            int(HOSTILE)
        except ValueError:
            get_logger("x").exception("request.failed")
    finally:
        root.handlers[:], root.level = kept, level
        logging.captureWarnings(capture=False)
    lines = stream.getvalue()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", lines)
    assert len(re.findall("^20", lines, re.MULTILINE)) == 3
    assert "Traceback" in lines
