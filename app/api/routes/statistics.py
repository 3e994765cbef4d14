"""GET /statistics: traffic, verdicts, refusals, quality and latency over time."""

from typing import Annotated

from fastapi import Query

from app.access.keys import Scope
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.queries import require_order
from app.api.http.routing import router_at
from app.api.schemas.fields import QueryMoment
from app.api.schemas.statistics import StatisticsSchema
from app.names import CollectionName
from app.statistics.counts import Operation
from app.statistics.service import BucketSize

router = router_at(tag="administration", scope=Scope.METRICS)


@router.get("/statistics")
async def get_statistics(
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    *,
    collection: Annotated[CollectionName | None, Query(description="Only requests for this collection.")] = None,
    operation: Annotated[Operation | None, Query(description="Only this operation.")] = None,
    bucket: Annotated[BucketSize, Query(description="Length of a bucket.")] = BucketSize.DAY,
    since: Annotated[
        QueryMoment | None, Query(description="From the bucket of this moment on. Default: 7 days, or 24 hours, ago.")
    ] = None,
    until: Annotated[QueryMoment | None, Query(description="To the bucket before this moment. Default: now.")] = None,
) -> StatisticsSchema:
    """Return counts and percentiles of recognition in hours or days of UTC, over all replicas, some seconds late."""
    require_order(since, until)
    if collection is None:
        principal.require_all_collections()
    report = await workers.run(
        services.statistics.report, bucket, since=since, until=until, collection=collection, operation=operation
    )
    return StatisticsSchema.of(
        report,
        collection=collection,
        operation=operation,
        bucket=bucket,
        kept_days=services.statistics.keep_days,
    )
