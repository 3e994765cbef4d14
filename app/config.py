"""Every setting, read from the environment once (prefix ARCID_, groups joined by two underscores)."""

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
from app.inference.runtime import Provider

APP = Path(__file__).parent
PROJECT = APP.parent
IS_CHECKOUT = (PROJECT / "pyproject.toml").is_file()
PREFIX = "ARCID_"
CLIENTS_OWN = {f"{PREFIX}API_KEY"}
"""What the Python client reads; it may be set where a service starts, too."""

_DATA = PROJECT / ".data" if IS_CHECKOUT else Path.home() / ".local" / "share" / "arcid"


def shipped(name: str) -> Path:
    """Return a folder that ships with the code: beside `app/` in a checkout, inside it once installed."""
    return PROJECT / name if IS_CHECKOUT else APP / name


def _listed(value: object) -> object:
    """Take a list, or text with commas in it."""
    return tuple(part for each in value.split(",") if (part := each.strip())) if isinstance(value, str) else value


def _proxies(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses and networks as they are; raises ValueError if one of them is neither."""
    for each in texts:
        ipaddress.ip_network(each, strict=False)
    return tuple(str(ipaddress.ip_network(each, strict=False)) for each in texts)


def _hosts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return host names and addresses in small letters, without brackets."""
    for each in texts:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+|\[?[0-9A-Fa-f:.]+\]?", each):
            raise ValueError(f"{each!r} is not a host name or address: write it without scheme, port and path")
    return tuple(each.lower().strip("[]").removesuffix(".") for each in texts)


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return origins as browsers write them: small letters, no default port."""
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
    """What a request may weigh and how long it may take; docs/operations.md has the reasons."""

    photo_bytes: Annotated[int, Field(gt=0, description="Most bytes of one photo.")] = 20_000_000
    photo_pixels: Annotated[
        int, Field(gt=0, description="Most pixels of one photo; of WebP and AVIF half as many.")
    ] = 50_000_000
    faces: Annotated[
        int,
        Field(gt=0, le=10_000, description="Most faces of one photo that are looked at, the most prominent ones."),
    ] = 100
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
    event_streams: Annotated[
        int, Field(ge=0, description="Most event streams of jobs at once; one more is answered 503.")
    ] = 100
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
        int | None,
        Field(ge=1, description="Photos analysed at once; default: the cores, with batching half a batch more."),
    ] = None
    batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="Most crops of concurrent requests in one run of the embedder, 1: each photo by itself; "
            "default: 32 on a GPU, 1 on the CPU.",
        ),
    ] = None
    batch_wait_ms: Annotated[
        float, Field(ge=0, le=1000, description="Longest wait of a crop for others to share its run, in milliseconds.")
    ] = 2
    batch_queue: Annotated[
        int, Field(ge=1, description="Most crops that wait for a shared run; requests with more are 503.")
    ] = 1024
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


class WhenAway(StrEnum):
    """What happens to requests that Redis cannot count."""

    SERVE = "serve"
    REFUSE = "refuse"


def _rate(text: str) -> str:
    return str(Rate.parse(text))


RateText = Annotated[str, AfterValidator(_rate)]


class RateSettings(_Group):
    """How many requests who may send; 100/minute (second, minute, hour, day), or none."""

    key: Annotated[RateText, Field(description="Rate of an API key that has none of its own; as 600/minute.")] = "none"
    quota: Annotated[RateText, Field(description="Quota of an API key that has none of its own; as 100000/day.")] = (
        "none"
    )
    anonymous: Annotated[RateText, Field(description="Rate of a client address while the service has no API keys.")] = (
        "none"
    )
    failures: Annotated[
        RateText, Field(description="Rate of requests with a wrong API key from one client address.")
    ] = "60/minute"
    search: Annotated[
        RateText,
        Field(description="Rate of embeddings that an API key without scope `manage` may look up, at any route."),
    ] = "60/hour"
    storage: Annotated[
        SecretStr | None,
        Field(description="Redis that counts for all replicas, as redis://:password@host:6379/0; default: in memory."),
    ] = None
    when_away: Annotated[
        WhenAway,
        Field(description="While Redis is away: serve (each process counts alone) or refuse (503)."),
    ] = WhenAway.SERVE


class ServerSettings(_Group):
    """Under which names and addresses the service is reached."""

    hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        AfterValidator(_hosts),
        Field(
            description="Host names and addresses, joined by commas, that are answered beside localhost while there "
            "are no API keys; with keys every name is."
        ),
    ] = ()
    root_path: Annotated[
        str,
        Field(
            pattern=r"^(/[A-Za-z0-9._~-]+)*$",
            description="Path below which a proxy serves the service, such as /faces; "
            "X-Forwarded-Prefix of a trusted proxy wins.",
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
            description="Origins whose pages may call the API, joined by commas, as https://app.example.com; "
            "* for any, once there are API keys."
        ),
    ] = ()


class UrlSettings(_Group):
    """Photos by URL."""

    is_enabled: Annotated[bool, Field(description="Whether requests may name photos by URL.")] = False
    hosts: Annotated[
        str, Field(description="Hosts to fetch from, with commas; *.example.com for all below it, * for any.")
    ] = ""
    schemes: Annotated[
        str, Field(pattern=r"^(https|http|https,http|http,https)$", description="https, http or both.")
    ] = "https"
    ports: Annotated[
        str, Field(pattern=r"^[0-9]{1,5}(,[0-9]{1,5})*$", description="Ports to connect to, with commas.")
    ] = "443,80"
    seconds: Annotated[float, Field(gt=0, description="Longest time for all photos of a request together.")] = 10
    redirects: Annotated[int, Field(ge=0, le=10, description="Most redirects that are followed for a photo.")] = 3
    at_once: Annotated[int, Field(ge=1, description="Most photos that are fetched at once.")] = 16


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
    sweep_seconds: Annotated[float, Field(gt=0, description="How often people whose time is over are erased.")] = 60
    anchor_hours: Annotated[
        float,
        Field(ge=0, description="How often the audit trail's end is written to the log (`audit.anchor`); 0: never."),
    ] = 24


class JobSettings(_Group):
    """Long work; docs/jobs.md."""

    import_dir: Annotated[
        Path | None, Field(description="Folder on the server that imports over the API may read; none: uploads only.")
    ] = None
    lease_seconds: Annotated[
        float, Field(ge=1, le=3600, description="How long after its process died a job is taken up again.")
    ] = 30
    keep_days: Annotated[float, Field(gt=0, description="How long jobs that have ended are kept, with errors.")] = 30


class MilvusSettings(_Group):
    """The distributed engine, with ARCID_INDEX=milvus."""

    address: Annotated[
        str | None, Field(description="Address of the engine, such as http://milvus:19530, or a file for milvus-lite.")
    ] = None
    token: Annotated[SecretStr | None, Field(description="user:password, or an API key of the engine.")] = None


class TracingSettings(_Group):
    """Traces for an OpenTelemetry collector; needs the extra `tracing`."""

    endpoint: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
            description="Address of a collector that speaks OTLP over HTTP, such as http://collector:4318; "
            "without one nothing is traced.",
        ),
    ] = None
    ratio: Annotated[
        float,
        Field(ge=0, le=1, description="Share of requests that are traced, of those whose caller has not decided."),
    ] = 1
    service_name: Annotated[str, Field(min_length=1, description="The service's name in traces.")] = "arcid"


class EncryptionSettings(_Group):
    """Templates encrypted at rest, once there is a master key; docs/privacy.md has the threat model."""

    key_file: Annotated[
        Path | None, Field(description="File with the master key, which turns encryption on; `arcid keys new-master`.")
    ] = None
    key: Annotated[SecretStr | None, Field(description="The master key itself: 32 bytes in base64.")] = None
    allow_plain_index: Annotated[
        bool, Field(description="Accept that Milvus holds templates in plain although they are encrypted here.")
    ] = False
    require_bound: Annotated[
        bool,
        Field(
            description="Refuse templates and crops in plain, or not bound to their owner, whatever the database says; "
            "once `arcid keys rotate-data` has ended."
        ),
    ] = False


class _SecretFiles(NestedSecretsSettingsSource):
    """Reads no file but those that are named as settings: others may lie beside them."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        return {each.name: _read_secret(each) for each in path.iterdir() if each.name.upper().startswith(PREFIX)}


def _read_secret(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}") from error


class Settings(BaseSettings):
    """Frozen; an unknown name is an error, not a silent default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Annotated[Path, Field(description="Folder of the database, the index and keys.")] = _DATA
    models_dir: Annotated[Path, Field(description="Folder of the pulled networks, a folder for each pack.")] = Field(
        default_factory=lambda chosen: chosen["data_dir"] / "models"
    )
    database_url: Annotated[str | None, Field(description="SQLAlchemy URL; default: SQLite in the data folder.")] = None
    pack: Annotated[str, Field(description="The pack whose embedder is used; see `arcid models list`.")] = "open"
    packs: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        Field(description="Further packs, joined by commas, whose embedders serve collections of their own."),
    ] = ()
    detector: Annotated[
        str | None, Field(description="Detector pack, or finder+landmarker; default: what the pack recommends.")
    ] = None
    insightface_mirror: Annotated[
        str | None, Field(description="Address to fetch InsightFace's packs from instead of the publisher's.")
    ] = None
    index: Annotated[
        IndexKind, Field(description="auto (exact, compressed when large), exact, compressed, gpu or milvus.")
    ] = IndexKind.AUTO
    open_metadata: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        Field(description="Members of metadata, joined by commas, that `where` may name without scope `manage`."),
    ] = ()
    proxies: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_listed),
        AfterValidator(_proxies),
        Field(
            description="Addresses and networks of reverse proxies, joined by commas, whose X-Forwarded-For, -Proto, "
            "-Host and -Prefix are believed; nobody else's are."
        ),
    ] = ()
    log_json: Annotated[bool, Field(description="One JSON object a line instead of readable lines.")] = False
    secrets_dir: Annotated[
        Path | None,
        Field(
            description="Folder of files that are named as settings and hold their values, such as arcid_database_url; "
            "the environment wins."
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
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there is no such file
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say who wins: what is given, then the environment, then the files of `secrets_dir`."""
        files = _SecretFiles(file_secret_settings, secrets_dir=_secrets_dir())
        return init_settings, env_settings, files


def read_settings(**overrides: object) -> Settings:
    """Read environment and secrets; `overrides` win. Raises SettingsInvalid with the name that is wrong."""
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
    except SettingsError as error:  # a whole group in one variable that is no JSON
        raise SettingsInvalid(str(error)) from error


def _secrets_dir() -> Path | None:
    name = f"{PREFIX}SECRETS_DIR"
    return next((Path(value) for key, value in os.environ.items() if key.upper() == name and value), None)


def _given_names() -> set[str]:
    """Return the names of the environment and of the files in `secrets_dir`."""
    folder = _secrets_dir()
    if folder is None:
        return set(os.environ)
    try:
        return set(os.environ) | {path.name for path in folder.iterdir()}
    except OSError as error:
        raise SettingsInvalid(f"{PREFIX}SECRETS_DIR: {folder} cannot be read: {error.strerror}") from error


def known_names(group: type[BaseModel], prefix: str = PREFIX) -> set[str]:
    """Return the environment variables of all settings, groups included, in capitals."""
    names = set()
    for field, info in group.model_fields.items():
        names.add(f"{prefix}{field}".upper())
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names |= known_names(info.annotation, f"{prefix}{field}__")
    return names
