"""What routes ask for."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from starlette.types import Receive

from app.access.values import Principal
from app.api.admission import Admission
from app.api.intake import Intake
from app.factory.services import Services

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Workers:
    """Threads for the services' work, for one request, whose client's messages `receive` gives."""

    def __init__(self, admission: Admission, receive: Receive) -> None:
        self._admission = admission
        self._receive = receive

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Wait for a turn, call `work` in a thread and return what it returns; raises as `Admission.turn` does."""
        async with self._admission.turn(self._receive):
            # A limiter of its own: whoever holds a turn finds a thread.
            return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=CapacityLimiter(1))


# All are coroutines because FastAPI sends a plain function through a thread.


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _admission(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission


async def _intake(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


async def _workers(request: Request) -> Workers:
    return Workers(request.app.state.admission, request.receive)


async def _principal(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


ServicesDependency = Annotated[Services, Depends(_services)]
AdmissionDependency = Annotated[Admission, Depends(_admission)]
IntakeDependency = Annotated[Intake, Depends(_intake)]
WorkersDependency = Annotated[Workers, Depends(_workers)]
PrincipalDependency = Annotated[Principal, Depends(_principal)]
