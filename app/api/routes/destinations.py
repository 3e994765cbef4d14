"""Destinations of events: webhooks and MQTT brokers, their secrets, and their deliveries."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Query, Response

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.schemas.destinations import (
    DeliveriesPage,
    DeliverySchema,
    DestinationChange,
    DestinationId,
    DestinationRequest,
    DestinationSchema,
    DestinationsSchema,
    DestinationWithSecret,
    EventId,
    QueuedTest,
    Replayed,
)
from app.api.schemas.paging import After, Limit, cursor_of
from app.notify.delivery import DeliveryState

router = router_at("/destinations", tag="administration", scope=Scope.ADMIN)
_LONGEST_OVERLAP_H = 720


@router.post("", status_code=201)
async def create_destination(
    request: Annotated[DestinationRequest, Depends(JsonBody(DestinationRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
) -> DestinationWithSecret:
    """Create a destination of events, and return the secret of a webhook once."""
    made, secret = await workers.run(services.destinations.create, principal, request.value())
    response.headers["Location"] = f"/destinations/{made.destination_id}"
    response.headers["Cache-Control"] = "no-store"
    return DestinationWithSecret.made(made, secret)


@router.get("")
async def list_destinations(
    services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> DestinationsSchema:
    """List the destinations, the oldest first; a key for some collections sees only those for no others."""
    found = await workers.run(services.destinations.all, principal)
    return DestinationsSchema(destinations=[DestinationSchema.of(each) for each in found])


@router.get("/{destination_id}")
async def get_destination(
    destination_id: DestinationId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> DestinationSchema:
    """Return a destination, without its URL and secrets."""
    return DestinationSchema.of(await workers.run(services.destinations.get, principal, destination_id))


@router.patch("/{destination_id}")
async def change_destination(
    destination_id: DestinationId,
    request: Annotated[DestinationChange, Depends(JsonBody(DestinationChange))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> DestinationSchema:
    """Change a destination; missing fields keep their values. Deliveries that wait go to the new URL."""
    change = services.destinations.change
    return DestinationSchema.of(await workers.run(change, principal, destination_id, request.changes(), request.url))


@router.delete("/{destination_id}", status_code=204)
async def delete_destination(
    destination_id: DestinationId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> None:
    """Delete a destination, its dead letters and the deliveries that wait."""
    await workers.run(services.destinations.delete, principal, destination_id)


@router.post("/{destination_id}/secret")
async def rotate_destination_secret(
    destination_id: DestinationId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
    previous_hours: Annotated[
        int,
        Query(ge=0, le=_LONGEST_OVERLAP_H, description="Hours for which the old secret also signs events."),
    ] = 24,
) -> DestinationWithSecret:
    """Replace the secret of a webhook, and return the new one once."""
    overlap = timedelta(hours=previous_hours)
    rotated, secret = await workers.run(services.destinations.rotate, principal, destination_id, overlap)
    response.headers["Cache-Control"] = "no-store"
    return DestinationWithSecret.made(rotated, secret)


@router.post("/{destination_id}/test", status_code=202)
async def test_destination(
    destination_id: DestinationId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> QueuedTest:
    """Send an event of kind `test` to a destination; its deliveries show the outcome."""
    return QueuedTest(event_id=await workers.run(services.destinations.test, principal, destination_id))


@router.get("/{destination_id}/deliveries")
async def list_deliveries(
    destination_id: DestinationId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
    state: Annotated[DeliveryState | None, Query(description="Only deliveries in this state.")] = None,
) -> DeliveriesPage:
    """List the deliveries to a destination, the oldest first; `state=dead` lists its dead letters."""
    list_page = services.destinations.deliveries
    page = await workers.run(list_page, principal, destination_id, state=state, after=after, limit=limit)
    return DeliveriesPage(
        deliveries=[DeliverySchema.of(each) for each in page.items], next_cursor=cursor_of(page.after)
    )


@router.post("/{destination_id}/replay", status_code=202)
async def replay_deliveries(
    destination_id: DestinationId,
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    event_id: Annotated[EventId | None, Query(description="Only the dead letter of this event.")] = None,
) -> Replayed:
    """Queue the dead letters of a destination again."""
    return Replayed(deliveries=await workers.run(services.destinations.replay, principal, destination_id, event_id))
