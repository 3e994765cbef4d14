"""The groups of settings, with their defaults and descriptions."""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from app.access.rates import Rate
from app.types import Impostors, Provider


def split_at_commas(value: object) -> object:
    """Split text at its commas; return any other value unchanged."""
    return tuple(part for each in value.split(",") if (part := each.strip())) if isinstance(value, str) else value


def normalized_proxies(texts: tuple[str, ...]) -> tuple[str, ...]:
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


class Group(BaseModel):
    """A group of settings: frozen; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitSettings(Group):
    """Limits of size, time and number for requests; docs/operations.md gives the reasons."""

    photo_bytes: Annotated[int, Field(gt=0, description="Maximum size of a photo, in bytes.")] = 20_000_000
    photo_pixels: Annotated[
        int, Field(gt=0, description="Maximum pixels of a photo; half of this for WebP, AVIF and HEIC.")
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
        int,
        Field(ge=0, description="Maximum open streams of jobs, and as many of events. A further one gets 503."),
    ] = 100
    grace_seconds: Annotated[
        float, Field(ge=0, description="Time for running requests to finish after SIGTERM, in seconds.")
    ] = 8


class DetectionSettings(Group):
    """Face detection."""

    lowest_score: Annotated[float, Field(gt=0, lt=1, description="Minimum detection score of a face.")] = 0.6
    longest_side: Annotated[
        int,
        Field(ge=64, le=4096, description="Larger photos are shrunk to this longer side, in pixels, for detection."),
    ] = 1280


class InferenceSettings(Group):
    """Inference: provider, threads and batching."""

    provider: Annotated[
        Provider,
        Field(
            description="auto, cpu, cuda, tensorrt, openvino or coreml. If the named one is missing, the start fails."
        ),
    ] = Provider.AUTO
    threads: Annotated[int, Field(ge=1, description="Threads of each network run.")] = 1
    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            description="Photos analysed at the same time. Default: the number of cores; with batching, plus "
            "half a batch.",
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


class RateSettings(Group):
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


class ServerSettings(Group):
    """Names and addresses under which clients reach the service."""

    hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
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


class CorsSettings(Group):
    """Web pages of other sites that may call the API."""

    origins: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split_at_commas),
        AfterValidator(_origins),
        Field(
            description="Origins whose pages may call the API, separated by commas, such as https://app.example.com. "
            "* allows any origin if API keys exist."
        ),
    ] = ()


class UrlSettings(Group):
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


class LivenessSettings(Group):
    """Detection of presentation attacks; see docs/liveness.md."""

    pack: Annotated[
        str, Field(description="Pack that detects presentation attacks, for collections that check liveness.")
    ] = "minifas-fused"


class GallerySettings(Group):
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


class CalibrationSettings(Group):
    """Adaptive calibration; see docs/thresholds.md."""

    is_adaptive: Annotated[
        bool, Field(description="Adapt error rates to the people of each collection that has `adaptive: true`.")
    ] = True
    impostors: Annotated[
        Impostors,
        Field(
            description="Impostors that error rates are about, unless a collection sets its own: `any`, or `similar`, "
            "those of the same sex and origin."
        ),
    ] = Impostors.ANY
    learn_from_probes: Annotated[
        bool,
        Field(description="Also learn from the faces that are identified. Only running moments are kept of them."),
    ] = True
    interval_seconds: Annotated[
        float,
        Field(gt=0, le=3600, description="Interval at which collections with new people are adapted, in seconds."),
    ] = 10


class MilvusSettings(Group):
    """Connection to Milvus, for ARCID_INDEX=milvus."""

    address: Annotated[
        str | None, Field(description="Address of Milvus, such as http://milvus:19530, or a file for milvus-lite.")
    ] = None
    token: Annotated[SecretStr | None, Field(description="user:password, or an API key of Milvus.")] = None


class TracingSettings(Group):
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


class EncryptionSettings(Group):
    """Encryption at rest, enabled by a master key; docs/privacy.md has the threat model."""

    key_file: Annotated[
        Path | None, Field(description="File with the master key (`arcid keys new-master`); enables encryption.")
    ] = None
    key: Annotated[
        SecretStr | None, Field(description="The master key itself, 32 bytes in base64; enables encryption.")
    ] = None
    own_key: Annotated[
        bool,
        Field(
            description="Create a master key for a new embedded database if none is named: `master.key` in its folder."
        ),
    ] = True
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
