"""Dependencies of routes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Query, Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.access.keys import Principal
from app.api.http.admission import Admission, departure
from app.api.http.body_budget import BodyBudget
from app.api.http.event_hub import EventHub
from app.api.http.event_streams import Watches
from app.api.http.rates import Batches, Searches
from app.api.http.request_notes import note_collection
from app.api.schemas.fields import DEFAULT_COLLECTION
from app.container import Container
from app.database.reconnecting import patience
from app.errors import ArcidError
from app.names import CollectionName
from app.observability.stages import add_stage
from app.recognition.liveness.gate import LivenessRequest
from app.types import LivenessMode
from app.vision.inference.cancellation import cancellable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Workers:
    """Threads in which a request calls the services."""

    def __init__(self, admission: Admission, receive: Receive) -> None:
        self._admission = admission
        self._receive = receive

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Wait for a slot, call `work` in a thread and return its result.

        Raises as `Admission.turn`, and ClientDisconnect if the client goes before its crops are in a batch.
        """
        asked = time.perf_counter()
        async with self._admission.turn(self._receive), self._cancelled_by_departure():
            add_stage("wait", asked, time.perf_counter())
            # A separate limiter, so that a request with a slot always finds a thread.
            with patience():
                return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=CapacityLimiter(1))

    @asynccontextmanager
    async def _cancelled_by_departure(self) -> AsyncIterator[None]:
        """Cancel the work inside the block, where it supports that, if the client goes."""
        with cancellable() as cancellation:

            async def watch() -> None:
                with suppress(ArcidError):  # from a body that nobody reads
                    await departure(self._receive)
                    cancellation.cancel()

            watching = asyncio.create_task(watch())
            try:
                yield
            except CancelledError:
                raise ClientDisconnect from None
            finally:
                watching.cancel()


# All are coroutines: FastAPI would run a plain function in a thread.


async def _services(request: Request) -> Container:
    services: Container = request.app.state.services
    return services


async def _admission(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission


async def _body_budget(request: Request) -> BodyBudget:
    body_budget: BodyBudget = request.app.state.body_budget
    return body_budget


async def _watches(request: Request) -> Watches:
    watches: Watches = request.app.state.watches
    return watches


async def _event_hub(request: Request) -> EventHub:
    event_hub: EventHub = request.app.state.event_hub
    return event_hub


async def _workers(request: Request) -> Workers:
    return Workers(request.app.state.admission, request.receive)


async def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


async def _searches(request: Request) -> Searches:
    return Searches(request.app.state.rates, request.state.principal, request.state.standings)


async def _batches(request: Request) -> Batches:
    return Batches(request.app.state.rates, request.state.principal, request.scope)


async def _is_exact(principal: Annotated[Principal, Depends(_principal)]) -> bool:
    """Return whether the caller sees exact similarities: only callers who may read the templates do."""
    return principal.may_read_templates


async def _liveness(
    principal: Annotated[Principal, Depends(_principal)],
) -> Callable[[LivenessMode | None], LivenessRequest]:
    """Return the function that makes a request for a check of liveness, as far as the caller may ask for it."""
    return partial(LivenessRequest, may_lower=principal.may_lower_liveness)


async def _collection(
    request: Request,
    principal: Annotated[Principal, Depends(_principal)],
    collection: Annotated[
        CollectionName | None, Query(description="Default: the key's only collection, else `default`.")
    ] = None,
) -> str:
    """Return the collection of the query, or the key's default; raises CollectionForbidden."""
    if collection is None:
        collection = principal.default_collection or DEFAULT_COLLECTION
    principal.require_collection(collection)  # `authorise` has not seen a collection that comes from the body
    note_collection(request.scope, collection)
    return collection


ServicesDependency = Annotated[Container, Depends(_services)]
AdmissionDependency = Annotated[Admission, Depends(_admission)]
BodyBudgetDependency = Annotated[BodyBudget, Depends(_body_budget)]
EventHubDependency = Annotated[EventHub, Depends(_event_hub)]
WatchesDependency = Annotated[Watches, Depends(_watches)]
WorkersDependency = Annotated[Workers, Depends(_workers)]
PrincipalDependency = Annotated[Principal, Depends(_principal)]
BatchesDependency = Annotated[Batches, Depends(_batches)]
SearchesDependency = Annotated[Searches, Depends(_searches)]
ExactDependency = Annotated[bool, Depends(_is_exact)]
LivenessDependency = Annotated[Callable[[LivenessMode | None], LivenessRequest], Depends(_liveness)]
CollectionDependency = Annotated[str, Depends(_collection)]
