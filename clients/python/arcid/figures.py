"""Statistics of recognition, with the names of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from arcid.parsing import Value

RecognitionOperation = Literal["identify", "verify", "search", "enroll", "detect", "embed"]
BucketSize = Literal["hour", "day"]


@dataclass(frozen=True, slots=True)
class QualityFigures(Value):
    """Quality (0..1) of the faces in photos; a tenth of them is below `p10`."""

    count: int
    mean: float
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class LatencyFigures(Value):
    """Time from a request's head to its answer, in milliseconds."""

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Figures(Value):
    """Numbers of requests by operation, of verdicts, and of refused requests and photos by code."""

    requests: Mapping[str, int]
    verdicts: Mapping[str, int]
    refusals: Mapping[str, int]
    quality: QualityFigures | None
    latency: LatencyFigures | None


@dataclass(frozen=True, slots=True)
class Bucket(Figures):
    """Figures of the hour or day that starts at `start`, in UTC."""

    start: datetime


@dataclass(frozen=True, slots=True)
class Statistics(Value):
    """Statistics over all replicas; buckets without requests are left out."""

    collection: str | None
    operation: RecognitionOperation | None
    bucket: BucketSize
    since: datetime
    until: datetime
    is_truncated: bool
    kept_days: int
    total: Figures
    buckets: tuple[Bucket, ...]
