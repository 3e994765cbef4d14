"""Settings in, connected services out."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.access.key_cache import Access
from app.access.key_store import KeyStore
from app.access.trail import Trail
from app.config import Settings, shipped
from app.database.cipher import Master, Sealer, decoded
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.database.leader_lock import Claims
from app.database.scrubbing import Scrubber
from app.database.sqlite_files import sqlite_file
from app.errors import BackupImpossible, SettingsInvalid
from app.gallery.erasure import ErasureService
from app.gallery.gallery import Gallery
from app.gallery.replication import Follower
from app.gallery.retention_worker import Housekeeper
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.collections import Collections
from app.gallery.store.crops import CropSealer
from app.gallery.store.editing import Editing
from app.gallery.store.identities import IdentityStore
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.listing import Listing
from app.gallery.store.model_migration import Reembedding
from app.gallery.store.retention import Retention
from app.gallery.store.roster import Roster
from app.gallery.store.values import Practice
from app.jobs.service import JobService
from app.jobs.traces import JobTraces
from app.jobs.values import Kind
from app.names import nfc
from app.recognition.analysis import Analysis
from app.recognition.collections import CollectionService, Usual
from app.recognition.comparison import ComparisonService
from app.recognition.decisions.policy import PolicyOf
from app.recognition.enrollment import EnrollmentService
from app.recognition.examination import ExaminationService
from app.recognition.health.check import HealthService
from app.recognition.identification import IdentificationService
from app.recognition.migration import NetworkChange
from app.recognition.model_registry import Serving
from app.recognition.people import PeopleService
from app.recognition.person_export import DisclosureService
from app.recognition.subjects import SubjectService
from app.recognition.verification import VerificationService
from app.transfer.restore import Restore
from app.vision.embedding import Embedder
from app.vision.inference.manifest import EmbedderSection, Manifest
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime, resolve
from app.wiring.batching import batching_of
from app.wiring.calibrating import calibration_work
from app.wiring.jobs import exports_of, import_work, open_jobs, portable_work
from app.wiring.keys import read_master
from app.wiring.migration import open_network_change, reembed_work
from app.wiring.models import open_serving, require_networks
from app.wiring.networks import detector_of, embedder_of
from app.wiring.projections import Projections

DEFAULT_COLLECTION = "default"


@dataclass(frozen=True, slots=True)
class Services:
    """What the API's routes and the command line call."""

    enrollment: EnrollmentService
    verification: VerificationService
    identification: IdentificationService
    examination: ExaminationService
    collections: CollectionService
    people: PeopleService
    health: HealthService
    subjects: SubjectService
    comparison: ComparisonService
    erasure: ErasureService
    disclosure: DisclosureService
    access: Access
    gallery: Gallery
    follower: Follower
    housekeeper: Housekeeper
    reembedding: Reembedding
    network_change: NetworkChange
    serving: Serving
    jobs: JobService
    packs: Packs
    database: Database
    runtime: Runtime
    pack: Manifest
    embedder: EmbedderSection
    detector: str
    embedders: Mapping[str, Embedder]
    """Those opened so far, by model; each is closed with the services, and its batcher, if it has one, is measured."""

    def close(self) -> None:
        """Stop the job that is under way, stop batching and following, write the last snapshots, let go of all else."""
        self.jobs.runner.stop()
        for each in list(self.embedders.values()):
            each.close()
        self.housekeeper.stop()
        self.follower.stop()
        self.gallery.close()
        self.database.close()


def models_folder(settings: Settings) -> Path:
    """Return where pulled networks lie: in the folder named, or as before in a folder `models` in that."""
    before = settings.models_dir / "models"
    return before if before.is_dir() else settings.models_dir


def database_url(settings: Settings) -> str:
    """Return the database's URL; SQLite in the data folder unless a setting says otherwise."""
    return settings.database_url or sqlite_url(embedded_file(settings))


def embedded_file(settings: Settings) -> Path:
    """Return the file of the embedded database."""
    return settings.data_dir / "arcid.db"


def is_embedded(settings: Settings) -> bool:
    """Say whether the database is the service's own SQLite file."""
    return settings.database_url is None


def open_packs(settings: Settings) -> Packs:
    """Return the packs that ship with the project and those in the data folder."""
    folder = models_folder(settings)
    is_private = folder.is_relative_to(settings.data_dir)
    return Packs(shipped("models"), folder, settings.insightface_mirror, is_private=is_private)


def open_database(settings: Settings) -> Database:
    """Open the database and its migrations; nothing is connected yet.

    A restore that was killed half-way is ended first. Raises DatabaseInUse while one runs.
    """
    url = database_url(settings)
    with suppress(BackupImpossible):  # of another database
        Restore(sqlite_file(url), settings.data_dir, shipped("migrations")).finish()
    return Database(
        url,
        shipped("migrations"),
        open_master(settings),
        is_closed=settings.encryption.require_bound,
    )


def open_master(settings: Settings) -> Master | None:
    """Return the master key that the settings name, None without encryption.

    Raises MasterKeyInvalid, and SettingsInvalid where it is named twice.
    """
    encryption = settings.encryption
    if encryption.key is not None and encryption.key_file is not None:
        raise SettingsInvalid("name the master key once: ARCID_ENCRYPTION__KEY_FILE or ARCID_ENCRYPTION__KEY")
    if encryption.key is not None:
        return Master(decoded(encryption.key.get_secret_value()))
    return read_master(encryption.key_file) if encryption.key_file is not None else None


def open_store(settings: Settings) -> IdentityStore:
    """Open the store alone, without networks; raises SchemaOutdated."""
    database = open_database(settings)
    database.require_current()
    return IdentityStore(database.engine, database.vault)


