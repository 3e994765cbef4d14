"""The container: every long-lived object of a process, each constructed once, when it is first used.

The API and the command line use it, and a command opens only what it touches. `Container.start` alone starts threads.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property, partial
from inspect import getmembers_static
from uuid import uuid4

from app.database.data_version import DataVersion
from app.database.leader_lock import TaskLock
from app.gallery.erasure import ErasureService
from app.gallery.replication import ReplicationWorker
from app.gallery.retention_worker import RetentionWorker
from app.gallery.store.bulk import BulkWriter
from app.gallery.store.calibration_versions import CalibrationRepository
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.model_migration import MigrationRepository
from app.gallery.store.retention import Retention
from app.gallery.store.snapshot import CollectionExporter
from app.gallery.store.values import Collection
from app.jobs.leases import Leases
from app.jobs.resumable_uploads import ResumableUploads, UploadLimits
from app.jobs.runner import JobRunner
from app.jobs.service import JobService
from app.jobs.traces import JobTraces
from app.jobs.uploads import Uploads
from app.periodic_worker import PeriodicWorker
from app.recognition.adaptive_calibration import AdaptiveCalibrationService
from app.recognition.calibration_worker import CalibrationWorker
from app.recognition.challenges.challenge_service import ChallengeService
from app.recognition.collection_calibration import CalibrationService
from app.recognition.collections import CollectionService
from app.recognition.examination import ExaminationService
from app.recognition.health.check import HealthService
from app.recognition.migration import MigrationService
from app.recognition.people import PeopleService
from app.recognition.person_export import PersonExportService
from app.transfer.archive_export import Export
from app.transfer.archive_import import ArchiveImport
from app.transfer.embeddings_import import EmbeddingsImport
from app.transfer.job_kinds import IMPORTS
from app.transfer.job_requests import JobRequests, may_have_archive
from app.transfer.job_sources import JobSources
from app.transfer.job_work import JobWork
from app.transfer.photo_import import give_way
from app.transfer.unknown_photos import UnknownPhotos
from app.wiring.accounts import Accounts
from app.wiring.batching import threads_of
from app.wiring.notifying import Notifying
from app.wiring.resources import DEFAULT_COLLECTION
from app.wiring.watching import Watching


class Container(Accounts, Notifying, Watching):
    """The long-lived objects of a process; close it also after a failed start."""

    _is_serving = False

    def start(self) -> None:
        """Open what a service needs and start its threads; call it first, and once.

        Raises subclasses of NetworkError, SchemaOutdated, SettingsInvalid; each contains the remedy.
        """
        self._is_serving = True
        self.models.require_files()
        self.registry.analysis(self.registry.default)  # the others when they are needed: a network takes memory
        self.database.occupy()
        self.projections.purge_plain()
        self.projections.purge_stale()
        self.gallery.ensure(DEFAULT_COLLECTION, self.collection_settings)
        self.gallery.open()
        self.save_snapshots_on_close()
        self._construct_all()
        for worker in self._workers():
            worker.start()
            self._exits.callback(worker.stop)

    def _workers(self) -> Iterator[PeriodicWorker | JobRunner]:
        yield from (self.replication_worker, self.retention_worker, self.delivery_worker, self.jobs.runner)
        yield from (self.camera_workers, self.grouping_worker)
        if self.mqtt_keeper is not None:
            yield self.mqtt_keeper
        if self.settings.calibration.is_adaptive:
            yield self.calibration_worker
        if self.statistics_worker is not None:
            yield self.statistics_worker

    def _construct_all(self) -> None:
        """Construct everything now: requests run in threads, and two of them could construct an object twice."""
        for name, _ in getmembers_static(type(self), lambda attribute: isinstance(attribute, cached_property)):
            getattr(self, name)

    @cached_property
    def replication_worker(self) -> ReplicationWorker:
        """The thread that follows other processes' writes."""
        limits = self.settings.gallery
        return ReplicationWorker(
            self.gallery,
            ChangeLog(self.database.engine),
            every=limits.follow_seconds,
            save_every=limits.snapshot_seconds,
            keep=timedelta(days=limits.log_days),
            clock=self.clock,
            version=DataVersion(self.database.engine),
        )

    @cached_property
    def retention_worker(self) -> RetentionWorker:
        """The thread that erases people whose term has ended."""
        return RetentionWorker(
            self.gallery,
            Retention(self.database.engine),
            TaskLock(self.database.engine),
            self.scrubber,
            every=self.settings.gallery.sweep_seconds,
            clock=self.clock,
            traces=self.job_traces,
            anchor=lambda: str(self.trail.end()),
            anchor_every=self.settings.gallery.anchor_hours * 3600,
            chores=[
                each.delete_expired
                for each in (self.challenge_store, self.unknown_faces, self.event_retention, self.review_store)
            ],
        )

    @cached_property
    def calibration_repository(self) -> CalibrationRepository:
        """The versions of adaptive calibrations."""
        return CalibrationRepository(self.current_database.engine)

    @cached_property
    def adaptive_calibration(self) -> AdaptiveCalibrationService:
        """Adaptive calibration of collections."""
        return AdaptiveCalibrationService(self.store, self.calibration_repository, self.registry)

    @cached_property
    def calibration_worker(self) -> CalibrationWorker:
        """The thread that adapts the calibrations of collections."""
        return CalibrationWorker(
            self.calibration_repository,
            self.adaptive_calibration,
            every=self.settings.calibration.interval_seconds,
            probes=self.probe_learning,
        )

    @cached_property
    def challenges(self) -> ChallengeService:
        """Active liveness challenges."""
        registry, gallery, gate = self.registry, self.gallery, self.liveness_gate
        return ChallengeService(
            self.challenge_store, registry.analysis_of, gallery, registry.policy_of, self.verification, gate=gate
        )

    @cached_property
    def examination(self) -> ExaminationService:
        """Analysis of photos without a gallery."""
        return ExaminationService(
            self.registry, self.attributes, is_flip_averaged=self.settings.inference.flip, gate=self.liveness_gate
        )

    @cached_property
    def collections(self) -> CollectionService:
        """The collections, as callers see them."""
        return CollectionService(
            self.gallery,
            self.store,
            CollectionRepository(self.database.engine),
            self.listing,
            self.collection_defaults,
            registry=self.registry,
            gate=self.liveness_gate,
            has_sealer=self.crops is not None,
            scrubber=self.scrubber,
        )

    @cached_property
    def people(self) -> PeopleService:
        """Enrolled people and their faces."""
        engine, vault = self.current_database.engine, self.current_database.vault
        return PeopleService(self.gallery, self.listing, EditingRepository(engine, vault), self.face_images)

    @cached_property
    def calibration(self) -> CalibrationService:
        """Calibration of collections."""
        return CalibrationService(self.gallery, self.store, self.registry, self.models.origin)

    @cached_property
    def health(self) -> HealthService:
        """Health checks of collections."""
        return HealthService(self.gallery, IdentityPages(self.database.engine, self.store), self.registry.policy_of)

    @cached_property
    def erasure(self) -> ErasureService:
        """Erasure of people."""
        return ErasureService(self.gallery, self.scrubber, partial(may_have_archive, self.job_store), self.job_traces)

    @cached_property
    def person_export(self) -> PersonExportService:
        """The export of one person's data."""
        images, events, reviews = self.face_images, self.event_log, self.review_pages
        return PersonExportService(self.gallery, self.listing, self.trail, images, events=events, reviews=reviews)

    @cached_property
    def migration_repository(self) -> MigrationRepository:
        """The stored templates of a collection's next and previous network."""
        return MigrationRepository(self.current_database.engine, self.crops, self.current_database.vault)

    @cached_property
    def migration(self) -> MigrationService:
        """Model migration; in a service it gives way to requests."""
        return MigrationService(
            self.gallery,
            self.migration_repository,
            self.registry,
            self.registry.policy_of,
            threads=threads_of(self.settings),
            give_way=give_way if self._is_serving else None,
            has_crops=self.crops is not None,
            is_served_here=self._is_serving,
        )

    @cached_property
    def archive_export(self) -> Export:
        """The export of collections."""
        database = self.current_database
        return Export(CollectionExporter(database.engine, database.vault), self.packs.only_source_sha256)

    @cached_property
    def archive_import(self) -> ArchiveImport:
        """The import of archives."""
        return ArchiveImport(self.store, self._incoming, networks_of=self.packs.source_sha256s, catch_up=self._catch_up)

    @cached_property
    def embeddings_import(self) -> EmbeddingsImport:
        """The import of embeddings."""
        return EmbeddingsImport(self.store, self._incoming, catch_up=self._catch_up)

    @cached_property
    def _incoming(self) -> BulkWriter:
        return BulkWriter(self.current_database.engine, self.current_database.vault)

    def _catch_up(self, collection: Collection, revision: int) -> None:
        """Bring a service's index to a revision; after a command, running services follow by themselves."""
        if self._is_serving:
            self.gallery.catch_up(collection, revision)

    @cached_property
    def job_traces(self) -> JobTraces:
        """Data about people in jobs."""
        return JobTraces(self.database.engine, IMPORTS)

    @cached_property
    def uploads(self) -> Uploads:
        """The files of jobs."""
        return Uploads(self.settings.data_dir / "jobs", self.job_store.unfinished)

    @cached_property
    def resumable_uploads(self) -> ResumableUploads:
        """The uploads that no job has taken yet."""
        settings, uploads = self.settings.jobs, self.uploads
        limits = UploadLimits(
            settings.upload_bytes, settings.uploads_bytes, settings.uploads, timedelta(hours=settings.upload_hours)
        )
        return ResumableUploads(self.settings.data_dir / "jobs" / "resumable", limits, uploads.taken_bytes)

    @cached_property
    def job_sources(self) -> JobSources:
        """The sources of imports."""
        return JobSources(self.uploads, self.settings.jobs.import_dir)

    @cached_property
    def job_work(self) -> JobWork:
        """The work of each kind of job."""
        return JobWork(
            self.enrollment,
            self.gallery,
            self.calibration,
            self.migration,
            self.archive_export,
            self.archive_import,
            self.embeddings_import,
            self.uploads,
            self.job_sources,
            self.backups,
            threads_of(self.settings),
            self.settings.limits.photo_bytes,
            self.unknown_grouping,
            partial(UnknownPhotos, self.identification, self.unknown_faces),
        )

    @cached_property
    def jobs(self) -> JobService:
        """The queue of jobs; the thread that runs them is not started yet."""
        settings, uploads = self.settings.jobs, self.uploads
        lease = timedelta(seconds=settings.lease_seconds)
        runner = JobRunner(
            self.job_store,
            Leases(self.database.engine, owner=str(uuid4()), place=uploads.place(), lease=lease),
            self.job_work.by_kind(),
            lease_seconds=settings.lease_seconds,
            keep=timedelta(days=settings.keep_days),
            tidy=self._tidy_uploads,
            traces=self.job_traces,
            clock=self.clock,
        )
        return JobService(self.job_store, runner, uploads, self.job_traces)

    def _tidy_uploads(self, job_id: str | None) -> None:
        self.uploads.tidy(job_id)
        if job_id is None:
            self.resumable_uploads.tidy()

    @cached_property
    def job_requests(self) -> JobRequests:
        """Requests for jobs."""
        return JobRequests(
            self.jobs, self.uploads, self.resumable_uploads, self.job_sources, self.backups, self.gallery.require
        )
