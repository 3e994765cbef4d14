"""Parsing of JSON to frozen values. Unknown members are ignored, so answers of newer services can be parsed."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

Parser = Callable[[Any], Any]


class Value:
    """Base class of frozen values that are parsed from JSON by the types of their fields."""

    __slots__ = ()

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Parse a JSON object; members without a field are ignored.

        Raises KeyError if a field without a default is missing, and TypeError or ValueError if a type is wrong.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"{cls.__name__} needs a JSON object, not {type(data).__name__}")
        type_: Any = cls  # mypy considers a class with slots unhashable
        parsers = _field_parsers(type_)
        members = {
            name: parse(data[name]) for name, (parse, is_required) in parsers.items() if is_required or name in data
        }
        return cls(**members)


def parser_of(type_: Any) -> Parser:
    """Return the parser of a type: a Value, plain JSON, datetime, a tuple or mapping of these, or an optional one."""
    origin, parts = get_origin(type_), get_args(type_)
    if origin in (Union, UnionType):
        (inner,) = [part for part in parts if part is not NoneType]
        return _or_none(parser_of(inner))
    if origin is tuple:
        return _sequence(parser_of(parts[0])) if parts[-1] is ... else _fixed_tuple(tuple(map(parser_of, parts)))
    if origin is Mapping:
        return _mapping(parser_of(parts[1]))
    if isinstance(type_, type) and issubclass(type_, Value):
        return type_.from_json
    if type_ in (str, bool, int, float, datetime):
        return _PLAIN[type_]
    return _unchanged  # Any and Literal: a newer service may have more values


@cache
def _field_parsers(value: type[Value]) -> Mapping[str, tuple[Parser, bool]]:
    """Return for each field its parser and whether it is required."""
    assert is_dataclass(value)  # noqa: S101 - values are
    hints = get_type_hints(value)
    return {
        field.name: (parser_of(hints[field.name]), field.default is MISSING and field.default_factory is MISSING)
        for field in fields(value)
    }


def _unchanged(data: Any) -> Any:
    return data


def _or_none(parse: Parser) -> Parser:
    return lambda data: None if data is None else parse(data)


def _sequence(parse: Parser) -> Parser:
    return lambda data: tuple(parse(item) for item in _array(data))


def _fixed_tuple(parsers: tuple[Parser, ...]) -> Parser:
    return lambda data: tuple(parse(item) for parse, item in zip(parsers, _array(data), strict=True))


def _mapping(parse: Parser) -> Parser:
    return lambda data: {name: parse(item) for name, item in data.items()}


def _array(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"expected an array, not {type(data).__name__}")
    return data


def _plain(type_: type) -> Parser:
    def parse(data: Any) -> Any:
        if type(data) is not type_:
            raise TypeError(f"expected {type_.__name__}, not {type(data).__name__}")
        return data

    return parse


def _number(data: Any) -> float:
    if type(data) not in (int, float):
        raise TypeError(f"expected a number, not {type(data).__name__}")
    return float(data)


_PLAIN: Mapping[type, Parser] = {
    **{type_: _plain(type_) for type_ in (str, bool, int)},
    float: _number,
    datetime: datetime.fromisoformat,
}
