"""Errors of a configuration as sentences: the key, its value, and the nearest key if it is unknown."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}
_SYNONYMS = {
    "lr": "schedule.learning_rate",
    "bs": "schedule.batch_size",
    "wd": "optimiser.weight_decay",
    "gpu": "machine.device",
    "model": "backbone.name",
    "network": "backbone.name",
    "fp16": "machine.amp",
    "bf16": "machine.amp",
}
_NAMES_SHOWN = 12  # of a group that has no similar key
_SIMILAR, _ALIKE = 0.6, 0.75  # of the same group; of any group


def sentence_of(error: ValidationError, model: type[BaseModel]) -> str:
    """Return a sentence on the first error of a configuration that `model` describes."""
    errors = error.errors()
    first = next((each for each in errors if each["type"] in _UNKNOWN), errors[0])
    key = ".".join(map(str, first["loc"])) or "configuration"
    if first["type"] in _UNKNOWN:
        return _unknown(_whole(key, first["input"]), list(keys_of(model)))
    if first["type"] == "missing":
        return f"{next(_below(key, keys_of(model)), key)} is missing"
    if first["type"] in {"dataclass_type", "model_type"}:
        return f"{key} is a group of keys; set one of them, such as {next(_below(key, keys_of(model)), key)}"
    if first["type"] == "string_pattern_mismatch":
        return f"{key}: {first['input']!r} is not valid; {_description(model, first['loc'])}"
    message = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    value = "" if first["type"] == "value_error" else f", not {first['input']!r}"
    subject = f"{key}: " if first["loc"] else ""
    return f"{subject}{message[:1].lower()}{message[1:]}{value}"


def keys_of(model: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all keys of a model: its fields, and those of the models and dataclasses in it."""
    members = (
        {name: field.annotation for name, field in model.model_fields.items()}
        if issubclass(model, BaseModel)
        else {field.name: field.type for field in fields(model)}
    )
    for name, annotation in members.items():
        group = _group(annotation)
        if group is None:
            yield f"{prefix}{name}"
        else:
            yield from keys_of(group, f"{prefix}{name}.")


def _whole(key: str, value: Any) -> str:
    """Return the dotted name of the first value of an unknown group; that of a plain value is `key`."""
    while isinstance(value, Mapping) and value:
        name, value = next(iter(value.items()))
        key = f"{key}.{name}"
    return key


def _unknown(key: str, known: list[str]) -> str:
    """Return a sentence on an unknown key: the nearest key, or those of its group."""
    plain = ".".join(part for part in key.split(".") if not part.isdigit())  # `sets.0.path` is a key of `sets`
    group, _, last = plain.rpartition(".")
    if meant := _in_near_group(group, last, known):
        return f"unknown key {key}; did you mean {meant}?"
    siblings = {name.split(".")[-1]: name for name in _below(group, iter(known))}
    groups = {} if group else {name.partition(".")[0]: name.partition(".")[0] for name in known}
    others = {name.split(".")[-1]: name for name in known}
    for names, cutoff in ((siblings, _SIMILAR), (groups, _SIMILAR), (others, _ALIKE)):
        if near := get_close_matches(last, list(names), n=1, cutoff=cutoff):
            return f"unknown key {key}; did you mean {names[near[0]]}?"
    if last in _SYNONYMS:
        return f"unknown key {key}; did you mean {_SYNONYMS[last]}?"
    is_short = 0 < len(siblings) <= _NAMES_SHOWN
    names_of_group = f"known are {', '.join(siblings.values())}" if is_short else "docs/training.md lists all keys"
    return f"unknown key {key}; {names_of_group}"


def _in_near_group(group: str, last: str, known: list[str]) -> str | None:
    """Return the nearest key of the nearest group; None if the group exists, or no group is near."""
    groups = {name.rpartition(".")[0] for name in known} - {""}
    near = get_close_matches(group, groups - {group}, n=1, cutoff=_SIMILAR) if group not in groups else []
    if not near:
        return None
    keys = [name.removeprefix(f"{near[0]}.") for name in _below(near[0], iter(known))]
    key = get_close_matches(last, keys, n=1, cutoff=_SIMILAR)
    return f"{near[0]}.{key[0]}" if key else near[0]


def _below(group: str, known: Iterator[str]) -> Iterator[str]:
    return (name for name in known if group and name.startswith(f"{group}."))


def _description(model: Any, location: tuple[int | str, ...]) -> str:
    """Return the description of a field, in lower case and without a full stop."""
    text = ""
    for name in location:
        if not (isinstance(model, type) and issubclass(model, BaseModel) and name in model.model_fields):
            break
        text, model = model.model_fields[str(name)].description or "", _group(model.model_fields[str(name)].annotation)
    return text[:1].lower() + text[1:].removesuffix(".")


def _group(annotation: Any) -> Any:
    """Return the model or dataclass of an annotation, also in a union or a tuple; None without one."""
    if isinstance(annotation, type) and (is_dataclass(annotation) or issubclass(annotation, BaseModel)):
        return annotation
    return next((group for each in get_args(annotation) if (group := _group(each)) is not None), None)
