"""Uploads: large files in parts, which continue after a broken connection (tus 1.0.0)."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from arcid.calls import Body, Call, Pause, Reply, Workflow, path, value_reader
from arcid.errors import ApiError, ConnectionFailed
from arcid.photos import File, opened
from arcid.upload import Upload

PART_BYTES = 8_000_000
_MOST_FAILURES = 8  # in a row, without a byte in between
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}


def create(length: int) -> Call[Upload]:
    """Create an upload for a file of `length` bytes."""
    return Call("POST", "/uploads", value_reader(Upload), headers={"Upload-Length": str(length)})


def get(upload_id: str) -> Call[Upload]:
    """Return how much of an upload has arrived; ends a part that is still being sent."""
    return Call("GET", _path(upload_id), value_reader(Upload), is_repeatable=True)


def append(upload_id: str, data: bytes, *, offset: int) -> Call[Upload]:
    """Append bytes at an offset; raises Conflict if the upload has another one."""
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}

    def read(reply: Reply) -> Upload:
        expires_at = parsedate_to_datetime(reply.headers["upload-expires"])
        length, reached = (int(reply.headers[name]) for name in ("upload-length", "upload-offset"))
        return Upload(upload_id, length, reached, expires_at)

    return Call("PATCH", _path(upload_id), read, headers=headers, body=Body(content=data))


def delete(upload_id: str) -> Call[None]:
    """Delete an upload that no job has taken."""
    return Call("DELETE", _path(upload_id), lambda _: None)


def send(
    source: File,
    *,
    upload_id: str | None = None,
    part_bytes: int = PART_BYTES,
    on_progress: Callable[[Upload], object] | None = None,
) -> Workflow[Upload]:
    """Send a file in parts, and return its complete upload for `jobs.import_photos` and the other imports.

    After a broken connection it continues where the file has arrived. Pass `upload_id` to continue an earlier upload
    of the same file. `on_progress` is called with the upload after each part.

    Raises ValueError if the earlier upload is of a file of another size, and the last error if several parts in a row
    fail.
    """
    with opened(source) as (file, length):
        upload: Upload = yield create(length) if upload_id is None else get(upload_id)
        if upload.length != length:
            raise ValueError(f"the upload is for a file of {upload.length} bytes, not of {length}")
        reached, failures = upload.offset, 0
        while not upload.is_complete:
            try:
                if failures:
                    yield Pause(min(_FIRST_PAUSE_S * 2**failures, _LONGEST_PAUSE_S))
                    upload = yield get(upload.upload_id)
                file.seek(upload.offset)
                upload = yield append(upload.upload_id, file.read(part_bytes), offset=upload.offset)
            except (ConnectionFailed, ApiError) as error:
                failures += 1
                if failures > _MOST_FAILURES or not _is_passing(error):
                    raise
            if upload.offset > reached:
                reached, failures = upload.offset, 0
                if on_progress is not None:
                    on_progress(upload)
        return upload


def _is_passing(error: ConnectionFailed | ApiError) -> bool:
    """Return whether a part may be sent again: the connection broke, or the service is busy, stops or moved on."""
    return (
        not isinstance(error, ApiError) or error.status in _PASSING or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _path(upload_id: str) -> str:
    return path("/uploads/{upload_id}", upload_id=upload_id)
