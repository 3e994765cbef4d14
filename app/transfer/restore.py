"""Restore of a backup, in place of the embedded database."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.database import sqlite_files
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.database.file_lock import Occupancy
from app.disk import rename, sync_folder, sync_tree
from app.errors import ArcidError, FileUnusable, SchemaOutdated
from app.gallery.store import uids
from app.jobs.progress import Progress
from app.transfer import temporary_files as scratch
from app.transfer.backup import CALIBRATIONS, DATABASE, Backup, is_member, read_manifest
from app.transfer.restore_carryover import CarriedOver, carry_over
from app.transfer.zip_files import Reading, reading

_INDEX = "index"
_PREFIX = ".restore-"
_BEFORE, _CALIBRATIONS_BEFORE, _KEPT = "before.db", "calibrations-before", "keep-old"
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore. `old`: where the previous database was kept, or None."""

    backup: Backup
    collections: int
    old: Path | None
    carried: CarriedOver


@dataclass(frozen=True, slots=True)
class Restore:
    """Restores a backup to a database file, and to the data folder with its indexes and calibrations."""

    database: Path
    data_dir: Path
    migrations: Path

    def run(
        self, path: Path, progress: Progress, *, is_old_kept: bool = False, are_keys_kept: bool = False
    ) -> Restored:
        """Replace the database with a backup; the backup is checked completely before anything is replaced.

        The schema is upgraded, and collections get new uids, so that no earlier index matches. Revocations, erasures
        and withdrawn consent since the backup are carried over (see `restore_carryover`). The old database is set aside
        until the end, or kept. `finish` completes a restore that was killed during the replacement. Progress counts in
        percent. Raises DatabaseInUse, FileUnusable, a child of ArchiveRefused, or SchemaOutdated if the backup is of a
        later version.
        """
        held = Occupancy.alone(self.database)
        try:
            self._finish_if_begun()
            with reading(path, is_member) as archive, self._folder() as folder:
                backup = read_manifest(archive)
                size = sum(each.size for each in backup.members.values())
                archive.verify(backup.members, lambda done: progress.advance(50 * done // max(size, 1), total=100))
                for name in backup.members:
                    _unpack(archive, name, folder / name)
                progress.advance(70, total=100)
                collections, carried = self._prepare(folder / DATABASE, backup, are_keys_kept=are_keys_kept)
                progress.advance(90, total=100)
                old = self._swap(folder, is_old_kept=is_old_kept)
            progress.advance(100, total=100)
            return Restored(backup, collections, old, carried)
        except OSError as error:
            raise FileUnusable("the backup could not be restored; the database is unchanged", str(error)) from error
        finally:
            held.release()

    def finish(self) -> None:
        """Complete a restore that was killed during the replacement, and delete leftovers of other killed restores.

        Call this before opening the database. Raises DatabaseInUse during a restore, or FileUnusable.
        """
        scratch.sweep(self.database.parent, _PREFIX)
        try:
            if not self._begun.exists():
                return
        except OSError:  # without access to the folder, no database can be opened in it
            return
        held = Occupancy.alone(self.database)
        try:
            self._finish_if_begun()
        except OSError as error:
            raise FileUnusable(
                f"a restore was interrupted and cannot be completed; {self._begun} contains the files to restore",
                str(error),
            ) from error
        finally:
            held.release()

    def _finish_if_begun(self) -> None:
        if self._begun.exists():
            self._finish()

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with scratch.new_folder(self.database.parent, _PREFIX) as folder:
            yield folder

    def _prepare(self, new: Path, backup: Backup, *, are_keys_kept: bool) -> tuple[int, CarriedOver]:
        """Upgrade the backup's database and give its collections new uids; return the number of collections."""
        sqlite_files.check(new)
        with Database(sqlite_url(new), self.migrations) as database:
            if not database.schema.is_known(database.schema.current()):
                raise SchemaOutdated(
                    f"the backup is at revision {backup.revision}, this version knows up to {database.schema.head()}; "
                    f"restore it with ArcID {backup.arcid_version} or later"
                )
            database.schema.upgrade()
            with self._replaced(new.with_name("replaced.db")) as old:
                carried = carry_over(old, database.engine, are_keys_kept=are_keys_kept)
            collections = len(uids.renew(database.engine, restored_from=f"backup of {backup.created_at.isoformat()}"))
        sqlite_files.fold(new)
        return collections, carried

    @contextmanager
    def _replaced(self, copy: Path) -> Iterator[Engine | None]:
        """Open a copy of the database that is replaced, upgraded to the current schema; None if it is unreadable."""
        try:
            sqlite_files.check(self.database)
            sqlite_files.copy(self.database, copy, lambda *_: None)
            old = Database(sqlite_url(copy), self.migrations)
            old.schema.upgrade()
        except (ArcidError, SQLAlchemyError):
            yield None
            return
        with old:
            yield old.engine

    def _swap(self, folder: Path, *, is_old_kept: bool) -> Path | None:
        """Put all files in place. A failure undoes everything; if the process is killed, `finish` completes it."""
        (folder / CALIBRATIONS).mkdir(exist_ok=True)
        if is_old_kept:
            (folder / _KEPT).touch()
        sync_tree(folder)
        rename(folder, self._begun)
        try:
            return self._finish()
        except BaseException:
            self._undo()
            raise

    @property
    def _begun(self) -> Path:
        """Return the folder that exists from the start of the replacement until its end."""
        return self.database.with_name(f"{self.database.name}.restoring")

    def _finish(self) -> Path | None:
        """Put the files in `_begun` in place, whatever part was done before; return the path of the old database."""
        begun, calibrations = self._begun, self.data_dir / CALIBRATIONS
        before, calibrations_before = begun / _BEFORE, begun / _CALIBRATIONS_BEFORE
        sqlite_files.replace(self.database, begun / DATABASE, before)
        if calibrations_before.exists():
            shutil.rmtree(calibrations, ignore_errors=True)  # may be incomplete
        elif calibrations.exists():
            _move(calibrations, calibrations_before)
        shutil.copytree(begun / CALIBRATIONS, calibrations)
        sync_tree(calibrations)
        sync_folder(self.data_dir)
        # From here on, the restored database is in use. Delete indexes of collections that no longer exist.
        shutil.rmtree(self.data_dir / _INDEX, ignore_errors=True)
        is_kept = (begun / _KEPT).exists() and before.exists()
        old = sqlite_files.keep(before, self.database) if is_kept else None
        scratch.discard(begun, _PREFIX)
        return old

    def _undo(self) -> None:
        begun, calibrations = self._begun, self.data_dir / CALIBRATIONS
        if not begun.exists():  # only the deletion of leftovers was missing
            return
        sqlite_files.put_back(self.database, begun / DATABASE, begun / _BEFORE)
        if (begun / _CALIBRATIONS_BEFORE).exists():
            shutil.rmtree(calibrations, ignore_errors=True)
            _move(begun / _CALIBRATIONS_BEFORE, calibrations)
        scratch.discard(begun, _PREFIX)


def _move(folder: Path, target: Path) -> None:
    """Move a folder, perhaps to another file system; a power failure does not undo it."""
    shutil.move(folder, target)
    sync_tree(target)
    sync_folder(target.parent)
    sync_folder(folder.parent)


def _unpack(archive: Reading, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.member(name) as stream, path.open("xb") as file:
        shutil.copyfileobj(stream, file, _READ_AT_ONCE)
