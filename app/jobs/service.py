"""Jobs as callers see them: asked for, shown, cancelled."""

from collections.abc import Callable, Mapping
from collections.abc import Collection as AnyOf
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.errors import (
    ArchiveUnknown,
    CollectionUnknown,
    ExportGone,
    ImportFolderForbidden,
    ImportInvalid,
    JobUnfinished,
)
from app.jobs.runner import JobRunner
from app.jobs.store import JobStore
from app.jobs.uploads import Uploads
from app.jobs.values import Job, JobState, Kind, NewJob, Refusal
from app.types import Page

Collections = AnyOf[str] | None
"""Of which collections jobs are seen; None: of all and of none."""


class JobService:
    """Asks for jobs and shows them; the `runner` of this process does them."""

    def __init__(
        self,
        store: JobStore,
        runner: JobRunner,
        uploads: Uploads,
        *,
        require: Callable[[str], object],
        check_upload: Callable[[Kind, Path, Mapping[str, Any]], None],
        import_dir: Path | None,
    ) -> None:
        """Take what depends on the kinds of jobs.

        Args:
            require: raises an error if a collection cannot be used.
            check_upload: raises an error if an uploaded file cannot be imported at all.
        """
        self.runner = runner
        self._store = store
        self._uploads = uploads
        self._require = require
        self._check_upload = check_upload
        self._import_dir = import_dir

    def import_upload(self, kind: Kind, collection: str, data: bytes, options: Mapping[str, Any]) -> Job:
        """Import what was sent along: photos as a ZIP file, an archive, or lines of embeddings.

        Raises ImportInvalid, ArchiveRefused's children, CollectionUnknown (an archive brings its own), ModelMismatch,
        Overloaded.
        """
        self._require_target(kind, collection)
        job_id = str(uuid4())
        path = self._uploads.keep(job_id, data)
        try:
            self._check_upload(kind, path, options)
            made = self._create(job_id, kind, collection, {**options, "upload": job_id})
        except BaseException:
            self._uploads.drop(job_id)
            raise
        self._uploads.is_made(job_id)
        return made

    def import_path(self, kind: Kind, collection: str, path: str, options: Mapping[str, Any]) -> Job:
        """Import what lies at a path in the folder that may be read; raises as above, and ImportFolderForbidden."""
        self._require_target(kind, collection)
        found = importable(self._import_dir, path)
        if kind is not Kind.IMPORT and not found.is_file():
            raise ImportInvalid("this import reads one file, and the path is a folder")
        return self._create(str(uuid4()), kind, collection, {**options, "path": path})

    def export(self, collection: str) -> Job:
        """Write a collection to an archive that can be fetched for a day; raises CollectionUnknown, Overloaded."""
        self._require(collection)
        job_id = str(uuid4())
        return self._create(job_id, Kind.EXPORT, collection, {"archive": job_id})

    def archive(self, job_id: str, collections: Collections) -> tuple[Job, Path]:
        """Return an export and where its archive lies, and note that it is given out.

        Raises JobUnknown, ArchiveUnknown for other kinds, JobUnfinished before, and ExportGone where the archive is
        deleted or not in this data folder.
        """
        job = self._store.get(job_id, collections)
        if job.kind != Kind.EXPORT.value:
            raise ArchiveUnknown("the job is not an export: it makes no archive")
        if job.state is not JobState.SUCCEEDED:
            raise JobUnfinished(f"the export is {job.state.value}: there is no archive")
        path = self._uploads.archive(job_id)
        if not path.is_file():
            raise ExportGone(
                "the archive is not on this machine: it is deleted a day after the job's end, and stored in the data "
                "folder of the process that wrote it; export again"
            )
        self._store.note_download(job)
        return job, path

    def calibrate(self, collection: str) -> Job:
        """Calibrate a collection from its own faces; raises CollectionUnknown, ModelMismatch, Overloaded."""
        self._require(collection)
        return self._create(str(uuid4()), Kind.CALIBRATE, collection, {})

    def reembed(self, collection: str, options: Mapping[str, Any]) -> Job:
        """Embed a collection by another network, wherever there is time; raises JobUnderWay, Overloaded."""
        return self._create(str(uuid4()), Kind.REEMBED, collection, options, is_local=False, is_alone=True)

    def require_none(self, kind: Kind, collection: str) -> None:
        """See `JobStore.require_none`."""
        self._store.require_none(kind.value, collection)

    def get(self, job_id: str, collections: Collections) -> Job:
        """Return a job; raises JobUnknown."""
        return self._store.get(job_id, collections)

    def some(self, job_ids: AnyOf[str]) -> dict[str, Job]:
        """Return jobs by their ids in one query; a job that is unknown is left out."""
        return self._store.some(job_ids)

    def page(self, *, after: int, limit: int, state: JobState | None, collections: Collections) -> Page[Job]:
        """Return a page of jobs, in the order in which they were asked for."""
        return self._store.page(after=after, limit=limit, state=state, collections=collections)

    def errors(self, job_id: str, collections: Collections, *, after: int, limit: int) -> Page[Refusal]:
        """Return a page of what a job refused; raises JobUnknown."""
        return self._store.errors(self._store.get(job_id, collections), after=after, limit=limit)

    def cancel(self, job_id: str, collections: Collections) -> Job:
        """Ask for a job's end; raises JobUnknown, JobFinished."""
        job = self._store.cancel(job_id, collections)
        if job.state.is_final:
            self._uploads.drop(job_id)
        return job

    def _require_target(self, kind: Kind, collection: str) -> None:
        try:
            self._require(collection)
        except CollectionUnknown:
            if kind is not Kind.IMPORT_ARCHIVE:
                raise

    def _create(
        self,
        job_id: str,
        kind: Kind,
        collection: str,
        parameters: Mapping[str, Any],
        *,
        is_local: bool = True,
        is_alone: bool = False,
    ) -> Job:
        said = {"collection": collection, **parameters}
        # What reads or writes files stays with the data folder of the process that was asked.
        place = self._uploads.place() if is_local else None
        job = self._store.create(NewJob(job_id, kind.value, collection, said, place), is_alone=is_alone)
        self.runner.wake()
        return job


def importable(import_dir: Path | None, path: str) -> Path:
    """Return the path that is meant in the folder that may be read; raises ImportFolderForbidden.

    Links are followed first, so that none leads out of it. Whether anything lies outside is not told.
    """
    if import_dir is None:
        raise ImportFolderForbidden("imports from the server's own folders are off; see ARCID_JOBS__IMPORT_DIR")
    refused = ImportFolderForbidden("the import folder has no file or folder of that name")
    try:
        root = import_dir.resolve(strict=True)
        found = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise refused from error
    if not found.is_relative_to(root):
        raise refused
    return found
