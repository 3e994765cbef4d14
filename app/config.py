"""All settings, read from the environment once (prefix ARCID_, two underscores between group and name)."""

import ipaddress
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from app.access.rates import Rate
from app.errors import SettingsInvalid
from app.types import IndexKind
from app.vision.inference.runtime import Provider

APP = Path(__file__).parent
PROJECT = APP.parent
IS_CHECKOUT = (PROJECT / "pyproject.toml").is_file()
PREFIX = "ARCID_"
CLIENTS_OWN = {f"{PREFIX}API_KEY"}
"""Variables of the Python client. They may be set where a service starts, so they are not unknown settings."""

_DATA = PROJECT / ".data" if IS_CHECKOUT else Path.home() / ".local" / "share" / "arcid"


def shipped(name: str) -> Path:
    """Return a folder that ships with the code: next to `app/` in a checkout, inside `app/` once installed."""
    return PROJECT / name if IS_CHECKOUT else APP / name


def _listed(value: object) -> object:
    """Split text at its commas; return any other value unchanged."""
    return tuple(part for each in value.split(",") if (part := each.strip())) if isinstance(value, str) else value


def _proxies(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses and networks in their usual form. Raises ValueError if an entry is neither."""
    for each in texts:
        ipaddress.ip_network(each, strict=False)
    return tuple(str(ipaddress.ip_network(each, strict=False)) for each in texts)


def _hosts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return host names and addresses in lower case, without brackets."""
    for each in texts:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+|\[?[0-9A-Fa-f:.]+\]?", each):
            raise ValueError(f"{each!r} is not a host name or address: write it without scheme, port and path")
    return tuple(each.lower().strip("[]").removesuffix(".") for each in texts)


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return origins as browsers write them: lower case, without a default port."""
    return tuple(_origin(each) for each in texts)


def _origin(text: str) -> str:
    origin = text.lower()
    if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/?#@,]+", origin):
        raise ValueError(f"{text!r} is not an origin: write scheme://host[:port] without a path, or *")
    if origin.startswith("https://"):
        return origin.removesuffix(":443")
    return origin.removesuffix(":80") if origin.startswith("http://") else origin


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitSettings(_Group):
    """Limits of size, time and number for requests; docs/operations.md gives the reasons."""

    photo_bytes: Annotated[int, Field(gt=0, description="Maximum size of a photo, in bytes.")] = 20_000_000
    photo_pixels: Annotated[
        int, Field(gt=0, description="Maximum pixels of a photo; half of this for WebP and AVIF.")
    ] = 50_000_000
    faces: Annotated[
        int,
        Field(gt=0, le=10_000, description="Maximum faces analysed in a photo; the most prominent ones are kept."),
    ] = 100
    body_bytes: Annotated[int, Field(gt=0, description="Maximum size of a request body, in bytes.")] = 64_000_000
    bodies_bytes: Annotated[
        int, Field(gt=0, description="Maximum bytes of all request bodies in memory. One body is always admitted.")
    ] = 256_000_000
    waiting: Annotated[
        int, Field(ge=0, description="Maximum requests that wait for a free slot. Further requests get 503.")
    ] = 64
    wait_seconds: Annotated[float, Field(gt=0, description="Longest wait for a free slot, in seconds; then 503.")] = 10
    read_seconds: Annotated[
        float, Field(gt=0, description="Time limit for a request's headers, and again for its body, in seconds.")
    ] = 30
    connections: Annotated[int, Field(gt=0, description="Maximum open connections. A further one gets 503.")] = 2000
    event_streams: Annotated[
        int, Field(ge=0, description="Maximum open event streams of jobs. A further one gets 503.")
    ] = 100
    grace_seconds: Annotated[
        float, Field(ge=0, description="Time for running requests to finish after SIGTERM, in seconds.")
    ] = 8


class DetectionSettings(_Group):
    """Face detection."""

    lowest_score: Annotated[float, Field(gt=0, lt=1, description="Minimum detection score of a face.")] = 0.6
    longest_side: Annotated[
        int,
        Field(ge=64, le=4096, description="Larger photos are shrunk to this longer side, in pixels, for detection."),
    ] = 1280


class InferenceSettings(_Group):
    """Inference: provider, threads and batching."""

    provider: Annotated[
        Provider, Field(description="auto, cpu, cuda or tensorrt. If the named one is missing, the start fails.")
    ] = Provider.AUTO
    threads: Annotated[int, Field(ge=1, description="Threads of each network run.")] = 1
    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            description="Photos analysed at the same time. Default: one per core; with batching, half a batch more.",
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="Maximum crops of concurrent requests in one run of the embedder. 1: no batching across "
            "requests. Default: 32 on a GPU, 1 on the CPU.",
        ),
    ] = None
    batch_wait_ms: Annotated[
        float, Field(ge=0, le=1000, description="Longest time a crop waits for a batch to fill, in milliseconds.")
    ] = 2
    batch_queue: Annotated[
        int, Field(ge=1, description="Maximum crops that wait for a batch. Requests beyond this get 503.")
    ] = 1024
    flip: Annotated[
        bool,
        Field(
            description="In new collections, and in `evaluate` and `calibrate`: average the embeddings of a face and "
            "of its mirror image."
        ),
    ] = True


class WhenAway(StrEnum):
    """Answer to requests while Redis cannot count them."""

    SERVE = "serve"
    REFUSE = "refuse"


def _rate(text: str) -> str:
    return str(Rate.parse(text))


RateText = Annotated[str, AfterValidator(_rate)]


class RateSettings(_Group):
    """Rate limits such as 100/minute (second, minute, hour, day), or none."""

    key: Annotated[RateText, Field(description="Rate limit of API keys without their own; such as 600/minute.")] = (
        "none"
    )
    quota: Annotated[RateText, Field(description="Quota of API keys without their own; such as 100000/day.")] = "none"
    anonymous: Annotated[RateText, Field(description="Rate limit of a client address while no API keys exist.")] = (
        "none"
    )
    failures: Annotated[
        RateText, Field(description="Rate limit of a client address for requests with a wrong API key.")
    ] = "60/minute"
    search: Annotated[
        RateText,
        Field(description="Rate limit of embeddings that an API key without scope `manage` may search, on all routes."),
    ] = "60/hour"
    storage: Annotated[
        SecretStr | None,
        Field(description="Redis with the counts of all replicas: redis://:password@host:6379/0. Default: in memory."),
    ] = None
    when_away: Annotated[
        WhenAway,
        Field(description="While Redis is unreachable: serve (each process counts its own) or refuse (503)."),
    ] = WhenAway.SERVE


class ServerSettings(_Group):
    """Names and addresses under which clients reach the service."""

    hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        AfterValidator(_hosts),
        Field(
            description="Host names and addresses, separated by commas, that are served in addition to localhost "
            "while no API keys exist. With keys, every name is served."
        ),
    ] = ()
    root_path: Annotated[
        str,
        Field(
            pattern=r"^(/[A-Za-z0-9._~-]+)*$",
            description="Path below which a proxy serves the service, such as /faces. "
            "X-Forwarded-Prefix of a trusted proxy takes precedence.",
        ),
    ] = ""


class CorsSettings(_Group):
    """Web pages of other sites that may call the API."""

    origins: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        AfterValidator(_origins),
        Field(
            description="Origins whose pages may call the API, separated by commas, such as https://app.example.com. "
            "* allows any origin if API keys exist."
        ),
    ] = ()


class UrlSettings(_Group):
    """Photos by URL."""

    is_enabled: Annotated[bool, Field(description="Allow requests to name photos by URL.")] = False
    hosts: Annotated[
        str, Field(description="Allowed hosts, separated by commas: *.example.com allows its subdomains, * any.")
    ] = ""
    schemes: Annotated[
        str, Field(pattern=r"^(https|http|https,http|http,https)$", description="https, http or both.")
    ] = "https"
    ports: Annotated[
        str, Field(pattern=r"^[0-9]{1,5}(,[0-9]{1,5})*$", description="Allowed ports, separated by commas.")
    ] = "443,80"
    seconds: Annotated[
        float, Field(gt=0, description="Time limit for all photos of a request together, in seconds.")
    ] = 10
    redirects: Annotated[int, Field(ge=0, le=10, description="Maximum redirects to follow for a photo.")] = 3
    at_once: Annotated[int, Field(ge=1, description="Maximum photos fetched at the same time.")] = 16


class GallerySettings(_Group):
    """Replication of the database to the indexes, snapshots, retention."""

    follow_seconds: Annotated[
        float, Field(gt=0, le=60, description="Interval at which changes of other processes are read, in seconds.")
    ] = 0.2
    snapshot_seconds: Annotated[
        float, Field(gt=0, description="Interval at which changed indexes are written to the data folder, in seconds.")
    ] = 60
    log_days: Annotated[
        float,
        Field(gt=0, description="Days to keep the change log. A process stopped for longer rebuilds its indexes."),
    ] = 7
    sweep_seconds: Annotated[
        float, Field(gt=0, description="Interval at which expired people are erased, in seconds.")
    ] = 60
    anchor_hours: Annotated[
        float,
        Field(
            ge=0, description="Hours between two `audit.anchor` log lines, which hold the audit trail's end; 0: none."
        ),
    ] = 24


class JobSettings(_Group):
    """Background jobs; see docs/jobs.md."""

    import_dir: Annotated[
        Path | None, Field(description="Folder on the server that imports over the API may read. Unset: uploads only.")
    ] = None
    lease_seconds: Annotated[
        float, Field(ge=1, le=3600, description="Seconds until another process resumes the job of a dead process.")
    ] = 30
    keep_days: Annotated[float, Field(gt=0, description="Days to keep finished jobs and their errors.")] = 30


class MilvusSettings(_Group):
    """Connection to Milvus, for ARCID_INDEX=milvus."""

    address: Annotated[
        str | None, Field(description="Address of Milvus, such as http://milvus:19530, or a file for milvus-lite.")
    ] = None
    token: Annotated[SecretStr | None, Field(description="user:password, or an API key of Milvus.")] = None


class TracingSettings(_Group):
    """Tracing to an OpenTelemetry collector; needs the extra `tracing`."""

    endpoint: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
            description="Address of an OTLP collector (HTTP), such as http://collector:4318. Unset: no tracing.",
        ),
    ] = None
    ratio: Annotated[
        float,
        Field(
            ge=0, le=1, description="Share of requests to trace. A sampling decision of the caller takes precedence."
        ),
    ] = 1
    service_name: Annotated[str, Field(min_length=1, description="Name of the service in traces.")] = "arcid"


class EncryptionSettings(_Group):
    """Encryption at rest, enabled by a master key; docs/privacy.md has the threat model."""

    key_file: Annotated[
        Path | None, Field(description="File with the master key (`arcid keys new-master`); enables encryption.")
    ] = None
    key: Annotated[
        SecretStr | None, Field(description="The master key itself, 32 bytes in base64; enables encryption.")
    ] = None
    allow_plain_index: Annotated[
        bool, Field(description="Accept that Milvus stores templates unencrypted although encryption is enabled.")
    ] = False
    require_bound: Annotated[
        bool,
        Field(
            description="Reject templates and crops that are unencrypted or not bound to their owner. Enable it after "
            "`arcid keys rotate-data` has finished."
        ),
    ] = False


class _SecretFiles(NestedSecretsSettingsSource):
    """Source of settings from secret files. It reads only files named like a setting, as the folder may have others."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        return {each.name: _read_secret(each) for each in path.iterdir() if each.name.upper().startswith(PREFIX)}


def _read_secret(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}") from error


class Settings(BaseSettings):
    """Settings of the service and the commands. Frozen; an unknown name is an error."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Annotated[Path, Field(description="Folder of the database, the indexes and keys.")] = _DATA
    models_dir: Annotated[Path, Field(description="Folder of the pulled networks, with one folder for each pack.")] = (
        Field(default_factory=lambda chosen: chosen["data_dir"] / "models")
    )
    database_url: Annotated[str | None, Field(description="SQLAlchemy URL. Default: SQLite in the data folder.")] = None
    pack: Annotated[str, Field(description="Pack whose embedder is the default; see `arcid models list`.")] = "open"
    packs: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        Field(description="Further packs, separated by commas, whose embedders collections may use."),
    ] = ()
    detector: Annotated[
        str | None, Field(description="Detector pack, or finder+landmarker. Default: the pack's recommendation.")
    ] = None
    insightface_mirror: Annotated[
        str | None, Field(description="Address of a mirror that offers InsightFace's packs.")
    ] = None
    index: Annotated[
        IndexKind, Field(description="Index: auto (exact, compressed if large), exact, compressed, gpu or milvus.")
    ] = IndexKind.AUTO
    open_metadata: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        Field(description="Metadata members, separated by commas, that `where` may use without scope `manage`."),
    ] = ()
    proxies: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        AfterValidator(_proxies),
        Field(
            description="Addresses and networks of trusted reverse proxies, separated by commas. Only their "
            "X-Forwarded-For, -Proto, -Host and -Prefix are honoured."
        ),
    ] = ()
    log_json: Annotated[bool, Field(description="Write the log as one JSON object per line.")] = False
    secrets_dir: Annotated[
        Path | None,
        Field(
            description="Folder of files, each named like a setting and holding its value, such as arcid_database_url. "
            "The environment takes precedence."
        ),
    ] = None
    limits: LimitSettings = LimitSettings()
    server: ServerSettings = ServerSettings()
    rates: RateSettings = RateSettings()
    cors: CorsSettings = CorsSettings()
    urls: UrlSettings = UrlSettings()
    detection: DetectionSettings = DetectionSettings()
    inference: InferenceSettings = InferenceSettings()
    gallery: GallerySettings = GallerySettings()
    jobs: JobSettings = JobSettings()
    milvus: MilvusSettings = MilvusSettings()
    tracing: TracingSettings = TracingSettings()
    encryption: EncryptionSettings = EncryptionSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings names all of them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ArcID reads no .env file
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by precedence: arguments, the environment, the files of `secrets_dir`."""
        files = _SecretFiles(file_secret_settings, secrets_dir=_secrets_dir())
        return init_settings, env_settings, files


def read_settings(**overrides: object) -> Settings:
    """Read environment and secret files; `overrides` take precedence.

    Raises:
        SettingsInvalid: if a name is unknown or a value is invalid; the message names the setting.
    """
    names = known_names(Settings)
    given = {name for name in _given_names() if name.upper().startswith(PREFIX)}
    unknown = sorted(name for name in given if name.upper() not in names | CLIENTS_OWN)
    if unknown:
        raise SettingsInvalid(f"no setting is called {', '.join(unknown)}; known: {', '.join(sorted(names))}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type] # checked by pydantic
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "__".join(str(part) for part in first["loc"]).upper()
        raise SettingsInvalid(f"{name}: {first['msg']}") from error
    except SettingsError as error:  # a whole group in one variable that is not JSON
        raise SettingsInvalid(str(error)) from error


def _secrets_dir() -> Path | None:
    name = f"{PREFIX}SECRETS_DIR"
    return next((Path(value) for key, value in os.environ.items() if key.upper() == name and value), None)


def _given_names() -> set[str]:
    """Return the names of all environment variables and of the files in `secrets_dir`."""
    folder = _secrets_dir()
    if folder is None:
        return set(os.environ)
    try:
        return set(os.environ) | {path.name for path in folder.iterdir()}
    except OSError as error:
        raise SettingsInvalid(f"{PREFIX}SECRETS_DIR: {folder} cannot be read: {error.strerror}") from error


def known_names(group: type[BaseModel], prefix: str = PREFIX) -> set[str]:
    """Return the environment variables of all settings and groups, in upper case."""
    names = set()
    for field, info in group.model_fields.items():
        names.add(f"{prefix}{field}".upper())
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names |= known_names(info.annotation, f"{prefix}{field}__")
    return names
