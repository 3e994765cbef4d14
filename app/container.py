"""The container: every long-lived object of a process, each constructed once, when it is first used.

The API and the command line use the same container, and a command opens only what it touches. Constructing connects
objects and may open files; `Container.start` alone starts threads.
"""

from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import Self

from app.access.key_cache import Access
from app.access.key_store import KeyStore
from app.access.trail import Trail
from app.config import Settings
from app.database.cipher import Sealer
from app.database.connection import Database
from app.database.leader_lock import TaskLock
from app.database.scrubbing import Scrubber
from app.gallery.erasure import ErasureService
from app.gallery.gallery import Gallery
from app.gallery.replication import ReplicationWorker
from app.gallery.retention_worker import RetentionWorker
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.crops import CropSealer
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.listing import ListingRepository
from app.gallery.store.model_migration import MigrationRepository
from app.gallery.store.retention import Retention
from app.gallery.store.values import CollectionSettings
from app.jobs.service import JobService
from app.jobs.store import JobStore
from app.jobs.traces import JobTraces
from app.jobs.values import Kind
from app.names import nfc
from app.recognition.collection_calibration import CalibrationService
from app.recognition.collections import CollectionService, Usual
from app.recognition.enrollment import EnrollmentService
from app.recognition.examination import ExaminationService
from app.recognition.health.check import HealthService
from app.recognition.identification import IdentificationService
from app.recognition.migration import NetworkChange
from app.recognition.model_registry import Serving
from app.recognition.people import PeopleService
from app.recognition.person_export import DisclosureService
from app.recognition.verification import VerificationService
from app.transfer.photo_import import give_way
from app.vision.inference.packs import Packs
from app.wiring.batching import threads_of
from app.wiring.jobs import calibration_work, exports_of, import_work, open_jobs, portable_work, reembed_work
from app.wiring.model_loading import ModelLoader
from app.wiring.projections import Projections
from app.wiring.storage import open_database, open_packs

DEFAULT_COLLECTION = "default"


