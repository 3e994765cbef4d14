"""The interactive API documentation, served from a package: no request leaves the machine."""

from importlib.resources import as_file, files

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS = "docs/assets"  # relative to /docs, for proxies that serve it below a prefix
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>ArcID API</title>
  <link rel="stylesheet" href="{_ASSETS}/swagger-ui.css">
  <link rel="icon" href="{_ASSETS}/favicon.png">
  <script src="{_ASSETS}/swagger-ui-bundle.js" defer></script>
  <script src="web/docs.js" defer></script>
</head>
<body><div id="swagger-ui"></div></body>
</html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def install(app: FastAPI) -> None:
    """Serve Swagger UI at /docs; `app/web/docs.js` sets it up."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    app.include_router(router)
    with as_file(files("fastapi_offline") / "static") as folder:
        app.mount(f"/{_ASSETS}", StaticFiles(directory=folder))
