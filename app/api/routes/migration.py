"""/collections/{collection}/reembed: model migration of a collection."""

from typing import Annotated

from fastapi import Depends, Query, Response

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.schemas.fields import CollectionPath, NetworkName
from app.api.schemas.jobs import JobSchema
from app.api.schemas.migration import (
    DiscardedSchema,
    OnMissing,
    OverviewSchema,
    ReembedRequest,
    RollbackRequest,
    SwitchedSchema,
    SwitchRequest,
)
from app.api.schemas.paging import After, Limit
from app.transfer.job_kinds import JobKind

router = router_at("/collections/{collection}/reembed", tag="collections", scope=Scope.MANAGE)


@router.get("")
async def get_migration(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    model: Annotated[
        NetworkName | None, Query(description="List only faces that also lack a template of this network.")
    ] = None,
) -> OverviewSchema:
    """Return the networks that the faces have templates of, and the faces without a crop."""
    seen = await workers.run(services.migration.overview, collection, model, after=after, limit=limit)
    return OverviewSchema.of(seen, services.registry.models)


@router.post("", status_code=202)
async def reembed_collection(
    collection: CollectionPath,
    request: Annotated[ReembedRequest, Depends(JsonBody(ReembedRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> JobSchema:
    """Create a job that embeds all faces with another network, from their crops, and switches to it."""
    network = await workers.run(services.migration.require_possible, collection, request.model)
    options = {"model": network.model, "on_missing": request.on_missing.value, "switch": request.switch}
    made = await workers.run(services.job_requests.reembed, collection, options)
    response.headers["Location"] = f"/jobs/{made.job_id}"
    return JobSchema.of(made)


@router.post("/switch")
async def switch_model(
    collection: CollectionPath,
    request: Annotated[SwitchRequest, Depends(JsonBody(SwitchRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
) -> SwitchedSchema:
    """Switch to a network that all faces have a template of, at once."""
    is_rest_dropped = request.on_missing is OnMissing.DROP
    done = await workers.run(services.migration.switch, collection, request.model, is_rest_dropped=is_rest_dropped)
    return SwitchedSchema.of(done)


@router.post("/rollback")
async def roll_back_model(
    collection: CollectionPath,
    request: Annotated[RollbackRequest, Depends(JsonBody(RollbackRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
) -> SwitchedSchema:
    """Switch back to the previous network, at once."""
    is_rest_dropped = request.on_missing is OnMissing.DROP
    return SwitchedSchema.of(
        await workers.run(services.migration.roll_back, collection, is_rest_dropped=is_rest_dropped)
    )


@router.post("/discard")
async def discard_templates(
    collection: CollectionPath, services: ServicesDependency, workers: WorkersDependency
) -> DiscardedSchema:
    """Delete the templates of all networks except the current one; no rollback is possible afterwards."""
    await workers.run(services.jobs.require_none, JobKind.REEMBED, collection)
    return DiscardedSchema(discarded=await workers.run(services.migration.discard, collection))
