"""The tus protocol 1.0.0 for resumable uploads (https://tus.io): its headers, discovery and writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import format_datetime

from anyio import CancelScope, to_thread
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.errors import respond
from app.api.http.proxies import route_path
from app.errors import ShuttingDown, TusVersionUnsupported, UploadConflict, UploadTooLarge
from app.jobs.resumable_uploads import ResumableUpload
from app.jobs.upload_files import Writer

PATH = "/uploads"
PART = "application/offset+octet-stream"
"""The media type of bytes to append."""
PARTS = {PART, "application/octet-stream"}
"""The media types that are accepted: the second one is the one that generators of clients know."""
_VERSION = "1.0.0"
_EXTENSIONS = "creation,creation-with-upload,expiration,termination"


def is_streamed(path: str) -> bool:
    """Return whether the body of a request to a path is stored piece by piece."""
    return path == PATH or path.startswith(f"{PATH}/")


class Tus:
    """ASGI middleware inside `Authentication`: the version of the protocol in each answer, and its discovery."""

    def __init__(self, app: ASGIApp, *, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; refuse other versions of the protocol. A client that states none is served."""
        if scope["type"] != "http" or not is_streamed(route_path(scope)):
            await self._app(scope, receive, send)
            return

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Tus-Resumable"] = _VERSION
            await send(message)

        version = Headers(scope=scope).get("tus-resumable", _VERSION)
        if scope["method"] == "OPTIONS":
            answer = Response(status_code=204)
            answer.headers["Tus-Extension"] = _EXTENSIONS
            answer.headers["Tus-Max-Size"] = str(self._most_bytes)
        elif version != _VERSION:
            answer = respond(scope, TusVersionUnsupported(f"this service supports tus {_VERSION}, not {version[:20]}"))
        else:
            await self._app(scope, receive, send_with_version)
            return
        answer.headers["Tus-Version"] = _VERSION
        await answer(scope, receive, send_with_version)


def describe(response: Response, upload: ResumableUpload) -> None:
    """Add the headers of an upload to an answer."""
    response.headers["Upload-Offset"] = str(upload.offset)
    response.headers["Upload-Length"] = str(upload.length)
    response.headers["Upload-Expires"] = format_datetime(upload.expires_at, usegmt=True)
    response.headers["Cache-Control"] = "no-store"
    if upload.metadata:
        response.headers["Upload-Metadata"] = upload.metadata


class UploadWrites:
    """The running writes, at most one for each upload. For one event loop; not thread-safe."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[CancelScope, asyncio.Event]] = {}

    async def end(self, upload_id: str) -> None:
        """End the running write of an upload, and keep its bytes: a newer request shows that its client has gone."""
        while (running := self._running.get(upload_id)) is not None:
            scope, ended = running
            scope.cancel()
            await ended.wait()

    @asynccontextmanager
    async def only(self, upload_id: str) -> AsyncIterator[None]:
        """Context manager: write to an upload. Raises UploadConflict if a newer request ended this one."""
        await self.end(upload_id)
        ended = asyncio.Event()
        try:
            with CancelScope() as scope:
                self._running[upload_id] = (scope, ended)
                yield
        finally:
            del self._running[upload_id]
            ended.set()
        if scope.cancelled_caught:
            raise UploadConflict("a newer request continues this upload; ask for its offset")


async def receive_part(request: Request, writer: Writer) -> None:
    """Append the body of a request to an upload as it arrives, and close the writer: what arrived stays, in any case.

    Raises UploadTooLarge, ShuttingDown if the service stops, and ClientDisconnect if the client leaves.
    """
    announced = request.headers.get("content-length", "")
    try:
        if announced.isdecimal() and int(announced) > writer.left:
            raise UploadTooLarge(f"the upload lacks {writer.left:,} bytes, the body has {int(announced):,}")
        async for piece in request.stream():
            if request.app.state.admission.is_draining:
                raise ShuttingDown
            if piece:
                await to_thread.run_sync(writer.write, piece)
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(writer.close)
