"""Creation of jobs: checks and queues requests for imports, exports, calibrations and model migrations."""

from collections.abc import Callable, Mapping
from collections.abc import Collection as AnyOf
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.errors import ArchiveUnknown, CollectionUnknown, ExportGone, ImportInvalid, JobUnfinished
from app.jobs.job import Job, JobState
from app.jobs.resumable_uploads import ResumableUploads
from app.jobs.service import JobService
from app.jobs.store import JobStore
from app.jobs.uploads import KEPT, Uploads
from app.transfer.backup_folder import BackupFolder
from app.transfer.job_kinds import (
    SOURCE_PARAMETERS,
    BackupParameters,
    CalibrationParameters,
    ExportParameters,
    GroupingParameters,
    JobKind,
    JobParameters,
    MigrationParameters,
    SourceParameters,
    parameters_json,
    read_parameters,
)
from app.transfer.job_sources import JobSources, check_upload


class JobRequests:
    """Creates jobs, and returns the archives of exports."""

    def __init__(
        self,
        jobs: JobService,
        uploads: Uploads,
        resumable: ResumableUploads,
        sources: JobSources,
        backups: BackupFolder,
        require: Callable[[str], object],
    ) -> None:
        """`require` raises an error if a collection cannot be used."""
        self._backups = backups
        self._jobs = jobs
        self._uploads = uploads
        self._resumable = resumable
        self._sources = sources
        self._require = require

    def import_upload(self, kind: JobKind, collection: str, data: bytes, options: Mapping[str, Any]) -> Job:
        """Import an uploaded file: photos as a ZIP file, an archive, or lines of embeddings.

        Raises ImportInvalid, ArchiveRefused's children, CollectionUnknown (not for an archive), ModelMismatch,
        Overloaded.
        """
        self._require_target(kind, collection)
        job_id = str(uuid4())
        parameters = _source_parameters(kind, {"collection": collection, **options, "upload": job_id})
        with self._uploads.keeping(job_id, data) as path:
            check_upload(parameters, path)
            return self._create(job_id, kind, parameters)

    def import_resumable(
        self, kind: JobKind, collection: str, upload_id: str, owner: str | None, options: Mapping[str, Any]
    ) -> Job:
        """Import a complete resumable upload of an owner. If this raises, the upload stays, to be used again.

        Raises as `import_upload`, and UploadUnknown, UploadUnfinished, UploadConflict.
        """
        self._require_target(kind, collection)
        job_id = str(uuid4())
        parameters = _source_parameters(kind, {"collection": collection, **options, "upload": job_id})
        with self._resumable.taking(upload_id, owner) as path:
            check_upload(parameters, path)
            with self._uploads.adopting(job_id, path):
                return self._create(job_id, kind, parameters)

    def import_path(self, kind: JobKind, collection: str, path: str, options: Mapping[str, Any]) -> Job:
        """Import from a path in the import folder; raises as `import_upload`, and ImportFolderForbidden."""
        self._require_target(kind, collection)
        parameters = _source_parameters(kind, {"collection": collection, **options, "path": path})
        source = self._sources.path(parameters)
        if kind is not JobKind.IMPORT and not source.is_file():
            raise ImportInvalid("this import reads one file, and the path is a folder")
        return self._create(str(uuid4()), kind, parameters)

    def export(self, collection: str) -> Job:
        """Write a collection to an archive that can be fetched for a day; raises CollectionUnknown, Overloaded."""
        self._require(collection)
        job_id = str(uuid4())
        return self._create(job_id, JobKind.EXPORT, ExportParameters(collection=collection, archive=job_id))

    def archive(self, job_id: str, collections: AnyOf[str] | None) -> tuple[Job, Path]:
        """Return an export and the path of its archive, and note the download in the audit trail.

        Raises JobUnknown, ArchiveUnknown for other kinds, JobUnfinished before its end, and ExportGone if the archive
        is deleted or not in this data folder.
        """
        job = self._jobs.get(job_id, collections)
        if job.kind != JobKind.EXPORT.value:
            raise ArchiveUnknown("the job is not an export: it makes no archive")
        if job.state is not JobState.SUCCEEDED:
            raise JobUnfinished(f"the export is {job.state.value}: there is no archive")
        path = self._uploads.archive(job_id)
        if not path.is_file():
            raise ExportGone(
                "the archive is not on this machine: it is deleted a day after the job's end, and stored in the data "
                "folder of the process that wrote it; export again"
            )
        self._jobs.note_download(job)
        return job, path

    def calibrate(self, collection: str) -> Job:
        """Calibrate a collection from its own faces; raises CollectionUnknown, ModelMismatch, Overloaded."""
        self._require(collection)
        return self._create(str(uuid4()), JobKind.CALIBRATE, CalibrationParameters(collection=collection))

    def group(self, collection: str) -> Job:
        """Group the unknown faces of a collection; raises CollectionUnknown, ModelMismatch, Overloaded."""
        self._require(collection)
        return self._create(str(uuid4()), JobKind.GROUP, GroupingParameters(collection=collection), is_local=False)

    def reembed(self, collection: str, options: Mapping[str, Any]) -> Job:
        """Embed a collection with another network, in any process; raises JobUnderWay, Overloaded."""
        parameters = read_parameters(MigrationParameters, {"collection": collection, **options})
        return self._create(str(uuid4()), JobKind.REEMBED, parameters, is_local=False, is_alone=True)

    def back_up(self) -> Job:
        """Back up the database to the folder of backups; raises BackupImpossible, JobUnderWay, Overloaded."""
        parameters = BackupParameters(name=self._backups.new_name())
        return self._create(str(uuid4()), JobKind.BACKUP, parameters, is_alone=True)

    def _require_target(self, kind: JobKind, collection: str) -> None:
        try:
            self._require(collection)
        except CollectionUnknown:
            if kind is not JobKind.IMPORT_ARCHIVE:
                raise

    def _create(
        self, job_id: str, kind: JobKind, parameters: JobParameters, *, is_local: bool = True, is_alone: bool = False
    ) -> Job:
        return self._jobs.create(
            job_id,
            kind.value,
            parameters.collection,
            parameters_json(parameters),
            is_local=is_local,
            is_alone=is_alone,
        )


def _source_parameters(kind: JobKind, parameters: Mapping[str, Any]) -> SourceParameters:
    return read_parameters(SOURCE_PARAMETERS[kind], parameters)


def may_have_archive(store: JobStore, collection: str) -> bool:
    """Return whether archives of a collection may still exist in data folders."""
    return store.has_ended_since(JobKind.EXPORT.value, collection, datetime.now(UTC) - KEPT)
