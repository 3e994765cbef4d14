"""Answers about statistics. Their names are the API's contract."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.statistics.counts import Operation
from app.statistics.figures import Distribution, Figures
from app.statistics.service import BucketSize, Report


class QualityFiguresSchema(BaseModel):
    """Quality (0..1) of the faces in photos: of probes, and of enrolled faces."""

    count: Annotated[int, Field(description="Number of faces.")]
    mean: float
    p10: Annotated[float, Field(description="A tenth of the faces is below.")]
    p50: float
    p90: float


class LatencyFiguresSchema(BaseModel):
    """Time from a request's head to its answer, in milliseconds."""

    count: Annotated[int, Field(description="Number of requests.")]
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class FiguresSchema(BaseModel):
    """Figures of recognition in a time."""

    requests: Annotated[dict[str, int], Field(description="Number of requests by operation, also of refused ones.")]
    verdicts: Annotated[
        dict[str, int],
        Field(description="Verdicts, one for each face or pair; `no_match` is the `unknown` of POST /verify."),
    ]
    refusals: Annotated[dict[str, int], Field(description="Number of refused requests and photos, by code.")]
    quality: QualityFiguresSchema | None
    latency: LatencyFiguresSchema | None

    @classmethod
    def members_of(cls, figures: Figures) -> Mapping[str, Any]:
        """Return the members of figures."""
        return {
            "requests": figures.requests,
            "verdicts": figures.verdicts,
            "refusals": figures.refusals,
            "quality": _quality(figures.quality),
            "latency": _latency(figures.latency),
        }


class BucketSchema(FiguresSchema):
    """Figures of an hour or a day."""

    start: Annotated[datetime, Field(description="The start of the hour or day, in UTC.")]


class StatisticsSchema(BaseModel):
    """Statistics of recognition, over all replicas."""

    collection: Annotated[str | None, Field(description="Null: all collections, and requests without one.")]
    operation: Annotated[Operation | None, Field(description="Null: all operations.")]
    bucket: BucketSize
    since: Annotated[datetime, Field(description="The start of the first bucket.")]
    until: Annotated[datetime, Field(description="The end of the last bucket.")]
    is_truncated: Annotated[
        bool, Field(description="The request's `since` is before the counts that are kept, so this `since` is later.")
    ]
    kept_days: Annotated[int, Field(description="Days that counts are kept; 0: nothing is counted.")]
    total: FiguresSchema
    buckets: Annotated[list[BucketSchema], Field(description="Oldest first; buckets without requests are left out.")]

    @classmethod
    def of(
        cls, report: Report, *, collection: str | None, operation: Operation | None, bucket: BucketSize, kept_days: int
    ) -> "StatisticsSchema":
        """Return the schema of a report and of what was asked for."""
        return cls(
            collection=collection,
            operation=operation,
            bucket=bucket,
            since=report.since,
            until=report.until,
            is_truncated=report.is_truncated,
            kept_days=kept_days,
            total=FiguresSchema(**FiguresSchema.members_of(report.total)),
            buckets=[
                BucketSchema(start=start, **FiguresSchema.members_of(each)) for start, each in report.buckets.items()
            ],
        )


def _quality(found: Distribution | None) -> QualityFiguresSchema | None:
    if found is None:
        return None
    p10, p50, p90 = (round(each, 3) for each in found.percentiles)
    return QualityFiguresSchema(count=found.count, mean=round(found.mean, 3), p10=p10, p50=p50, p90=p90)


def _latency(found: Distribution | None) -> LatencyFiguresSchema | None:
    if found is None:
        return None
    mean, p50, p95, p99 = (round(1000 * each, 1) for each in (found.mean, *found.percentiles))
    return LatencyFiguresSchema(count=found.count, mean_ms=mean, p50_ms=p50, p95_ms=p95, p99_ms=p99)
