"""The application: routes, middleware, and a lifespan that opens the services and lets them go."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from app import __version__
from app.api import docs, errors, gallery, openapi, recognise, status
from app.api.dependencies import Workers
from app.api.middleware import RequestContext
from app.config import Settings
from app.factory.services import Services, open_services


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """Return the application; it opens its services when its lifespan starts, unless the caller has opened them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services or await run_in_threadpool(open_services, settings)
        app.state.workers = Workers(settings.inference.concurrency or os.cpu_count() or 1)
        yield
        app.state.services.close()

    app = FastAPI(
        title="ArcID",
        version=__version__,
        summary="Self-hosted face recognition: enrol, verify, identify.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(recognise.router)
    app.include_router(gallery.router)
    app.include_router(status.router)
    openapi.install(app)
    docs.install(app)
    errors.install(app)
    app.add_middleware(RequestContext, most_bytes=settings.limits.body_bytes)
    return app
