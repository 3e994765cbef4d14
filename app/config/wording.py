"""Texts of errors about values of settings: which setting, what it must be, and what it is."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic_settings import SettingsError

from app.config.sources import PREFIX

_LONGEST_SHOWN = 60
_SECRET = re.compile(r"key$|token|secret|password|storage$|_url$", re.IGNORECASE)
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
"""User and password in a URL."""
_FIELD = re.compile(r'field "(\w+)"')


def invalid_value(error: Mapping[str, Any]) -> str:
    """Return the text for an error of Pydantic about a setting. It repeats the value, unless it may hold a secret."""
    name = PREFIX + "__".join(part for part in error["loc"] if isinstance(part, str)).upper()  # no place in a list
    wrong = error["msg"].removeprefix("Value error, ").replace("Input should", "must", 1).partition(", unable to ")[0]
    wrong = CREDENTIALS.sub("(hidden)@", wrong)
    value = error["input"]
    is_shown = isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_SHOWN
    if not is_shown or _SECRET.search(name) or "@" in str(value) or repr(value) in wrong:
        return f"{name}: {wrong}"
    return f"{name}: {wrong}, not {value!r}"


def not_json(error: SettingsError) -> str:
    """Return the text for a group of settings, or a table, that is not JSON in its one variable."""
    field = _FIELD.search(str(error))
    name = f"{PREFIX}{field[1].upper()}" if field else str(error)
    return f"{name}: it, or a table in it, must be a JSON object"
