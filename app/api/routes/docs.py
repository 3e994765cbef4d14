"""The interactive API documentation, served from a package: no request leaves the machine."""

from importlib.resources import as_file, files

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "docs/assets"  # relative to /docs, for proxies that serve it below a prefix


def install(app: FastAPI) -> None:
    """Serve Swagger UI at /docs."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=f"{app.title} API",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )

    app.include_router(router)
    with as_file(files("fastapi_offline") / "static") as folder:
        app.mount(f"/{_ASSETS}", StaticFiles(directory=folder))
