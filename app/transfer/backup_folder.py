"""The folder of backups that jobs write, list and delete."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.database import audit, sqlite_files
from app.database.audit import Action
from app.database.connection import Database
from app.disk import delete, make_folder
from app.errors import ArchiveRefused, BackupUnknown, FileUnusable
from app.jobs.progress import Progress
from app.observability.logs import get_logger
from app.transfer.backup import back_up, is_member, read_manifest
from app.transfer.zip_files import reading

_log = get_logger(__name__)
_NAME = re.compile(r"arcid-([0-9]{8}T[0-9]{6}Z)\.backup")
_FORM = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A backup in the folder. Version and schema's revision are None if the file is not readable."""

    name: str
    size: int
    created_at: datetime
    arcid_version: str | None = None
    revision: str | None = None


class BackupFolder:
    """Writes backups of the embedded database to a folder and keeps the newest ones.

    Only files with the names of `new_name` count; all others in the folder are left alone.
    """

    def __init__(self, database: Database, data_dir: Path, folder: Path, *, keep: int) -> None:
        self.folder = folder
        self._database = database
        self._data_dir = data_dir
        self._keep = keep

    def new_name(self) -> str:
        """Return the name of a backup that starts now; raises BackupImpossible for other databases."""
        sqlite_files.sqlite_file(str(self._database.engine.url))
        return f"arcid-{datetime.now(UTC).strftime(_FORM)}.backup"

    def write(self, name: str, progress: Progress) -> StoredBackup:
        """Write a backup, check it, and delete the oldest ones.

        Raises as `back_up`, and a child of ArchiveRefused if the written file is damaged.
        """
        make_folder(self.folder, 0o700)
        path = self.folder / name
        backup = back_up(self._database, self._data_dir, path, progress)
        try:
            with reading(path, is_member) as archive:
                archive.verify(backup.members)
        except ArchiveRefused:
            delete(path)
            raise
        for old in self.all()[self._keep :]:
            delete(self.folder / old.name)
            _log.info("backup.deleted", backup=old.name, kept=self._keep)
        return _stored(path)

    def all(self) -> list[StoredBackup]:
        """Return all backups, newest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        paths = [each for each in found if _NAME.fullmatch(each.name) and each.is_file() and not each.is_symlink()]
        return [_stored(each) for each in sorted(paths, reverse=True)]

    def fetch(self, name: str) -> Path:
        """Return the file of a backup, and record in the audit trail that it was downloaded; raises BackupUnknown."""
        path = self._path(name)
        self._record(Action.DATABASE_BACKUP_DOWNLOADED, name)
        return path

    def delete(self, name: str) -> None:
        """Delete a backup; raises BackupUnknown."""
        path = self._path(name)
        self._record(Action.DATABASE_BACKUP_DELETED, name)
        delete(path)

    def _path(self, name: str) -> Path:
        if name not in {each.name for each in self.all()}:
            raise BackupUnknown(f"no backup has the name {name!r}")
        return self.folder / name

    def _record(self, action: Action, name: str) -> None:
        with self._database.engine.begin() as connection:
            audit.append(connection, action, subject=name)


def _stored(path: Path) -> StoredBackup:
    match = _NAME.fullmatch(path.name)
    assert match is not None  # noqa: S101 - callers have checked it
    created_at = datetime.strptime(match[1], _FORM).replace(tzinfo=UTC)
    try:
        with reading(path, is_member) as archive:
            backup = read_manifest(archive)
    except (ArchiveRefused, FileUnusable):
        return StoredBackup(path.name, path.stat().st_size, created_at)
    return StoredBackup(path.name, path.stat().st_size, created_at, backup.arcid_version, backup.revision)
