"""Sources of settings, in order of precedence: environment, secret files, `.env`, `arcid.toml`. Then come defaults."""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from app.errors import SettingsInvalid

PREFIX = "ARCID_"
CLIENTS_OWN = {f"{PREFIX}API_KEY"}
"""Variables of the Python client. They may be set where a service starts, so they are not unknown settings."""

_MOST_NAMED = 3
_MEANT, _NEAR = 0.7, 0.65  # similarity of a name that is probably meant, and of one worth naming
ENVIRONMENT, SECRETS, DOTENV, TOML = "environment", "secret file", ".env", "arcid.toml"


class _SecretFiles(NestedSecretsSettingsSource):
    """Source of settings from secret files. It reads only files named like a setting, as the folder may have others."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        return {each.name: _text(each).strip() for each in path.iterdir() if _is_ours(each.name)}


class _EnvironmentFile(EnvSettingsSource):
    """Source of settings from `.env` in the current folder. It ignores variables of other programs."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in _environment_file().items()}


def sources(settings: type[BaseSettings]) -> dict[str, PydanticBaseSettingsSource]:
    """Return the sources by name, the first one takes precedence; raises SettingsInvalid if a file cannot be read."""
    return {
        ENVIRONMENT: EnvSettingsSource(settings),
        SECRETS: _SecretFiles(EnvSettingsSource(settings), secrets_dir=secrets_dir()),
        DOTENV: _EnvironmentFile(settings),
        TOML: _toml(settings),
    }


def origins(settings: type[BaseSettings]) -> dict[str, str]:
    """Return the source of each setting that is not a default, by the name of its variable."""
    found: dict[str, str] = {}
    for origin, source in sources(settings).items():
        try:
            values = source()
        except SettingsError as error:
            raise SettingsInvalid(str(error)) from error
        for name in names_in(values, settings):
            found.setdefault(name, origin)
    return found


def names_in(values: Mapping[str, Any], group: type[BaseModel] | None) -> Iterator[str]:
    """Yield the variables of nested values: {"limits": {"faces": 7}} is ARCID_LIMITS__FACES."""
    return (name for name, _ in _leaves(values, group))


def _leaves(
    values: Mapping[str, Any], group: type[BaseModel] | None, prefix: str = PREFIX
) -> Iterator[tuple[str, object]]:
    """Yield the variables and values of nested values.

    A setting whose own value is a table, such as ARCID_OIDC__GRANTS, is one variable. `group` is None below an unknown
    name.
    """
    for name, value in values.items():
        field = group.model_fields.get(name) if group else None
        below = None if field is None else _group_in(field)
        if isinstance(value, Mapping) and (below or field is None):
            yield from _leaves(value, below, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", value


def _group_in(field: FieldInfo) -> type[BaseModel] | None:
    """Return the group of settings that a field is; None for a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def known_names(group: type[BaseModel]) -> set[str]:
    """Return the environment variables of all settings and groups, in upper case."""
    return {name for name, _ in _fields(group)}


def _fields(group: type[BaseModel], prefix: str = PREFIX) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the environment variables and the fields of all settings and groups."""
    for field, info in group.model_fields.items():
        name = f"{prefix}{field}".upper()
        yield name, info
        if below := _group_in(info):
            yield from _fields(below, f"{name}__")


def require_given(settings: type[BaseSettings]) -> None:
    """Raise SettingsInvalid if a source has a setting of an unknown name, or an empty one that must have a value.

    Settings may be empty if their default is, such as an empty list.
    """
    fields = dict(_fields(settings))
    given = [each for each in _given(settings) if each.name.upper() not in CLIENTS_OWN]
    for each in given:
        if each.name.upper() not in fields:
            raise SettingsInvalid(f"no setting is called {each}; {_nearest(each.name, fields)}")
    for each in given:
        if fields[each.name.upper()].default not in ("", ()) and each.is_empty():
            raise SettingsInvalid(f"{each} is empty; give it a value, or remove it to use its default")


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the name that is probably meant, or with the few nearest ones if any is near."""
    short, names = name.upper().removeprefix(PREFIX), sorted(each.removeprefix(PREFIX) for each in known)
    in_groups = [each for each in names if each.endswith(f"__{short}")]
    meant = get_close_matches(short, names, n=1, cutoff=_MEANT) or in_groups
    if len(meant) == 1:
        return f"did you mean {PREFIX}{meant[0]}?"
    near = meant[:_MOST_NAMED] or get_close_matches(short, names, n=_MOST_NAMED, cutoff=_NEAR)
    is_or_are = "one is" if len(near) == 1 else "ones are"
    nearest = f"the nearest {is_or_are} {', '.join(PREFIX + each for each in near)}; " if near else ""
    return f"{nearest}docs/settings.md lists all"


@dataclass(frozen=True, slots=True)
class _Given:
    """A setting in a source. Its value is text, a value of TOML, or the path of a secret file."""

    name: str
    origin: str
    value: object

    def __str__(self) -> str:
        return self.name if self.origin == ENVIRONMENT else f"{self.name} ({self.origin})"

    def is_empty(self) -> bool:
        """Return whether the value is a blank text."""
        value = _text(self.value) if isinstance(self.value, Path) else self.value
        return isinstance(value, str) and not value.strip()


def secrets_dir() -> Path | None:
    """Return the folder of secret files, which only the environment can name."""
    name = f"{PREFIX}SECRETS_DIR"
    return next((Path(value) for key, value in os.environ.items() if key.upper() == name and value), None)


def _given(settings: type[BaseSettings]) -> Iterator[_Given]:
    """Yield each setting of each source, in order of precedence."""
    yield from (_Given(name, ENVIRONMENT, os.environ[name]) for name in sorted(filter(_is_ours, os.environ)))
    folder = secrets_dir()
    if folder is not None:
        try:
            yield from (_Given(path.name, SECRETS, path) for path in sorted(folder.iterdir()) if _is_ours(path.name))
        except OSError as error:
            raise SettingsInvalid(f"{PREFIX}SECRETS_DIR: {folder} cannot be read: {error.strerror}") from error
    yield from (_Given(name, DOTENV, value) for name, value in _environment_file().items())
    yield from (_Given(name, TOML, value) for name, value in _leaves(_toml_values(), settings))


def _environment_file() -> dict[str, str]:
    path = Path(DOTENV)
    if not path.is_file():
        return {}
    try:
        values = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}") from error
    return {name: value for name, value in values.items() if _is_ours(name) and value is not None}


def _toml(settings: type[BaseSettings]) -> PydanticBaseSettingsSource:
    _toml_values()
    return TomlConfigSettingsSource(settings, toml_file=Path(TOML))


def _toml_values() -> dict[str, Any]:
    path = Path(TOML)
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{path} is not valid TOML: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}") from error


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)
