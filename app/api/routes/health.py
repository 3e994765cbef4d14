"""GET /collections/{collection}/health: what is wrong with a gallery, page by page."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.openapi import PROBLEM_RESPONSES
from app.api.schemas.health import HealthAnswer
from app.api.schemas.paging import After, Limit
from app.api.schemas.requests import CollectionPath

router = APIRouter(tags=["gallery"], responses=PROBLEM_RESPONSES, prefix="/collections/{collection}/health")


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
            description="Of so many people with one identity only, one may be taken for a second; 0.01 if not sent.",
        ),
    ] = None,
) -> HealthAnswer:
    """Look for identities that look like one person, foreign faces inside one, and faces too poor to help."""
    return HealthAnswer.of(
        await workers.run(services.health.check, collection, after=after, limit=limit, max_fpir=max_fpir)
    )
