import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app.observability import logs

SECRET = "a photo's bytes"  # noqa: S105 - stands for what must not appear


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, httpx = logging.getLogger(), logging.getLogger("httpx2")
    handlers, level, httpx_level = root.handlers[:], root.level, httpx.level
    root.handlers = []  # pytest's own would be closed
    yield
    root.handlers, root.level, httpx.level = handlers, level, httpx_level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def fail() -> None:
    photo = SECRET
    raise ValueError(f"{len(photo)} bytes are no photo")


def test_a_log_is_one_json_object_a_line(capsys):
    logs.configure(is_json=True)
    logs.get_logger("app.main").info("index.built", collection="people", faces=3)
    logs.get_logger("app.main").warning("two\nlines")
    first, second = lines(capsys)
    assert first.pop("timestamp").endswith("Z")
    assert first == {"event": "index.built", "level": "info", "collection": "people", "faces": 3}
    assert (second["event"], second["level"]) == ("two\nlines", "warning")


def test_the_standard_librarys_logs_look_the_same(capsys):
    logs.configure(is_json=True)
    logging.getLogger("uvicorn.error").warning("listening on %s", "port 8000")
    (line,) = lines(capsys)
    assert set(line) == {"event", "level", "timestamp"}
    assert (line["event"], line["level"]) == ("listening on port 8000", "warning")


def test_bound_fields_are_on_every_line(capsys):
    logs.configure(is_json=True)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logs.get_logger("a").info("one")
        logging.getLogger("b").warning("two")
    logs.get_logger("a").info("three")
    assert [line.get("request_id") for line in lines(capsys)] == ["r1", "r1", None]


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_what_is_below_the_level_is_not_written(capsys, level):
    logs.configure(is_json=True, level=level)
    logs.get_logger("a").debug("debug")
    logs.get_logger("a").info("info")
    logging.getLogger("b").warning("warning")
    assert [line["event"] for line in lines(capsys)] == (["info", "warning"] if level == "INFO" else ["warning"])


def test_every_request_of_the_http_client_is_no_news(capsys):
    logs.configure(is_json=True)
    logging.getLogger("httpx2").info("GET http://user:password@host/")
    assert lines(capsys) == []


def test_configuring_again_replaces(capsys):
    for is_json in (False, True, True):
        logs.configure(is_json=is_json)
    logs.get_logger("a").info("once")
    assert [line["event"] for line in lines(capsys)] == ["once"]


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize("get_logger", [logs.get_logger, logging.getLogger])
def test_an_error_is_logged_with_its_traceback_and_without_its_variables(capsys, is_json, get_logger):
    logs.configure(is_json=is_json)
    try:
        fail()
    except ValueError:
        get_logger("a").exception("request.failed")
    _, written = capsys.readouterr()
    text = json.loads(written)["exception"] if is_json else written
    assert "Traceback (most recent call last)" in text
    assert "in fail" in text
    assert f"ValueError: {len(SECRET)} bytes are no photo" in text
    assert SECRET not in written


def test_readable_lines_are_not_json(capsys):
    logs.configure(is_json=False)
    logs.get_logger("a").info("index.built", faces=3)
    _, written = capsys.readouterr()
    assert len(written.splitlines()) == 1
    assert "index.built" in written
    assert "faces=3" in written
    assert "\x1b" not in written
