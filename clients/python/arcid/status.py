"""Status of the service, with the names of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from arcid.parsing import Value


@dataclass(frozen=True, slots=True)
class Health(Value):
    """Liveness: the process is running."""

    status: str


@dataclass(frozen=True, slots=True)
class ReadinessCheck(Value):
    """Result of one readiness check."""

    is_ready: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness(Value):
    """Readiness of the service, with all checks by name."""

    status: Literal["ready", "not_ready"]
    checks: Mapping[str, ReadinessCheck]


@dataclass(frozen=True, slots=True)
class Model(Value):
    """A pack of networks: `model` is the embedding model, `files` maps file names to SHA-256 (None if not pulled)."""

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
    """All known packs, the detector and the execution provider."""

    models: tuple[Model, ...]
    detector: str
    provider: str
