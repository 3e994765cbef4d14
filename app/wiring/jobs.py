"""Settings in, long work out: the kinds of jobs, and the thread that does them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.config import Settings
from app.database.connection import Database
from app.gallery.gallery import Gallery
from app.gallery.store.values import Person
from app.jobs.leases import Leases
from app.jobs.progress import Parameters, Progress, Result, Work
from app.jobs.runner import JobRunner
from app.jobs.service import JobService, importable
from app.jobs.store import JobStore
from app.jobs.traces import JobTraces
from app.jobs.uploads import KEPT, Uploads
from app.jobs.values import Kind
from app.recognition.collection_calibration import CalibrationService, write_calibration
from app.recognition.enrollment import Accepted, EnrollmentService, FaceChoice
from app.recognition.migration import Changed, NetworkChange
from app.transfer.archive_import import Imported
from app.transfer.bulk_enrollment import BulkEnrollment, BulkWritten
from app.transfer.embeddings_import import EmbeddingsImported
from app.transfer.photo_import import Added, PhotoImport
from app.transfer.photo_sources import check_upload, open_source
from app.transfer.text_encodings import Encoding
from app.vision.inference.packs import Packs
from app.wiring.batching import threads_of
from app.wiring.portable import open_archive_import, open_embeddings_import, open_export

CROP_MISSING = "crop_missing"
_IN_RESULT = 100


@dataclass(frozen=True, slots=True)
class Bulk:
    """Bulk enrollment as an import speaks to it."""

    enrollment: BulkEnrollment

    def is_known(self, identity_id: str, image_sha256: str) -> bool:
        """See Enrolling."""
        return self.enrollment.is_known(identity_id, image_sha256)

    def prepare(self, photo: bytes, image_sha256: str) -> Accepted:
        """See Enrolling."""
        return self.enrollment.prepare(photo, image_sha256)

    def add(self, people: Sequence[tuple[Person, Sequence[Accepted]]]) -> list[Added]:
        """See Enrolling."""
        done = self.enrollment.add(people)
        return [_added(each, len(photos)) for each, (_, photos) in zip(done, people, strict=True)]


def _added(done: BulkWritten, photos: int) -> Added:
    enrolled = len(done.written.keys)
    return Added(enrolled, photos - enrolled - len(done.refused), done.written.is_new, done.refused)


def photo_import(settings: Settings, enrollment: BulkEnrollment, *, is_polite: bool) -> PhotoImport[Accepted]:
    """Return the import of photos into a collection, on as many threads as photos are analysed at once."""
    return PhotoImport(
        Bulk(enrollment),
        threads=threads_of(settings),
        most_bytes=settings.limits.photo_bytes,
        is_polite=is_polite,
    )


def open_uploads(settings: Settings, store: JobStore) -> Uploads:
    """Return the files that were sent along with jobs."""
    return Uploads(settings.data_dir / "jobs", store.unfinished)


def import_work(settings: Settings, database: Database, enrollment: EnrollmentService, gallery: Gallery) -> Work:
    """Return the kind of job that imports photos."""
    sent = _sent(settings, database)

    def work(parameters: Parameters, progress: Progress) -> Result:
        bulk = BulkEnrollment(enrollment, gallery, parameters["collection"], FaceChoice(parameters["face"]))
        inside = None if parameters.get("upload") else settings.jobs.import_dir
        encoding = Encoding(parameters["encoding"]) if parameters.get("encoding") else None
        path, is_flat = sent(parameters), parameters["flat"]
        with open_source(path, is_flat=is_flat, inside=inside, encoding=encoding) as source:
            return photo_import(settings, bulk, is_polite=True).run(source, progress)

    return work


def portable_work(settings: Settings, packs: Packs, database: Database, gallery: Gallery) -> Mapping[str, Work]:
    """Return the kinds of jobs by which galleries leave and come; what came is found at once."""
    sent, uploads = _sent(settings, database), open_uploads(settings, JobStore(database.engine))

    def export(parameters: Parameters, progress: Progress) -> Result:
        path = uploads.archive(parameters["archive"])
        done = open_export(packs, database).write(parameters["collection"], path, progress)
        return {"faces": done.faces, "identities": done.identities, "revision": done.collection.revision}

    def archive(parameters: Parameters, progress: Progress) -> Result:
        work = open_archive_import(packs, database, gallery.catch_up)
        into, is_copy = parameters["collection"], parameters["new_face_ids"]
        return _told(work.run(sent(parameters), progress, collection=into, has_new_face_ids=is_copy))

    def embeddings(parameters: Parameters, progress: Progress) -> Result:
        work = open_embeddings_import(database, gallery.catch_up)
        into, model = parameters["collection"], parameters["model"]
        return _told(work.run(sent(parameters), progress, collection=into, model=model))

    return {
        Kind.EXPORT.value: export,
        Kind.IMPORT_ARCHIVE.value: archive,
        Kind.IMPORT_EMBEDDINGS.value: embeddings,
    }


def _told(done: Imported | EmbeddingsImported) -> Result:
    return {name: value for name, value in asdict(done).items() if name != "collection"}


def _sent(settings: Settings, database: Database) -> Callable[[Parameters], Path]:
    """Return what tells where that lies which a job should import."""
    uploads = open_uploads(settings, JobStore(database.engine))

    def path(parameters: Parameters) -> Path:
        upload = parameters.get("upload")
        return uploads.path(upload) if upload else importable(settings.jobs.import_dir, parameters["path"])

    return path


def exports_of(store: JobStore) -> Callable[[str], bool]:
    """Return what tells whether archives of a collection may still lie in data folders."""

    def has_exports(collection: str) -> bool:
        return store.has_ended_since(Kind.EXPORT.value, collection, datetime.now(UTC) - KEPT)

    return has_exports


def open_jobs(settings: Settings, database: Database, gallery: Gallery, kinds: Mapping[str, Work]) -> JobService:
    """Return jobs of these kinds; its runner is not started yet."""
    store = JobStore(database.engine)
    uploads = open_uploads(settings, store)
    lease = settings.jobs.lease_seconds
    leases = Leases(database.engine, owner=str(uuid4()), place=uploads.place(), lease=timedelta(seconds=lease))
    runner = JobRunner(
        store,
        leases,
        kinds,
        lease_seconds=lease,
        keep=timedelta(days=settings.jobs.keep_days),
        tidy=uploads.tidy,
        traces=JobTraces(database.engine),
    )
    return JobService(
        store,
        runner,
        uploads,
        require=gallery.require,
        check_upload=check_upload,
        import_dir=settings.jobs.import_dir,
    )


def reembed_work(change: NetworkChange) -> Work:
    """Return the kind of job that embeds a collection by another network."""

    def work(parameters: Parameters, progress: Progress) -> Result:
        def told(ready: int, faces: int) -> None:
            # The templates are stored as they are made. Said as a checkpoint, they keep a job alive that loses its
            # process often and yet comes forward.
            is_forward = ready > progress.checkpoint.get("ready", 0)
            progress.advance(ready, total=faces, checkpoint={"ready": ready} if is_forward else None)

        done = change.embed_and_switch(
            parameters["collection"],
            parameters["model"],
            is_rest_dropped=parameters["on_missing"] == "drop",
            is_switched=parameters["switch"],
            told=told,
        )
        refuse_missing(done, progress)
        return described(done)

    return work


def refuse_missing(done: Changed, progress: Progress) -> None:
    """List the faces that have no crop among what could not be done."""
    what = "it was deleted" if done.dropped else "it needs a new photo"
    for each in done.named:
        progress.refuse(each.face_id, CROP_MISSING, f"no crop is stored of this face of {each.identity_id!r}; {what}")


def described(done: Changed) -> dict[str, Any]:
    """Return what a job answers."""
    return {
        "from": done.before,
        "to": done.model,
        "faces": done.faces,
        "is_switched": done.is_switched,
        "missing": done.missing,
        "dropped": done.dropped,
        "missing_faces": [
            {"face_id": each.face_id, "identity_id": each.identity_id} for each in done.named[:_IN_RESULT]
        ],
    }


_SHOWN_RATES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def calibration_work(calibration: CalibrationService) -> Work:
    """Return the kind of job that calibrates a collection."""

    def work(parameters: Parameters, progress: Progress) -> Result:
        made, path = calibration.calibrate(
            parameters["collection"], lambda done, total: progress.advance(done, total=total)
        )
        write_calibration(made, path)
        thresholds = {f"{rate:g}": round(float(made.threshold(rate)), 4) for rate in _SHOWN_RATES}
        origin = made.origin
        return {"people": origin.people, "faces": origin.faces, "pairs": origin.pairs, "thresholds": thresholds}

    return work