class Container:
    """The long-lived objects of a process. Use it as a context manager, or call `close`, also after a failed start."""

    def __init__(self, settings: Settings, *, sealer: Sealer | None = None) -> None:
        """With `sealer`, crops are encrypted by it instead of the database's data keys."""
        self.settings = settings
        self._sealer = sealer
        self._is_serving = False
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Open what a service needs and start its threads; call it first, and once.

        Raises NetworkError's children, SchemaOutdated, SettingsInvalid: each says what to do.
        """
        self._is_serving = True
        self.models.require_files()
        self.serving.analysis(self.serving.default)  # the others when they are needed: a network takes memory
        self.database.occupy()
        self.projections.erase_plain()
        self.gallery.ensure(DEFAULT_COLLECTION, self.collection_settings)
        self.gallery.open()
        self.save_snapshots_on_close()
        self._construct_all()
        for worker in (self.follower, self.housekeeper, self.jobs.runner):
            worker.start()
            self._exits.callback(worker.stop)

    def close(self) -> None:
        """Stop the threads, save the snapshots and close what was opened, in reverse order of opening."""
        self._exits.close()

    def save_snapshots_on_close(self) -> None:
        """Write the snapshots of the gallery's indexes when this closes; commands that only read do not."""
        self._exits.callback(self.gallery.save)

    def _construct_all(self) -> None:
        """Construct everything now: requests run in threads, and two of them could construct an object twice."""
        for name, attribute in vars(type(self)).items():
            if isinstance(attribute, cached_property):
                getattr(self, name)

    # Database

    @cached_property
    def database(self) -> Database:
        """The database, whatever its schema; raises DatabaseInUse while a restore runs."""
        return self._exits.enter_context(open_database(self.settings))

    @cached_property
    def current_database(self) -> Database:
        """The database with its data keys opened; raises as `Database.require_current` does."""
        self.database.require_current()
        return self.database

    @cached_property
    def store(self) -> IdentityStore:
        """The identities; raises SchemaOutdated."""
        return IdentityStore(self.current_database.engine, self.current_database.vault)

    @cached_property
    def listing(self) -> ListingRepository:
        """Pages of collections, identities and faces."""
        return ListingRepository(self.current_database.engine, self.current_database.vault)

    @cached_property
    def keys(self) -> KeyStore:
        """The API keys, for which no master key is needed; raises SchemaOutdated."""
        self.database.schema.require_current()
        return KeyStore(self.database.engine)

    @cached_property
    def trail(self) -> Trail:
        """The audit trail, for which no master key is needed; raises SchemaOutdated."""
        self.database.schema.require_current()
        return Trail(self.database.engine)

    @cached_property
    def job_store(self) -> JobStore:
        """The stored jobs, for which no master key is needed; raises SchemaOutdated."""
        self.database.schema.require_current()
        return JobStore(self.database.engine)

    @cached_property
    def scrubber(self) -> Scrubber:
        """What overwrites deleted data in the database's files."""
        return Scrubber(self.database.engine)

    @cached_property
    def sealer(self) -> Sealer | None:
        """What encrypts crops; None without encryption."""
        vault = self.current_database.vault
        return self._sealer or (vault if vault.is_on else None)

    @cached_property
    def crops(self) -> CropSealer | None:
        """The encryption of crops; None if crops cannot be stored."""
        return None if self.sealer is None else CropSealer(self.sealer)

    # Networks

    @cached_property
    def packs(self) -> Packs:
        """The packs of networks."""
        return open_packs(self.settings)

    @cached_property
    def models(self) -> ModelLoader:
        """What opens the served networks."""
        loader = ModelLoader(self.settings, self.packs, is_batched=True)
        self._exits.callback(loader.close)
        return loader

    @cached_property
    def serving(self) -> Serving:
        """The served networks, each opened when it is first needed; raises PackUnknown, SettingsInvalid."""
        return self.models.registry()

    # Gallery

    @cached_property
    def collection_settings(self) -> CollectionSettings:
        """The settings of a new collection."""
        return CollectionSettings(is_flip_averaged=self.settings.inference.flip)

    @cached_property
    def projections(self) -> Projections:
        """What makes the projection of a collection."""
        return Projections(self.settings, self.current_database)

    @cached_property
    def gallery(self) -> Gallery:
        """The gallery, with the indexes that are opened when they are first needed."""
        default, *_ = served = self.models.served
        gallery = Gallery(
            self.store,
            self.projections.new,
            model=default.model,
            dimension=default.dimension,
            further={network.model: network.dimension for network in served},
        )
        self._exits.callback(gallery.release)
        return gallery

    @cached_property
    def follower(self) -> ReplicationWorker:
        """The thread that follows other processes' writes."""
        limits = self.settings.gallery
        return ReplicationWorker(
            self.gallery,
            ChangeLog(self.database.engine),
            every=limits.follow_seconds,
            save_every=limits.snapshot_seconds,
            keep=timedelta(days=limits.log_days),
        )

    @cached_property
    def housekeeper(self) -> RetentionWorker:
        """The thread that erases people whose term has ended."""
        return RetentionWorker(
            self.gallery,
            Retention(self.database.engine),
            TaskLock(self.database.engine),
            self.scrubber,
            every=self.settings.gallery.sweep_seconds,
            traces=self.job_traces,
            anchor=lambda: str(self.trail.end()),
            anchor_every=self.settings.gallery.anchor_hours * 3600,
        )

    # Services

    @cached_property
    def access(self) -> Access:
        """API keys, as requests present them."""
        return Access(self.keys)

    @cached_property
    def enrollment(self) -> EnrollmentService:
        """Enrollment."""
        return EnrollmentService(self.serving.analysis_of, self.gallery, self.serving.policy_of, crops=self.crops)

    @cached_property
    def verification(self) -> VerificationService:
        """Verification, 1:1."""
        return VerificationService(self.serving.analysis_of, self.gallery, self.serving.policy_of)

    @cached_property
    def identification(self) -> IdentificationService:
        """Identification, 1:N."""
        return IdentificationService(
            self.serving.analysis_of,
            self.gallery,
            self.serving.policy_of,
            open_metadata=frozenset(map(nfc, self.settings.open_metadata)),
        )

    @cached_property
    def examination(self) -> ExaminationService:
        """Analysis of photos without a gallery."""
        return ExaminationService(self.serving, is_flip_averaged=self.settings.inference.flip)

    @cached_property
    def collections(self) -> CollectionService:
        """Collections."""
        return CollectionService(
            self.gallery,
            self.store,
            CollectionRepository(self.database.engine),
            self.listing,
            Usual(DEFAULT_COLLECTION, self.collection_settings, self.projections.kinds()),
            serving=self.serving,
            has_sealer=self.crops is not None,
            scrubber=self.scrubber,
        )

    @cached_property
    def people(self) -> PeopleService:
        """Enrolled people and their faces."""
        return PeopleService(self.gallery, self.listing, EditingRepository(self.database.engine, self.database.vault))

    @cached_property
    def calibration(self) -> CalibrationService:
        """Calibration of collections."""
        return CalibrationService(self.gallery, self.store, self.serving, self.models.origin)

    @cached_property
    def health(self) -> HealthService:
        """Health checks of collections."""
        return HealthService(self.gallery, IdentityPages(self.database.engine, self.store), self.serving.policy_of)

    @cached_property
    def erasure(self) -> ErasureService:
        """Erasure of people."""
        return ErasureService(self.gallery, self.scrubber, exports_of(self.job_store), self.job_traces)

    @cached_property
    def disclosure(self) -> DisclosureService:
        """The export of one person's data."""
        return DisclosureService(self.gallery, self.listing, self.trail)

    # Model migration and jobs

    @cached_property
    def reembedding(self) -> MigrationRepository:
        """The stored templates of a collection's next and previous network."""
        return MigrationRepository(self.current_database.engine, self.crops, self.current_database.vault)

    @cached_property
    def network_change(self) -> NetworkChange:
        """Model migration; in a service it gives way to requests."""
        return NetworkChange(
            self.gallery,
            self.reembedding,
            self.serving,
            self.serving.policy_of,
            threads=threads_of(self.settings),
            give_way=give_way if self._is_serving else None,
            has_crops=self.crops is not None,
            is_served_here=self._is_serving,
        )

    @cached_property
    def job_traces(self) -> JobTraces:
        """What jobs keep of people."""
        return JobTraces(self.database.engine)

    @cached_property
    def jobs(self) -> JobService:
        """Jobs; the thread that runs them is not started yet."""
        kinds = {
            Kind.IMPORT.value: import_work(self.settings, self.database, self.enrollment, self.gallery),
            Kind.CALIBRATE.value: calibration_work(self.calibration),
            Kind.REEMBED.value: reembed_work(self.network_change),
            **portable_work(self.settings, self.packs, self.current_database, self.gallery),
        }
        return open_jobs(self.settings, self.database, self.gallery, kinds)
