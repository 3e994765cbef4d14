"""Every setting, read from the environment once (prefix ARCID_, groups joined by two underscores)."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from app.errors import SettingsInvalid
from app.inference.runtime import Provider

APP = Path(__file__).parent
PROJECT = APP.parent
IS_CHECKOUT = (PROJECT / "pyproject.toml").is_file()
PREFIX = "ARCID_"

_DATA = PROJECT / ".data" if IS_CHECKOUT else Path.home() / ".local" / "share" / "arcid"


def shipped(name: str) -> Path:
    """Return a folder that ships with the code: beside `app/` in a checkout, inside it once installed."""
    return PROJECT / name if IS_CHECKOUT else APP / name


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitSettings(_Group):
    """What a request may weigh and how long it may take; docs/operations.md has the reasons."""

    photo_bytes: Annotated[int, Field(gt=0, description="Most bytes of one photo.")] = 20_000_000
    photo_pixels: Annotated[int, Field(gt=0, description="Most pixels of one photo.")] = 50_000_000
    body_bytes: Annotated[int, Field(gt=0, description="Most bytes of one request's body.")] = 64_000_000
    bodies_bytes: Annotated[
        int, Field(gt=0, description="Most bytes of all bodies held at once; one body may always come.")
    ] = 256_000_000
    waiting: Annotated[
        int, Field(ge=0, description="Most requests that wait while as many as can be are worked on; more are 503.")
    ] = 64
    wait_seconds: Annotated[float, Field(gt=0, description="Longest wait of a request for its turn; then 503.")] = 10
    read_seconds: Annotated[
        float, Field(gt=0, description="Longest time in which a request's head, and then its body, may arrive.")
    ] = 30
    connections: Annotated[int, Field(gt=0, description="Most open connections; one more is answered 503.")] = 2000
    grace_seconds: Annotated[
        float, Field(ge=0, description="How long requests under way may take to finish after SIGTERM.")
    ] = 8


class DetectionSettings(_Group):
    """How faces are looked for."""

    lowest_score: Annotated[float, Field(gt=0, lt=1, description="Least detection score of a face.")] = 0.6
    longest_side: Annotated[
        int, Field(ge=64, le=4096, description="A photo is shrunk to this longer side for detection, never enlarged.")
    ] = 1280


class InferenceSettings(_Group):
    """How networks are run."""

    provider: Annotated[
        Provider, Field(description="auto, cpu, cuda or tensorrt; one asked for by name is never replaced by another.")
    ] = Provider.AUTO
    threads: Annotated[int, Field(ge=1, description="Threads of one network run.")] = 1
    concurrency: Annotated[
        int | None, Field(ge=1, description="Photos analysed at once; default: the number of cores.")
    ] = None
    flip: Annotated[
        bool,
        Field(
            description="Average embeddings with their mirror images' in new collections; also in evaluate, calibrate."
        ),
    ] = True


class IndexKind(StrEnum):
    """How faces are searched."""

    AUTO = "auto"
    EXACT = "exact"
    COMPRESSED = "compressed"
    GPU = "gpu"
    MILVUS = "milvus"


class GallerySettings(_Group):
    """How indexes follow the database."""

    follow_seconds: Annotated[
        float, Field(gt=0, le=60, description="How often changes by other processes are looked for.")
    ] = 0.2
    snapshot_seconds: Annotated[
        float, Field(gt=0, description="How often an index that changed is written to the data folder.")
    ] = 60
    log_days: Annotated[
        float, Field(gt=0, description="How long changes are kept; a process away for longer reads all faces again.")
    ] = 7


class MilvusSettings(_Group):
    """The distributed engine, with ARCID_INDEX=milvus."""

    address: Annotated[
        str | None, Field(description="Address of the engine, such as http://milvus:19530, or a file for milvus-lite.")
    ] = None
    token: Annotated[SecretStr | None, Field(description="user:password, or an API key of the engine.")] = None


class Settings(BaseSettings):
    """Frozen; an unknown name is an error, not a silent default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Annotated[Path, Field(description="Folder of the database, the index and keys.")] = _DATA
    models_dir: Annotated[Path, Field(description="Folder of the pulled networks.")] = _DATA
    database_url: Annotated[str | None, Field(description="SQLAlchemy URL; default: SQLite in the data folder.")] = None
    pack: Annotated[str, Field(description="The pack whose embedder is used; see `arcid models list`.")] = "open"
    detector: Annotated[
        str | None, Field(description="Detector pack, or finder+landmarker; default: what the pack recommends.")
    ] = None
    insightface_mirror: Annotated[
        str | None, Field(description="Address to fetch InsightFace's packs from instead of the publisher's.")
    ] = None
    index: Annotated[
        IndexKind, Field(description="auto (exact, compressed when large), exact, compressed, gpu or milvus.")
    ] = IndexKind.AUTO
    log_json: Annotated[bool, Field(description="One JSON object a line instead of readable lines.")] = False
    limits: LimitSettings = LimitSettings()
    detection: DetectionSettings = DetectionSettings()
    inference: InferenceSettings = InferenceSettings()
    gallery: GallerySettings = GallerySettings()
    milvus: MilvusSettings = MilvusSettings()


def read_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` win. Raises SettingsInvalid with the name that is wrong."""
    names = known_names(Settings)
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in names)
    if unknown:
        raise SettingsInvalid(f"no setting is called {', '.join(unknown)}; known: {', '.join(sorted(names))}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type] # checked by pydantic
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "__".join(str(part) for part in first["loc"]).upper()
        raise SettingsInvalid(f"{name}: {first['msg']}") from error
    except SettingsError as error:  # a whole group in one variable that is no JSON
        raise SettingsInvalid(str(error)) from error


def known_names(group: type[BaseModel], prefix: str = PREFIX) -> set[str]:
    """Return the environment variables of all settings, groups included, in capitals."""
    names = set()
    for field, info in group.model_fields.items():
        names.add(f"{prefix}{field}".upper())
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names |= known_names(info.annotation, f"{prefix}{field}__")
    return names
