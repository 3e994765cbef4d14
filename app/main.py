"""The application: routes, middleware, and a lifespan that starts the container and closes it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool

from app import __version__
from app.access.rates import Rate
from app.api.http import errors, metrics, openapi
from app.api.http.admission import Admission
from app.api.http.authentication import Authentication
from app.api.http.body_budget import BodyBudget
from app.api.http.cors import Cors
from app.api.http.event_hub import EventHub
from app.api.http.event_streams import Watches
from app.api.http.head import Head
from app.api.http.keyless import Keyless
from app.api.http.metrics import Metrics
from app.api.http.middleware import RequestContext
from app.api.http.permissions import authorise
from app.api.http.proxies import Proxies
from app.api.http.rates import Rates, UsualRates
from app.api.http.reshaping import reshaping
from app.api.http.tus import Tus, UploadWrites
from app.api.routes import (
    analyse,
    audit,
    backups,
    calibration,
    cameras,
    collections,
    destinations,
    docs,
    events,
    faces,
    groups,
    health,
    identities,
    jobs,
    keys,
    liveness,
    migration,
    page,
    privacy,
    recognise,
    reviews,
    rules,
    sign_in,
    statistics,
    status,
    uploads,
)
from app.compreface import routers as compreface
from app.compreface.key_in_path import KeyInPath
from app.compreface.problems import ERRORS as COMPREFACE_ERRORS
from app.config import Settings
from app.container import Container
from app.deepface import routes as deepface
from app.deepface.problems import ERRORS as DEEPFACE_ERRORS
from app.wiring.batching import photos_at_once
from app.wiring.clients import open_fetcher, open_limiter, open_tracing

if TYPE_CHECKING:
    from app.observability.tracing import Tracing

NO_SAMPLES: Mapping[str, bytes] = MappingProxyType({})
_SIGN_INS = 8  # threads that may wait for an OpenID provider
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings, container: Container | None = None, samples: Mapping[str, bytes] = NO_SAMPLES
) -> FastAPI:
    """Return the application. Its lifespan starts a container, unless the caller has, and closes it.

    `samples` are JPEG files of the demo by name; they are served as files of the page.

    Raises TracingUnavailable if the settings ask for traces and OpenTelemetry is not installed.
    """
    tracing = open_tracing(settings)
    app = FastAPI(
        title="ArcID",
        version=__version__,
        summary="Self-hosted face recognition: enroll, verify, identify.",
        lifespan=_lifespan(settings, container, tracing),
        dependencies=[Depends(authorise)],
        generate_unique_id_function=openapi.operation_id,
        openapi_url=None,  # openapi.install serves it
        # A request reaches only the route that it names: DELETE /collections/c/ is not DELETE /collections/c.
        redirect_slashes=False,
    )
    _include_routes(app)
    page.install(app, samples)
    _set_state(app, settings)
    _add_middleware(app, settings, tracing)
    return app


def _lifespan(settings: Settings, container: Container | None, tracing: "Tracing | None") -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = container or Container(settings)
        async with AsyncExitStack() as exits:
            if tracing is not None:
                exits.callback(tracing.close)
            exits.callback(services.close)
            exits.push_async_callback(app.state.rates.close)
            if container is None:
                await run_in_threadpool(services.start)
            app.state.services = services
            app.state.admission.resize(photos_at_once(settings, services.models.runtime))
            services.camera_workers.courtesy.give_way_to(app.state.admission)
            yield

    return lifespan


def _include_routes(app: FastAPI) -> None:
    app.include_router(recognise.router)
    app.include_router(analyse.router)
    app.include_router(liveness.router)
    app.include_router(calibration.router)
    # Privacy before identities, whose ids take the rest of a path.
    for resource in (collections, privacy, identities, faces, groups, reviews, health, migration):
        app.include_router(resource.router)
    app.include_router(jobs.router)
    app.include_router(events.router)
    app.include_router(rules.router)
    app.include_router(keys.router)
    app.include_router(audit.router)
    app.include_router(backups.router)
    app.include_router(sign_in.router)
    app.include_router(uploads.router)
    app.include_router(statistics.router)
    app.include_router(cameras.router)
    app.include_router(destinations.router)
    compreface.install(app)
    app.include_router(deepface.router)
    app.include_router(status.router)
    app.include_router(metrics.router)
    openapi.install(app)
    docs.install(app)
    errors.install(app)


def _set_state(app: FastAPI, settings: Settings) -> None:
    """Set the objects that requests share and that need no open network or database."""
    limits, rates = settings.limits, settings.rates
    app.state.metrics = Metrics()
    app.state.admission = Admission(
        1,  # until the networks are open, which determine it
        most_waiting=limits.waiting,
        wait_seconds=limits.wait_seconds,
        waited=app.state.metrics.waited,
    )
    app.state.watches = Watches(limits.event_streams, is_ending=lambda: app.state.admission.is_draining)
    app.state.event_hub = EventHub(limits.event_streams, is_ending=lambda: app.state.admission.is_draining)
    app.state.body_budget = BodyBudget(
        body_bytes=limits.body_bytes, bodies_bytes=limits.bodies_bytes, read_seconds=limits.read_seconds
    )
    app.state.upload_writes = UploadWrites()
    app.state.fetcher = open_fetcher(settings)
    app.state.sign_ins = CapacityLimiter(_SIGN_INS)
    app.state.rates = Rates(
        open_limiter(rates, app.state.metrics.uncounted),
        UsualRates(*map(Rate.parse, (rates.key, rates.quota, rates.anonymous, rates.failures, rates.search))),
        app.state.metrics.rate_refused,
    )
    app.state.keyless = Keyless(hosts=settings.server.hosts, origins=settings.cors.origins)


def _add_middleware(app: FastAPI, settings: Settings, tracing: "Tracing | None") -> None:
    """Add the middleware, innermost first."""
    app.add_middleware(Tus, most_bytes=settings.jobs.upload_bytes)
    app.add_middleware(Authentication)
    app.add_middleware(KeyInPath)
    app.add_middleware(Head)
    app.add_middleware(
        RequestContext,
        body_budget=app.state.body_budget,
        admission=app.state.admission,
        metrics=app.state.metrics,
        reshape=reshaping((COMPREFACE_ERRORS, DEEPFACE_ERRORS)),
        tracing=tracing,
    )
    if settings.cors.origins:
        app.add_middleware(Cors, origins=settings.cors.origins)
    own = {str(route.path).split("/")[1] for route in iter_route_contexts(app.routes)}
    app.add_middleware(Proxies, trusted=settings.proxies, prefix=settings.server.root_path, own=own)
