"""How the service stands. The names are the API's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from arcid.reading import Value


@dataclass(frozen=True, slots=True)
class Health(Value):
    """The process is up."""

    status: str


@dataclass(frozen=True, slots=True)
class Check(Value):
    """One thing that must work before requests are served."""

    is_ready: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness(Value):
    """All checks, by name; a service that is not ready is an answer, too."""

    status: Literal["ready", "not_ready"]
    checks: Mapping[str, Check]


@dataclass(frozen=True, slots=True)
class Model(Value):
    """A pack of networks: `model` names what makes its embeddings, `files` maps names to SHA-256 of those here."""

    name: str
    title: str
    licence: str
    commercial_use: Literal["yes", "no", "unverified"]
    is_pulled: bool
    is_in_use: bool
    is_default: bool
    model: str | None
    dimension: int | None
    default_detector: str | None
    files: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Models(Value):
    """All known packs, and how networks are run."""

    models: tuple[Model, ...]
    detector: str
    provider: str
