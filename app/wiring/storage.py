"""Where data lies, by the settings: the database and its master key, and the folder of pulled networks."""

from contextlib import suppress
from pathlib import Path

from app.config import Settings, shipped
from app.database.cipher import Master, decoded
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.database.master_key_file import read_master, write_master
from app.database.sqlite_files import sqlite_file
from app.errors import BackupImpossible, SettingsInvalid
from app.observability.logs import get_logger
from app.transfer.restore import Restore
from app.types import IndexKind
from app.vision.inference.downloads import Mirrors
from app.vision.inference.packs import Packs

_log = get_logger(__name__)


def models_folder(settings: Settings) -> Path:
    """Return the folder of pulled networks: ARCID_MODELS_DIR, or the folder `models` of older versions in it."""
    older = settings.models_dir / "models"
    return older if older.is_dir() else settings.models_dir


def open_packs(settings: Settings) -> Packs:
    """Return the packs that ship with the project and those in the models folder."""
    folder = models_folder(settings)
    is_private = folder.is_relative_to(settings.data_dir)
    mirrors = Mirrors(settings.insightface_mirror, settings.model_mirror)
    return Packs(shipped("models"), folder, mirrors, is_private=is_private)


def database_url(settings: Settings) -> str:
    """Return the database's URL; by default SQLite in the data folder."""
    return settings.database_url or sqlite_url(embedded_file(settings))


def embedded_file(settings: Settings) -> Path:
    """Return the file of the embedded database."""
    return settings.data_dir / "arcid.db"


def is_embedded(settings: Settings) -> bool:
    """Return whether the database is the service's own SQLite file."""
    return settings.database_url is None


def open_restore(settings: Settings) -> Restore:
    """Return the restore of the embedded database; raises BackupImpossible for any other database."""
    return Restore(sqlite_file(database_url(settings)), settings.data_dir, shipped("migrations"))


def open_database(settings: Settings) -> Database:
    """Open the database and its migrations without connecting, after finishing a restore that was killed.

    Raises DatabaseInUse while a restore runs.
    """
    with suppress(BackupImpossible):  # not an embedded database
        open_restore(settings).finish()
    return Database(
        database_url(settings),
        shipped("migrations"),
        open_master(settings),
        is_closed=settings.encryption.require_bound,
        has_events=settings.events.is_enabled,
    )


def open_master(settings: Settings) -> Master | None:
    """Return the master key of the settings, or the embedded database's own one; None without encryption.

    Raises MasterKeyInvalid, and SettingsInvalid if two master keys are named.
    """
    encryption = settings.encryption
    if encryption.key is not None and encryption.key_file is not None:
        raise SettingsInvalid("name the master key once: ARCID_ENCRYPTION__KEY_FILE or ARCID_ENCRYPTION__KEY")
    if encryption.key is not None:
        return Master(decoded(encryption.key.get_secret_value()))
    own = own_key_file(settings)
    file = encryption.key_file or (own if is_embedded(settings) and own.exists() else None)
    return None if file is None else read_master(file)


def own_key_file(settings: Settings) -> Path:
    """Return the file of the master key that the embedded database has if the settings name none."""
    return settings.data_dir / "master.key"


def create_own_key(settings: Settings) -> None:
    """Create the master key of an embedded database that does not exist yet, and log its file.

    Create nothing if the database exists, the settings name a master key or want none, or templates go to an index that
    is not encrypted.
    """
    encryption, file = settings.encryption, own_key_file(settings)
    is_wanted = encryption.own_key and encryption.key is None and encryption.key_file is None
    if not is_wanted or not is_embedded(settings) or settings.index is IndexKind.MILVUS or file.exists():
        return
    open_restore(settings).finish()
    if embedded_file(settings).exists():
        return
    write_master(file)
    hint = "the new database cannot be read without this key; keep a copy of the file apart from the backups"
    _log.warning("encryption.key_created", file=str(file), hint=hint)
