"""The application: routes, middleware, and a lifespan that opens the services and lets them go."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from app import __version__
from app.api import (
    collections,
    docs,
    errors,
    faces,
    identities,
    metrics,
    openapi,
    recognise,
    stateless,
    status,
)
from app.api.admission import Admission
from app.api.authentication import Authentication
from app.api.intake import Intake
from app.api.metrics import Metrics
from app.api.middleware import RequestContext
from app.api.permissions import authorise
from app.config import Settings
from app.factory.services import Services, open_services


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """Return the application; it opens its services when its lifespan starts, unless the caller has opened them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services or await run_in_threadpool(open_services, settings)
        yield
        app.state.services.close()

    app = FastAPI(
        title="ArcID",
        version=__version__,
        summary="Self-hosted face recognition: enrol, verify, identify.",
        lifespan=lifespan,
        dependencies=[Depends(authorise)],
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(recognise.router)
    app.include_router(stateless.router)
    for resource in (collections, identities, faces):
        app.include_router(resource.router)
    app.include_router(status.router)
    app.include_router(metrics.router)
    openapi.install(app)
    docs.install(app)
    errors.install(app)
    limits = settings.limits
    app.state.metrics = Metrics()
    app.state.admission = Admission(
        settings.inference.concurrency or os.cpu_count() or 1,
        most_waiting=limits.waiting,
        wait_seconds=limits.wait_seconds,
        waited=app.state.metrics.waited,
    )
    app.state.intake = Intake(
        body_bytes=limits.body_bytes, bodies_bytes=limits.bodies_bytes, read_seconds=limits.read_seconds
    )
    app.add_middleware(Authentication)  # inside the next one
    app.add_middleware(
        RequestContext,
        intake=app.state.intake,
        admission=app.state.admission,
        metrics=app.state.metrics,
    )
    return app
