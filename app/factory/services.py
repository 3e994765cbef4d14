"""Settings in, connected services out."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.access.service import Access
from app.access.store import KeyStore
from app.access.trail import Trail
from app.config import Settings, shipped
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.factory.networks import detector_of, embedder_of, open_detector, open_embedder
from app.factory.projections import Projections
from app.identities.collections import Collections
from app.identities.editing import Editing
from app.identities.listing import Listing
from app.identities.log import ChangeLog
from app.identities.store import IdentityStore
from app.identities.values import Collection, Practice
from app.imaging.decode import Limits
from app.inference.manifest import EmbedderSection, Manifest
from app.inference.packs import Packs
from app.inference.runtime import Runtime, resolve
from app.observability.logs import get_logger
from app.recognition.analysis import Analysis
from app.recognition.calibration import Origin
from app.recognition.calibrations import Calibrations, file_name
from app.recognition.collections import CollectionService, Usual
from app.recognition.enrolment import EnrolmentService
from app.recognition.examination import ExaminationService
from app.recognition.follower import Follower
from app.recognition.gallery import Gallery
from app.recognition.identification import IdentificationService
from app.recognition.people import PeopleService
from app.recognition.policy import Policy, PolicyOf
from app.recognition.verification import VerificationService

_log = get_logger(__name__)

DEFAULT_COLLECTION = "default"


@dataclass(frozen=True, slots=True)
class Services:
    """What the API's routes and the command line call."""

    enrolment: EnrolmentService
    verification: VerificationService
    identification: IdentificationService
    examination: ExaminationService
    collections: CollectionService
    people: PeopleService
    access: Access
    gallery: Gallery
    follower: Follower
    packs: Packs
    database: Database
    runtime: Runtime
    pack: Manifest
    embedder: EmbedderSection
    detector: str

    def close(self) -> None:
        """Stop following, write the last snapshots, let go of indexes and database."""
        self.follower.stop()
        self.gallery.close()
        self.database.close()


def models_folder(settings: Settings) -> Path:
    """Return where pulled networks lie."""
    return settings.models_dir / "models"


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
    return Packs(shipped("models"), models_folder(settings), settings.insightface_mirror)


def open_database(settings: Settings) -> Database:
    """Open the database and its migrations; nothing is connected yet."""
    return Database(database_url(settings), shipped("migrations"))


def open_store(settings: Settings) -> IdentityStore:
    """Open the store alone, without networks; raises SchemaOutdated."""
    database = open_database(settings)
    database.schema.require_current()
    return IdentityStore(database.engine)


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


def open_calibrations(settings: Settings, packs: Packs) -> Calibrations:
    """Return the calibrations of the network and detector that are in use."""
    origin = calibration_origin(settings, packs, is_flip_averaged=True)

    def name_for(is_flip_averaged: bool) -> str:  # noqa: FBT001 - all that it is for
        return file_name(
            network_sha256=origin.network_sha256, detector=origin.detector, is_flip_averaged=is_flip_averaged
        )

    return Calibrations(shipped("models") / "calibrations", settings.data_dir / "calibrations", name_for)


def calibration_origin(settings: Settings, packs: Packs, source: str = "", *, is_flip_averaged: bool) -> Origin:
    """Return what a calibration of the network in use says of itself before anything is counted."""
    pack = packs.manifest(settings.pack)
    section = embedder_of(pack)
    sha256 = packs.source_sha256(pack, section.file)
    return Origin(sha256, section.model, detector_of(settings, pack), is_flip_averaged, 0, 0, 0, source)


def new_practice(settings: Settings) -> Practice:
    """Return how faces are made in a collection that says nothing else."""
    return Practice(is_flip_averaged=settings.inference.flip)


def open_policy_of(settings: Settings) -> PolicyOf:
    """Return what tells the policy of a collection for the network in use."""
    packs = open_packs(settings)
    calibrations = open_calibrations(settings, packs)
    fallback = embedder_of(packs.manifest(settings.pack)).threshold

    def policy_of(collection: Collection) -> Policy:
        practice = collection.practice
        calibration = calibrations.of(collection.name, is_flip_averaged=practice.is_flip_averaged)
        return Policy(calibration, fallback, practice.probe_quality)

    return policy_of


def open_runtime(settings: Settings) -> Runtime:
    """Return how networks are run here; raises ProviderUnavailable."""
    return resolve(settings.inference.provider, settings.inference.threads)


def open_analysis(settings: Settings, runtime: Runtime) -> Analysis:
    """Open the networks and nothing else; raises NetworkError's children and SettingsInvalid."""
    packs = open_packs(settings)
    pack = packs.manifest(settings.pack)
    detector_name = detector_of(settings, pack)
    detector = open_detector(packs, detector_name, runtime, settings)
    embedder = open_embedder(packs, pack, runtime)
    _log.info("networks.opened", pack=pack.name, detector=detector_name, provider=runtime.provider.value)
    return Analysis(
        detector,
        embedder,
        limits=Limits(settings.limits.photo_bytes, settings.limits.photo_pixels),
        detection_side=settings.detection.longest_side,
    )


def open_services(settings: Settings) -> Services:
    """Open everything: networks checked and loaded, database current, index built.

    Raises NetworkError's children, SchemaOutdated, SettingsInvalid: each says what to do.
    """
    packs = open_packs(settings)
    pack = packs.manifest(settings.pack)
    section = embedder_of(pack)
    runtime = open_runtime(settings)
    analysis = open_analysis(settings, runtime)
    database = open_database(settings)
    database.schema.require_current()
    projections = Projections(settings, database)
    store = IdentityStore(database.engine)
    gallery = Gallery(store, projections.new, model=section.model, dimension=section.dimension)
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

    policy_of = open_policy_of(settings)
    calibrations = open_calibrations(settings, packs)
    usual = Usual(DEFAULT_COLLECTION, new_practice(settings), projections.kinds())
    listing = Listing(database.engine)
    return Services(
        enrolment=EnrolmentService(analysis, gallery, policy_of),
        verification=VerificationService(analysis, gallery, policy_of),
        identification=IdentificationService(analysis, gallery, policy_of),
        examination=ExaminationService(
            analysis,
            lambda is_flip_averaged: calibrations.shipped(is_flip_averaged=is_flip_averaged),
            is_flip_averaged=settings.inference.flip,
        ),
        collections=CollectionService(gallery, store, Collections(database.engine), listing, usual),
        people=PeopleService(gallery, listing, Editing(database.engine)),
        access=Access(KeyStore(database.engine)),
        gallery=gallery,
        follower=follower,
        packs=packs,
        database=database,
        runtime=runtime,
        pack=pack,
        embedder=section,
        detector=detector_of(settings, pack),
    )
