"""JSON into frozen values. Members that a value does not know are passed over, so that newer services can be read."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

Read = Callable[[Any], Any]


class Value:
    """A frozen value that is read from JSON by the types of its fields."""

    __slots__ = ()

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Return the value that a JSON object says; members that have no field are ignored.

        Raises KeyError when a field without a default is missing, TypeError or ValueError when one is of another type.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"{cls.__name__} is read from an object, not from {type(data).__name__}")
        kind: Any = cls  # mypy takes a class with slots for one that has no hash
        plan = _plan(kind)
        members = {name: read(data[name]) for name, (read, is_needed) in plan.items() if is_needed or name in data}
        return cls(**members)


def reader(kind: Any) -> Read:
    """Return what reads a type: a Value, plain JSON, a moment, a tuple or mapping of these, or null."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (inner,) = [each for each in parts if each is not NoneType]
        return _or_none(reader(inner))
    if origin is tuple:
        return _several(reader(parts[0])) if parts[-1] is ... else _exactly(tuple(map(reader, parts)))
    if origin is Mapping:
        return _mapping(reader(parts[1]))
    if isinstance(kind, type) and issubclass(kind, Value):
        return kind.from_json
    if kind in (str, bool, int, float, datetime):
        return _PLAIN[kind]
    return _as_it_is  # Any, and Literal: a newer service may know more words


@cache
def _plan(value: type[Value]) -> Mapping[str, tuple[Read, bool]]:
    """Return for each field what reads it, and whether it must be there."""
    assert is_dataclass(value)  # noqa: S101 - values are
    hints = get_type_hints(value)
    return {
        field.name: (reader(hints[field.name]), field.default is MISSING and field.default_factory is MISSING)
        for field in fields(value)
    }


def _as_it_is(data: Any) -> Any:
    return data


def _or_none(read: Read) -> Read:
    return lambda data: None if data is None else read(data)


def _several(read: Read) -> Read:
    return lambda data: tuple(read(each) for each in _array(data))


def _exactly(reads: tuple[Read, ...]) -> Read:
    return lambda data: tuple(read(each) for read, each in zip(reads, _array(data), strict=True))


def _mapping(read: Read) -> Read:
    return lambda data: {name: read(each) for name, each in data.items()}


def _array(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"an array was expected, not {type(data).__name__}")
    return data


def _plain(kind: type) -> Read:
    def read(data: Any) -> Any:
        if type(data) is not kind:
            raise TypeError(f"{kind.__name__} was expected, not {type(data).__name__}")
        return data

    return read


def _number(data: Any) -> float:
    if type(data) not in (int, float):
        raise TypeError(f"a number was expected, not {type(data).__name__}")
    return float(data)


_PLAIN: Mapping[type, Read] = {
    **{kind: _plain(kind) for kind in (str, bool, int)},
    float: _number,
    datetime: datetime.fromisoformat,
}
