"""Texts of validation errors, for all parts of a request: which field, what is wrong with it, and what to send.

A value is repeated only where a number, a choice or the like is expected, and only if it is short. No text of an error
may contain a photo, an embedding or a secret.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.observability.counted import counted

MISSING = "is required"
ONE_OF = "send exactly one of "
"""Start of the text for members of which one is required; their names follow."""
WRONG_KIND = ("must be a ", "must be an ")
"""Starts of the texts for values of the wrong type."""
_LONGEST_SHOWN = 40
_MOST_NAMED = 3
_PARTS = ("query", "path", "header", "cookie")
NOT_A_TIME = "must be a date and time with its zone, such as 2027-01-31T12:00:00Z"
ZONE_MISSING = "lacks its time zone; end it with Z for UTC or an offset, such as 2027-01-31T12:00:00Z"

_KINDS: Mapping[tuple[str, ...], str] = {
    ("int_type", "int_parsing", "int_from_float", "int_parsing_size"): "must be a whole number",
    ("float_type", "float_parsing"): "must be a number",
    ("bool_type", "bool_parsing"): "must be a boolean: true or false",
    ("string_type",): "must be a text",
    ("list_type", "tuple_type", "set_type"): "must be a list",
    ("dict_type", "model_type", "model_attributes_type"): "must be an object",
    ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"): NOT_A_TIME,
    ("timezone_aware",): ZONE_MISSING,
    ("uuid_type", "uuid_parsing"): "must be a UUID",
    ("finite_number",): "must be a finite number",
    ("missing",): MISSING,
    ("extra_forbidden",): "is not known here",
}
_FIXED = {kind: text for kinds, text in _KINDS.items() for kind in kinds}
_BOUNDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"must be at least {_number(context['ge'])}",
    "greater_than": lambda context: f"must be more than {_number(context['gt'])}",
    "less_than_equal": lambda context: f"must be at most {_number(context['le'])}",
    "less_than": lambda context: f"must be less than {_number(context['lt'])}",
    "literal_error": lambda context: f"must be {context['expected']}",
    "enum": lambda context: f"must be {context['expected']}",
    "string_too_short": lambda context: _least(context["min_length"], "character"),
    "string_too_long": lambda context: f"must have at most {_counted(context['max_length'], 'character')}",
    "too_short": lambda context: _least(context["min_length"], "entry"),
    "too_long": lambda context: f"must have at most {_counted(context['max_length'], 'entry')}",
    "string_pattern_mismatch": lambda context: f"does not match the pattern {context['pattern']}",
}
_SHOWING = frozenset(
    (
        *_FIXED.keys()
        - {"missing", "extra_forbidden", "timezone_aware", "string_type", "list_type", "dict_type", "model_type"},
        *_BOUNDS,
    )
)
_LENGTHS = ("string_too_short", "string_too_long", "too_short", "too_long", "string_pattern_mismatch")
_PRIVATE = ("photo", "embedding", "probe", "reference", "key", "secret", "token", "password", "metadata", "name")


def worded(error: Mapping[str, Any]) -> str:
    """Return the text for an error of Pydantic, without the name of its field."""
    kind = error["type"]
    bound = _BOUNDS.get(kind)
    text = _FIXED.get(kind) or (bound(error.get("ctx", {})) if bound else _own(error["msg"]))
    return text + _shown(error) if kind in _SHOWING else text


def summary(fields: Sequence[Mapping[str, str]]) -> str:
    """Return one sentence for the first invalid fields."""
    named = "; ".join(f"{_place(each['field'])}: {each['detail']}" for each in fields[:_MOST_NAMED])
    more = len(fields) - _MOST_NAMED
    return f"{named}; and {more} more in errors" if more > 0 else named


def _place(field: str) -> str:
    part, _, name = field.partition(".")
    return f"{part} parameter {name}" if part in _PARTS and name else field


def _own(message: str) -> str:
    """Return a message of our validators, or one of Pydantic's that has no text here."""
    return message.removeprefix("Value error, ").replace("Input should be", "must be", 1)


def _shown(error: Mapping[str, Any]) -> str:
    """Return the wrong value for the end of the text; empty if it is long, no single value, or may be private."""
    value = error.get("input")
    names = " ".join(str(part) for part in error["loc"]).lower()
    if error["type"] in _LENGTHS or any(each in names for each in _PRIVATE):
        return ""
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    if not isinstance(value, int | float | str) or len(str(value)) > _LONGEST_SHOWN:
        return ""
    return f", not {value!r}"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _least(count: int, what: str) -> str:
    return "must not be empty" if count == 1 else f"must have at least {_counted(count, what)}"


def _counted(count: int, what: str) -> str:
    return counted(count, what, f"{what.removesuffix('y')}ies" if what.endswith("y") else None)
