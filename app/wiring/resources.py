"""The resources of a process: database, networks and gallery, each opened when it is first used."""

from contextlib import ExitStack
from functools import cached_property, partial
from types import TracebackType
from typing import Self

from app.access.challenges import ChallengeStore
from app.access.key_store import KeyStore
from app.access.sessions import SessionStore
from app.access.trail import Trail
from app.access.trail_pages import TrailPages
from app.config import Settings
from app.database.cipher import Sealer
from app.database.connection import Database
from app.database.scrubbing import Scrubber
from app.gallery.gallery import Gallery
from app.gallery.store.crops import CropSealer
from app.gallery.store.face_images import FaceImages
from app.gallery.store.identities import IdentityStore
from app.gallery.store.listing import ListingRepository
from app.gallery.store.liveness_calibrations import LivenessCalibrationRepository
from app.gallery.store.values import CollectionSettings
from app.gallery.unserved import UnservedCollections
from app.jobs.store import JobStore
from app.recognition.attributes import AttributeService
from app.recognition.collections import CollectionDefaults
from app.recognition.liveness.gate import LivenessGate
from app.recognition.liveness.record import LivenessLog
from app.recognition.liveness.stored_thresholds import StoredThresholds
from app.recognition.model_registry import ModelRegistry
from app.transfer.backup_folder import BackupFolder
from app.vision.inference.packs import Packs
from app.wall_clock import WallClock
from app.wiring.model_loading import ModelLoader
from app.wiring.networks import open_age_gender
from app.wiring.projections import Projections
from app.wiring.storage import open_database, open_packs
from app.wiring.unserved import open_unserved

DEFAULT_COLLECTION = "default"


class Resources:
    """Resources of a process; use it as a context manager, or call `close`."""

    def __init__(self, settings: Settings, *, sealer: Sealer | None = None) -> None:
        """With `sealer`, crops are encrypted by it instead of the database's data keys."""
        self.settings = settings
        self._sealer = sealer
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop and close what was started and opened, in reverse order."""
        self._exits.close()

    def save_snapshots_on_close(self) -> None:
        """Write the snapshots of the gallery's indexes when this closes; commands that only read do not."""
        self._exits.callback(self.gallery.save)

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
    def clock(self) -> WallClock:
        """The wall clock, and whether it was set."""
        return WallClock()

    @cached_property
    def store(self) -> IdentityStore:
        """The identities; raises SchemaOutdated."""
        return IdentityStore(self.current_database.engine, self.current_database.vault, self.clock)

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
    def sessions(self) -> SessionStore:
        """Sessions of people who signed in; raises SchemaOutdated."""
        self.database.schema.require_current()
        return SessionStore(self.database.engine)

    @cached_property
    def challenge_store(self) -> ChallengeStore:
        """The liveness challenges; raises SchemaOutdated."""
        self.database.schema.require_current()
        return ChallengeStore(self.database.engine)

    @cached_property
    def trail(self) -> Trail:
        """The audit trail, for which no master key is needed; raises SchemaOutdated."""
        self.database.schema.require_current()
        return Trail(self.database.engine)

    @cached_property
    def trail_pages(self) -> TrailPages:
        """The audit trail in pages; raises as `trail`."""
        self.database.schema.require_current()
        return TrailPages(self.database.engine)

    @cached_property
    def job_store(self) -> JobStore:
        """The stored jobs, for which no master key is needed; raises SchemaOutdated."""
        self.database.schema.require_current()
        return JobStore(self.database.engine)

    @cached_property
    def scrubber(self) -> Scrubber:
        """Scrubber of deleted data in the database's files."""
        return Scrubber(self.database.engine)

    @cached_property
    def sealer(self) -> Sealer | None:
        """Sealer of crops; None without encryption."""
        vault = self.current_database.vault
        return self._sealer or (vault if vault.is_on else None)

    @cached_property
    def crops(self) -> CropSealer | None:
        """The encryption of crops; None if crops cannot be stored."""
        return None if self.sealer is None else CropSealer(self.sealer)

    @cached_property
    def face_images(self) -> FaceImages:
        """The images of enrolled faces."""
        return FaceImages(self.current_database.engine, self.crops)

    @cached_property
    def backups(self) -> BackupFolder:
        """The folder of backups."""
        settings = self.settings
        folder = settings.backups.folder or settings.data_dir / "backups"
        return BackupFolder(self.database, settings.data_dir, folder, keep=settings.backups.keep)

    @cached_property
    def packs(self) -> Packs:
        """The packs of networks."""
        return open_packs(self.settings)

    @cached_property
    def models(self) -> ModelLoader:
        """Loader of the served networks."""
        loader = ModelLoader(self.settings, self.packs, is_batched=True)
        self._exits.callback(loader.close)
        return loader

    @cached_property
    def registry(self) -> ModelRegistry:
        """The served networks, each opened when it is first needed; raises PackUnknown, SettingsInvalid."""
        return self.models.registry()

    @cached_property
    def attributes(self) -> AttributeService:
        """Attributes of faces; their networks are opened when they are first needed."""
        return AttributeService(self.settings.attributes, partial(open_age_gender, self.packs))

    @cached_property
    def liveness_gate(self) -> LivenessGate:
        """The checks of liveness; the detector is opened when it is first needed."""
        log, loader = LivenessLog(self.trail.note_refused_presentation), self.models.liveness
        return LivenessGate(loader.open, thresholds_of=self.liveness_thresholds, log=log)

    @cached_property
    def liveness_calibrations(self) -> LivenessCalibrationRepository:
        """The calibrations of liveness of collections."""
        return LivenessCalibrationRepository(self.current_database.engine)

    @cached_property
    def liveness_thresholds(self) -> StoredThresholds:
        """The thresholds of liveness: calibrated ones, or those of the pack."""
        loader = self.models.liveness
        return StoredThresholds(
            self.liveness_calibrations,
            fingerprint=lambda: loader.fingerprint,
            detector_of=self.registry.detector_of,
            default=loader.thresholds,
        )

    @cached_property
    def collection_settings(self) -> CollectionSettings:
        """The settings of a new collection: it keeps crops if they can be encrypted."""
        return CollectionSettings(is_flip_averaged=self.settings.inference.flip, is_crop_kept=self.crops is not None)

    @cached_property
    def collection_defaults(self) -> CollectionDefaults:
        """Defaults and options of collections."""
        kinds, kind = self.projections.kinds(), self.settings.index
        most_days = self.settings.unknown_faces.most_days
        return CollectionDefaults(DEFAULT_COLLECTION, self.collection_settings, kinds, kind, most_days)

    @cached_property
    def projections(self) -> Projections:
        """Return the object that creates the search index of each collection."""
        return Projections(self.settings, self.current_database)

    @cached_property
    def unserved(self) -> UnservedCollections:
        """The treatment of collections of networks that are not served; raises as `registry`."""
        return open_unserved(self.settings, self.packs, self.models.served, self.current_database)

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
            unserved=self.unserved,
        )
        self._exits.callback(gallery.release)
        return gallery
