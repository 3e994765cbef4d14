"""What routes ask for."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from app.factory.services import Services

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Workers:
    """Threads for the services' work, as many as photos are analysed at once; further requests wait their turn.

    Few threads that do one photo after the other need less memory and keep their caches warmer than many that share the
    cores; and a status request never waits behind them.
    """

    def __init__(self, threads: int) -> None:
        self._limiter = CapacityLimiter(threads)

    async def run(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Call `work` in a thread and return what it returns."""
        return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter)


# Both are coroutines because FastAPI sends a plain function through a thread.


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _workers(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


ServicesDependency = Annotated[Services, Depends(_services)]
WorkersDependency = Annotated[Workers, Depends(_workers)]
