"""Jobs: long-running work with progress."""

import json
import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from arcid.calls import Body, Call, Pause, Reply, Workflow, form, path, value_reader
from arcid.errors import JobFailed, WaitTimedOut
from arcid.job import Job, JobError, JobState
from arcid.migration import OnMissing
from arcid.operations import uploads
from arcid.operations.recognition import FaceChoice
from arcid.operations.resource_calls import list_call
from arcid.photos import File, ServerPath, bytes_of, size_of
from arcid.resources import Page
from arcid.upload import Upload

Source = File | ServerPath | Upload
"""Source of an import: a file of this machine, a path on the server, or a complete upload."""
_MOST_AT_ONCE = 32_000_000  # bytes of a file that is sent in one request


def import_photos(
    source: Source,
    *,
    collection: str = "default",
    face: FaceChoice = "main",
    flat: bool = False,
    unknown: bool = False,
) -> Workflow[Job]:
    """Import photos from a ZIP of person/photo.jpg (with `flat`: person.jpg) or with a CSV, or from the server.

    A large file is sent in parts, which continue after a broken connection. With `unknown`, nobody is enrolled: the
    service keeps the faces that match nobody.
    """
    options: dict[str, str | bool] = {"collection": collection, "face": face, "flat": flat}
    return _import("import", source, options | ({"unknown": True} if unknown else {}))


def import_archive(source: Source, *, collection: str = "default", new_face_ids: bool = False) -> Workflow[Job]:
    """Import an exported archive; use `new_face_ids` to copy a collection within one database."""
    return _import("import_archive", source, {"collection": collection, "new_face_ids": new_face_ids})


def import_embeddings(source: Source, *, model: str, collection: str = "default") -> Workflow[Job]:
    """Import embeddings, one JSON object per line; `model` is the network that computed them."""
    return _import("import_embeddings", source, {"collection": collection, "model": model})


def export(*, collection: str = "default") -> Call[Job]:
    """Export a collection to an archive; `download` fetches it after the job has ended."""
    return _create(Body(json={"kind": "export", "collection": collection}))


def calibrate(*, collection: str = "default") -> Call[Job]:
    """Calibrate a collection on its own faces."""
    return _create(Body(json={"kind": "calibrate", "collection": collection}))


def group(*, collection: str = "default") -> Call[Job]:
    """Group the new unknown faces of a collection."""
    return _create(Body(json={"kind": "group", "collection": collection}))


def back_up() -> Call[Job]:
    """Back up the database, with all collections, to the service's folder of backups."""
    return _create(Body(json={"kind": "backup"}))


def reembed(
    model: str, *, collection: str = "default", on_missing: OnMissing = "refuse", switch: bool = True
) -> Call[Job]:
    """Embed all faces with another network, from their crops, and switch to it."""
    body = Body(json={"model": model, "on_missing": on_missing, "switch": switch})
    url = path("/collections/{collection}/reembed", collection=collection)
    return Call("POST", url, value_reader(Job), body=body)


def page(
    *, collection: str | None = None, state: JobState | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[Page[Job]]:
    """List jobs, oldest first, one page."""
    return list_call("/jobs", "jobs", Job, collection=collection, state=state, limit=limit, cursor=cursor)


def get(job_id: str) -> Call[Job]:
    """Return a job with its progress or result."""
    return Call("GET", _path(job_id), value_reader(Job), is_repeatable=True)


def cancel(job_id: str) -> Call[Job]:
    """Request the cancellation of a job; finished items are kept. Raises Conflict if the job has ended."""
    return Call("POST", _path(job_id) + "/cancel", value_reader(Job))


def errors(job_id: str, *, limit: int | None = None, cursor: str | None = None) -> Call[Page[JobError]]:
    """List the failed items of a job, one page; the service keeps the first thousand."""
    return list_call(_path(job_id) + "/errors", "errors", JobError, limit=limit, cursor=cursor)


def events(job_id: str) -> Call[Callable[[str], Job]]:
    """Yield the job after each progress, finally with `is_final`. The stream ends early if the service stops."""
    return Call("GET", _path(job_id) + "/events", _read_event, is_repeatable=True, is_streamed=True)


def wait(
    job_id: str,
    *,
    on_progress: Callable[[Job], object] | None = None,
    every_s: float = 1,
    timeout_s: float | None = None,
) -> Workflow[Job]:
    """Poll a job every `every_s` seconds until it has succeeded; call `on_progress` with it after each progress.

    Raises JobFailed if it failed or was cancelled, and WaitTimedOut after `timeout_s` seconds.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    reported: Job | None = None
    while True:
        job: Job = yield get(job_id)
        if on_progress is not None and job != reported:
            on_progress(job)
        reported = job
        if job.state == "succeeded":
            return job
        if job.is_final:
            raise JobFailed(job)
        if deadline is not None and time.monotonic() + every_s > deadline:
            raise WaitTimedOut(job)
        yield Pause(every_s)


def download(job_id: str, to: str | PathLike[str]) -> Call[Path]:
    """Download the archive of an export to a file, atomically; return its path."""
    target = Path(to)
    return Call("GET", _path(job_id) + "/archive", lambda _: target, is_repeatable=True, save_to=target)


def _import(kind: str, source: Source, members: dict[str, Any]) -> Workflow[Job]:
    given = {"kind": kind, **members}
    if isinstance(source, ServerPath):
        body = Body(json={**given, "path": source.path})
    elif isinstance(source, Upload):
        body = Body(json={**given, "upload": source.upload_id})
    elif (size_of(source) or 0) > _MOST_AT_ONCE:
        upload = yield from uploads.send(source)
        body = Body(json={**given, "upload": upload.upload_id})
    else:
        body = form(given, [("file", bytes_of(source))])
    job: Job = yield _create(body)
    return job


def _create(body: Body) -> Call[Job]:
    return Call("POST", "/jobs", value_reader(Job), body=body)


def _path(job_id: str) -> str:
    return path("/jobs/{job_id}", job_id=job_id)


def _read_event(_: Reply) -> Callable[[str], Job]:
    return lambda data: Job.from_json(json.loads(data))
