"""Standard error in JSON mode, in a separate process: every line is one JSON object, whatever wrote it."""

import json
import subprocess
import sys

import pytest

from app.config import PROJECT


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


@pytest.fixture(scope="module")
def lines():
    done = subprocess.run(
        [sys.executable, "-m", "tests.observability.noisy"], cwd=PROJECT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == b""
    result = [json.loads(line, parse_constant=no_constant) for line in done.stderr.splitlines()]
    assert all(isinstance(each, dict) and each["event"] and each["level"] for each in result)
    return result


def of(lines, event):
    return [each for each in lines if each["event"] == event]


def test_what_others_write_is_logged_line_by_line(lines):
    texts = [each["text"] for each in of(lines, "stderr")]
    assert texts[:4] == ["native one", "native two, unfinished and finished", "\\xff\\xfe no text", "printed"]


def test_more_than_the_pipe_holds_is_shortened_and_loses_lines_only(lines):
    flood = [each["text"] for each in of(lines, "stderr") if each["text"].startswith("x")]
    assert flood
    assert max(map(len, flood)) <= 4096


def test_a_warning_is_one_line(lines):
    assert any("a warning\nof two lines" in each["event"] for each in lines)


def test_a_line_that_cannot_be_written_is_named_without_its_arguments(lines):
    assert [each["logger"] for each in of(lines, "log.failed")] == ["library", "library"]
    assert "secret" not in json.dumps(lines)


def test_odd_values_are_written_as_json(lines):
    (line,) = of(lines, "odd")
    assert line["half"] == "\ud800"
    assert line["number"] == "nan"


def test_uncaught_exceptions_are_one_line_each(lines):
    (thread,), (ignored,), (last,) = (of(lines, f"{name}.failed") for name in ("thread", "ignored", "process"))
    assert (thread["thread"], thread["level"]) == ("broken", "critical")
    assert "ZeroDivisionError" in thread["exception"]
    assert "in a finaliser" in ignored["exception"]
    assert last["exception"].endswith("RuntimeError: the last one")
    assert lines[-1] is last or lines[-1]["event"] == "stderr"
