"""GET /collections/{collection}/health: problems of a gallery, page by page."""

from typing import Annotated

from fastapi import Query

from app.access.keys import Scope
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.schemas.fields import CollectionPath
from app.api.schemas.health import HealthAnswer
from app.api.schemas.paging import After, Limit

router = router_at("/collections/{collection}/health", tag="gallery", scope=Scope.MANAGE)


@router.get("")
async def check_gallery(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    max_fpir: Annotated[
        float | None,
        Query(
            gt=0,
            le=0.5,
            description="Highest share of people with one identity that may be reported as duplicates. Default: the "
            "collection's own rate or threshold, or else 0.002.",
        ),
    ] = None,
) -> HealthAnswer:
    """Find duplicate identities, wrong-person faces, and low-quality faces."""
    return HealthAnswer.of(
        await workers.run(services.health.check, collection, after=after, limit=limit, max_fpir=max_fpir)
    )
