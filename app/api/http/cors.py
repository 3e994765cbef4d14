"""Cross-origin requests: pages of the origins in `ARCID_CORS__ORIGINS` may call the API and read its answers."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from app.api.http.errors import problem, status_of
from app.errors import OriginForbidden

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_EXPOSED = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "WWW-Authenticate",
    "X-Request-ID",
)


class Cors(CORSMiddleware):
    """ASGI middleware around everything else, so that errors are readable for pages too.

    Keys travel in headers, never in cookies, so credentials of the browser are never allowed.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_EXPOSED,
            allow_private_network=True,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight before authentication; the browser compares method and headers with the answer."""
        headers = super().preflight_response(request_headers).headers
        origin = request_headers["origin"]
        if self.is_allowed_origin(origin):
            # Starlette also refuses unlisted methods, but browsers check that themselves.
            kept = {name: value for name, value in headers.items() if not name.startswith("content-")}
            return Response(status_code=204, headers=kept)
        refused = OriginForbidden(
            f"pages of {origin[:200]!r} may not call this service; name it in ARCID_CORS__ORIGINS"
        )
        answer = problem(status_of(OriginForbidden), refused.code, str(refused))
        answer.headers["Vary"] = headers["Vary"]
        return answer
