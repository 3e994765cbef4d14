"""Jobs: long work with progress."""

import json
import time
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from arcid.calls import Body, Call, Errand, Pause, Reply, form, path, reading, said
from arcid.changes import OnMissing
from arcid.errors import JobFailed, WaitTimedOut
from arcid.operations.forms import page_of
from arcid.operations.recognition import FaceChoice
from arcid.photos import File, ServerPath, bytes_of
from arcid.resources import Page
from arcid.work import Job, JobError, JobState


def import_photos(
    source: File | ServerPath, *, collection: str = "default", face: FaceChoice = "only", flat: bool = False
) -> Call[Job]:
    """Import a ZIP of person/photo.jpg (with `flat` person.jpg) or with a CSV, or what is on the server."""
    return _import("import", source, {"collection": collection, "face": face, "flat": flat})


def import_archive(source: File | ServerPath, *, collection: str = "default", new_face_ids: bool = False) -> Call[Job]:
    """Import an archive that an export made; `new_face_ids` for a copy within one database."""
    return _import("import_archive", source, {"collection": collection, "new_face_ids": new_face_ids})


def import_embeddings(source: File | ServerPath, *, model: str, collection: str = "default") -> Call[Job]:
    """Import embeddings, a JSON object a line; `model` is the network that made them."""
    return _import("import_embeddings", source, {"collection": collection, "model": model})


def export(*, collection: str = "default") -> Call[Job]:
    """Ask for an archive of a collection, which `download` fetches once the job has ended."""
    return _create(Body(json={"kind": "export", "collection": collection}))


def calibrate(*, collection: str = "default") -> Call[Job]:
    """Ask for a calibration of a collection's own."""
    return _create(Body(json={"kind": "calibrate", "collection": collection}))


def reembed(
    model: str, *, collection: str = "default", on_missing: OnMissing = "refuse", switch: bool = True
) -> Call[Job]:
    """Embed all faces by another network, from their crops, and go over to it."""
    body = Body(json={"model": model, "on_missing": on_missing, "switch": switch})
    where = path("/collections/{collection}/reembed", collection=collection)
    return Call("POST", where, reading(Job), body=body)


def page(
    *, collection: str | None = None, state: JobState | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[Page[Job]]:
    """List jobs, the oldest first, one page."""
    return page_of("/jobs", "jobs", Job, collection=collection, state=state, limit=limit, cursor=cursor)


def get(job_id: str) -> Call[Job]:
    """Show a job: how far it is, or what came of it."""
    return Call("GET", _path(job_id), reading(Job), is_repeatable=True)


def cancel(job_id: str) -> Call[Job]:
    """Ask for a job's end; what it has done stays done. Raises Conflict when it has ended."""
    return Call("POST", _path(job_id) + "/cancel", reading(Job))


def errors(job_id: str, *, limit: int | None = None, cursor: str | None = None) -> Call[Page[JobError]]:
    """List the items that a job could not do, one page; the first thousand are kept."""
    return page_of(_path(job_id) + "/errors", "errors", JobError, limit=limit, cursor=cursor)


def events(job_id: str) -> Call[Callable[[str], Job]]:
    """Follow a job: it comes whenever it has moved, at last with `is_final`; ends sooner when the service stops."""
    return Call("GET", _path(job_id) + "/events", _read_event, is_repeatable=True, is_live=True)


def wait(
    job_id: str,
    *,
    on_progress: Callable[[Job], object] | None = None,
    every_s: float = 1,
    timeout_s: float | None = None,
) -> Errand[Job]:
    """Wait until a job has succeeded; `on_progress` is called with it whenever it has moved.

    Looks `every_s` seconds. Raises JobFailed when it failed or was cancelled, WaitTimedOut after `timeout_s` seconds.
    """
    ends = None if timeout_s is None else time.monotonic() + timeout_s
    shown: Job | None = None
    while True:
        job: Job = yield get(job_id)
        if on_progress is not None and job != shown:
            on_progress(job)
        shown = job
        if job.state == "succeeded":
            return job
        if job.is_final:
            raise JobFailed(job)
        if ends is not None and time.monotonic() + every_s > ends:
            raise WaitTimedOut(job)
        yield Pause(every_s)


def download(job_id: str, to: str | PathLike[str]) -> Call[Path]:
    """Fetch the archive that an export made into a file, which is there whole or not at all; returns its path."""
    target = Path(to)
    return Call("GET", _path(job_id) + "/archive", lambda _: target, is_repeatable=True, save_to=target)


def _import(kind: str, source: File | ServerPath, members: dict[str, Any]) -> Call[Job]:
    if isinstance(source, ServerPath):
        return _create(Body(json=said({"kind": kind, "path": source.path, **members})))
    return _create(form({"kind": kind, **members}, [("file", bytes_of(source))]))


def _create(body: Body) -> Call[Job]:
    return Call("POST", "/jobs", reading(Job), body=body)


def _path(job_id: str) -> str:
    return path("/jobs/{job_id}", job_id=job_id)


def _read_event(_: Reply) -> Callable[[str], Job]:
    return lambda data: Job.from_json(json.loads(data))