def open_keys(settings: Settings) -> KeyStore:
    """Open the store of API keys alone; raises SchemaOutdated."""
    database = open_database(settings)
    database.schema.require_current()
    return KeyStore(database.engine)


def open_trail(settings: Settings) -> Trail:
    """Open the audit trail alone; raises SchemaOutdated."""
    database = open_database(settings)
    database.schema.require_current()
    return Trail(database.engine)


def new_practice(settings: Settings) -> Practice:
    """Return how faces are made in a collection that says nothing else."""
    return Practice(is_flip_averaged=settings.inference.flip)


def open_policy_of(settings: Settings) -> PolicyOf:
    """Return what tells the policy of a collection; no network is opened."""
    return open_serving(settings, open_packs(settings), Runtime()).policy_of


def open_runtime(settings: Settings) -> Runtime:
    """Return how networks are run here; raises ProviderUnavailable."""
    return resolve(settings.inference.provider, settings.inference.threads)


def open_analysis(settings: Settings, runtime: Runtime) -> Analysis:
    """Open the networks of ARCID_PACK and nothing else; raises NetworkError's children and SettingsInvalid."""
    serving = open_serving(settings, open_packs(settings), runtime)
    return serving.analysis(serving.default)


def sealer_of(database: Database) -> Sealer | None:
    """Return what encrypts crops; None, as long as no encryption is set up."""
    return database.vault if database.vault.is_on else None


def open_services(settings: Settings, sealer: Sealer | None = None) -> Services:
    """Open everything: networks checked and loaded, database current, index built.

    Crops are sealed by `sealer` instead of what the settings say, if there is one.
    Raises NetworkError's children, SchemaOutdated, SettingsInvalid: each says what to do.
    """
    packs = open_packs(settings)
    pack = packs.manifest(settings.pack)
    section = embedder_of(pack)
    runtime = open_runtime(settings)
    embedders: dict[str, Embedder] = {}
    serving = open_serving(settings, packs, runtime, batching=batching_of(settings, runtime), embedders=embedders)
    require_networks(packs, serving.all)
    serving.analysis(serving.default)  # the others when they are needed: a network takes memory
    database = open_database(settings)
    database.occupy()
    database.require_current()
    projections = Projections(settings, database)
    projections.erase_plain()
    store = IdentityStore(database.engine, database.vault)
    further = {each.model: each.dimension for each in serving.all}
    gallery = Gallery(store, projections.new, model=section.model, dimension=section.dimension, further=further)
    gallery.ensure(DEFAULT_COLLECTION, new_practice(settings))
    gallery.open()
    follower = Follower(
        gallery,
        ChangeLog(database.engine),
        every=settings.gallery.follow_seconds,
        save_every=settings.gallery.snapshot_seconds,
        keep=timedelta(days=settings.gallery.log_days),
    )
    follower.start()
    scrubber = Scrubber(database.engine)
    trail = Trail(database.engine)
    housekeeper = Housekeeper(
        gallery,
        Retention(database.engine),
        Claims(database.engine),
        scrubber,
        every=settings.gallery.sweep_seconds,
        traces=JobTraces(database.engine),
        anchor=lambda: str(trail.end()),
        anchor_every=settings.gallery.anchor_hours * 3600,
    )
    housekeeper.start()

    analysis_of, policy_of = serving.analysis_of, serving.policy_of
    sealer = sealer or sealer_of(database)
    crops = CropSealer(sealer) if sealer is not None else None
    usual = Usual(DEFAULT_COLLECTION, new_practice(settings), projections.kinds())
    listing = Listing(database.engine, database.vault)
    enrollment = EnrollmentService(analysis_of, gallery, policy_of, crops=crops)
    identification = IdentificationService(
        analysis_of, gallery, policy_of, open_metadata=frozenset(map(nfc, settings.open_metadata))
    )
    people = PeopleService(gallery, listing, Editing(database.engine, database.vault))
    erasure = ErasureService(gallery, scrubber, exports_of(database), JobTraces(database.engine))
    roster = Roster(database.engine, database.vault)
    network_change = open_network_change(settings, database, gallery, serving, crops)
    kinds = {
        Kind.IMPORT.value: import_work(settings, database, enrollment, gallery),
        Kind.CALIBRATE.value: calibration_work(settings, packs, serving, store),
        Kind.REEMBED.value: reembed_work(network_change),
        **portable_work(settings, packs, database, gallery),
    }
    jobs = open_jobs(settings, database, gallery, kinds)
    jobs.runner.start()
    return Services(
        enrollment=enrollment,
        verification=VerificationService(analysis_of, gallery, policy_of),
        identification=identification,
        examination=ExaminationService(serving, is_flip_averaged=settings.inference.flip),
        collections=CollectionService(
            gallery,
            store,
            Collections(database.engine),
            listing,
            usual,
            serving=serving,
            has_sealer=crops is not None,
            scrubber=scrubber,
        ),
        people=people,
        health=HealthService(gallery, IdentityPages(database.engine, store), policy_of),
        subjects=SubjectService(
            analysis_of, gallery, listing, roster, enrollment=enrollment, people=people, erasure=erasure
        ),
        comparison=ComparisonService(analysis_of, gallery, listing, policy_of, identification),
        erasure=erasure,
        disclosure=DisclosureService(gallery, listing, Trail(database.engine)),
        access=Access(KeyStore(database.engine)),
        gallery=gallery,
        follower=follower,
        housekeeper=housekeeper,
        reembedding=Reembedding(database.engine, crops, database.vault),
        network_change=network_change,
        serving=serving,
        jobs=jobs,
        packs=packs,
        database=database,
        runtime=runtime,
        pack=pack,
        embedder=section,
        detector=detector_of(settings, pack),
        embedders=embedders,
    )
