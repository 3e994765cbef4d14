"""The work of each kind of job: parameters in, the job's result out.

Work may run again from its last checkpoint at any time, so it must be idempotent: see `Work`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.gallery.gallery import Gallery
from app.jobs.progress import Progress, Result, Work
from app.jobs.uploads import Uploads
from app.recognition.collection_calibration import CalibrationService, write_calibration
from app.recognition.enrollment import EnrollmentService
from app.recognition.migration import MigrationOutcome, MigrationService
from app.recognition.unknown_grouping import UnknownGroupingService
from app.transfer.archive_export import Export
from app.transfer.archive_import import ArchiveImport, Imported
from app.transfer.backup_folder import BackupFolder
from app.transfer.bulk_enrollment import BulkEnrollment
from app.transfer.embeddings_import import EmbeddingsImport, EmbeddingsImported
from app.transfer.job_kinds import (
    ArchiveImportParameters,
    BackupParameters,
    CalibrationParameters,
    EmbeddingsImportParameters,
    ExportParameters,
    GroupingParameters,
    ImportParameters,
    JobKind,
    MigrationParameters,
    P,
    read_parameters,
)
from app.transfer.job_sources import JobSources
from app.transfer.photo_import import PhotoImport
from app.transfer.unknown_photos import UnknownPhotos, remembered

CROP_MISSING = "crop_missing"
_MOST_IN_RESULT = 100  # faces without a crop
_RESULT_RATES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, slots=True)
class JobWork:
    """The work of all kinds of jobs; see `by_kind`."""

    enrollment: EnrollmentService
    gallery: Gallery
    calibration: CalibrationService
    migration: MigrationService
    archive_export: Export
    archive_import: ArchiveImport
    embeddings_import: EmbeddingsImport
    uploads: Uploads
    sources: JobSources
    backups: BackupFolder
    threads: int
    photo_bytes: int
    grouping: UnknownGroupingService
    unknown_photos: Callable[[str], UnknownPhotos]

    def by_kind(self) -> Mapping[str, Work]:
        """Return the work of each kind, for the runner of jobs."""
        return {
            JobKind.IMPORT.value: _reading(ImportParameters, self.import_photos),
            JobKind.IMPORT_ARCHIVE.value: _reading(ArchiveImportParameters, self.import_archive),
            JobKind.IMPORT_EMBEDDINGS.value: _reading(EmbeddingsImportParameters, self.import_embeddings),
            JobKind.EXPORT.value: _reading(ExportParameters, self.export),
            JobKind.CALIBRATE.value: _reading(CalibrationParameters, self.calibrate),
            JobKind.GROUP.value: _reading(GroupingParameters, self.group),
            JobKind.REEMBED.value: _reading(MigrationParameters, self.migrate),
            JobKind.BACKUP.value: _reading(BackupParameters, self.back_up),
        }

    def import_photos(self, parameters: ImportParameters, progress: Progress) -> Result:
        """Import photos, on threads that give way to requests."""
        if parameters.unknown:
            return self._keep_unknown(parameters, progress)
        bulk = BulkEnrollment(self.enrollment, self.gallery, parameters.collection, parameters.face)
        photo_import = PhotoImport(bulk, threads=self.threads, most_bytes=self.photo_bytes, is_polite=True)
        with self.sources.open_photos(parameters) as source:
            return photo_import.run(source, progress)

    def _keep_unknown(self, parameters: ImportParameters, progress: Progress) -> Result:
        unknown = self.unknown_photos(parameters.collection)
        photo_import = PhotoImport(unknown, threads=self.threads, most_bytes=self.photo_bytes, is_polite=True)
        with self.sources.open_photos(parameters) as source:
            return remembered(photo_import.run(source, progress))

    def import_archive(self, parameters: ArchiveImportParameters, progress: Progress) -> Result:
        """Import an archive."""
        result = self.archive_import.run(
            self.sources.path(parameters),
            progress,
            collection=parameters.collection,
            has_new_face_ids=parameters.new_face_ids,
        )
        return _counts(result)

    def import_embeddings(self, parameters: EmbeddingsImportParameters, progress: Progress) -> Result:
        """Import embeddings."""
        path = self.sources.path(parameters)
        return _counts(
            self.embeddings_import.run(path, progress, collection=parameters.collection, model=parameters.model)
        )

    def export(self, parameters: ExportParameters, progress: Progress) -> Result:
        """Write an archive."""
        path = self.uploads.archive(parameters.archive)
        manifest = self.archive_export.write(parameters.collection, path, progress)
        return {
            "faces": manifest.faces,
            "identities": manifest.identities,
            "revision": manifest.collection.revision,
        }

    def calibrate(self, parameters: CalibrationParameters, progress: Progress) -> Result:
        """Calibrate a collection from its own faces."""
        calibration, path = self.calibration.calibrate(
            parameters.collection, lambda done, total: progress.advance(done, total=total)
        )
        write_calibration(calibration, path)
        thresholds = {f"{rate:g}": round(float(calibration.threshold(rate)), 4) for rate in _RESULT_RATES}
        origin = calibration.origin
        return {"people": origin.people, "faces": origin.faces, "pairs": origin.pairs, "thresholds": thresholds}

    def back_up(self, parameters: BackupParameters, progress: Progress) -> Result:
        """Write a backup."""
        written = self.backups.write(parameters.name, progress)
        return {"name": written.name, "size": written.size, "revision": written.revision}

    def group(self, parameters: GroupingParameters, progress: Progress) -> Result:
        """Group the unknown faces of a collection."""
        return asdict(self.grouping.group(parameters.collection, progress))

    def migrate(self, parameters: MigrationParameters, progress: Progress) -> Result:
        """Embed a collection with another network, and switch to it."""
        return migrate(self.migration, parameters, progress)


def migrate(migration: MigrationService, parameters: MigrationParameters, progress: Progress) -> Result:
    """Embed a collection with another network, and switch to it; list the faces without a crop as refused."""

    def advance(ready: int, faces: int) -> None:
        # Templates are stored as soon as they are made. A checkpoint for them keeps a job alive whose process dies
        # often and still moves forward.
        reached = {"ready": ready, "counts": {"faces": ready, "is_switched": False}}
        is_forward = ready > progress.checkpoint.get("ready", 0)
        progress.advance(ready, total=faces, checkpoint=reached if is_forward else None)

    changed = migration.embed_and_switch(
        parameters.collection,
        parameters.model,
        is_rest_dropped=parameters.on_missing == "drop",
        is_switched=parameters.switch,
        on_progress=advance,
    )
    consequence = "it was deleted" if changed.dropped else "it needs a new photo"
    for face in changed.named:
        detail = f"no crop is stored for this face of {face.identity_id!r}; {consequence}"
        progress.refuse(face.face_id, CROP_MISSING, detail)
    return _migration_result(changed)


def _migration_result(changed: MigrationOutcome) -> dict[str, Any]:
    return {
        "from": changed.before,
        "to": changed.model,
        "faces": changed.faces,
        "is_switched": changed.is_switched,
        "missing": changed.missing,
        "dropped": changed.dropped,
        "missing_faces": [
            {"face_id": face.face_id, "identity_id": face.identity_id} for face in changed.named[:_MOST_IN_RESULT]
        ],
    }


def _counts(result: Imported | EmbeddingsImported) -> Result:
    return {name: value for name, value in asdict(result).items() if name != "collection"}


def _reading(kind: type[P], work: Callable[[P, Progress], Result]) -> Work:
    """Return work that reads its parameters from JSON."""
    return lambda parameters, progress: work(read_parameters(kind, parameters), progress)
