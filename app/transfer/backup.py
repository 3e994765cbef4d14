"""Backup of the embedded database and its calibrations to one file, while the service runs."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from app import __version__
from app.database import audit, sqlite_files
from app.database.audit import Action
from app.database.connection import Database
from app.errors import ArchiveInvalid, DatabaseUnavailable
from app.jobs.progress import Progress
from app.transfer import temporary_files as scratch
from app.transfer.zip_files import ArchiveSchema, Member, Reading, writing

FORMAT, VERSION = "arcid-backup", 1
DATABASE = "arcid.db"
CALIBRATIONS = "calibrations"
_CALIBRATION = re.compile(CALIBRATIONS + r"/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,120}\.json")


class Backup(ArchiveSchema):
    """The content of manifest.json. `revision` is the schema's revision."""

    format: Literal["arcid-backup"]
    format_version: Literal[1]
    arcid_version: str
    created_at: AwareDatetime
    revision: str = Field(pattern=r"^[0-9A-Za-z_]{1,64}$")
    members: dict[str, Member]


def is_member(name: str) -> bool:
    """Return whether a backup may have a member of this name."""
    return name == DATABASE or _CALIBRATION.fullmatch(name) is not None


def read_manifest(archive: Reading) -> Backup:
    """Return the content of manifest.json; raises ArchiveInvalid, or another child of ArchiveRefused."""
    data, _ = archive.manifest(format_name=FORMAT, version=VERSION)
    try:
        backup = Backup.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ArchiveInvalid(f"manifest.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if DATABASE not in backup.members:
        raise ArchiveInvalid("it has no database")
    return backup


def back_up(database: Database, data_dir: Path, path: Path, progress: Progress) -> Backup:
    """Write a backup to a new file, readable only by its owner; it gets the name `path` when it is complete.

    Needs disk space next to `path` for twice the size of the database. Progress counts in percent. The backup is
    recorded in the audit trail first, so that it contains its own record. Raises BackupImpossible, DatabaseUnavailable
    or FileUnusable.
    """
    source = sqlite_files.sqlite_file(str(database.engine.url))
    if not source.is_file():
        raise DatabaseUnavailable(f"{source} does not exist")
    database.schema.require_current()
    with database.engine.begin() as connection:
        audit.append(connection, Action.DATABASE_BACKED_UP)
    with writing(path) as archive, scratch.new_folder(path.parent, ".backup-") as folder:
        copied = folder / DATABASE
        sqlite_files.copy(source, copied, _part_of(progress, 0, 50))
        sqlite_files.check(copied)
        size = copied.stat().st_size
        packed = _part_of(progress, 50, 100)
        archive.file(DATABASE, copied, lambda done: packed(done, size))
        for name, calibration in _calibrations(data_dir):
            archive.file(name, calibration)
        backup = Backup(
            format="arcid-backup",
            format_version=1,
            arcid_version=__version__,
            created_at=datetime.now(UTC),
            revision=database.schema.current(),
            members=archive.members,
        )
        archive.manifest(backup)
    progress.advance(100, total=100)
    return backup


def _calibrations(data_dir: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((data_dir / CALIBRATIONS).glob("*/*.json")):
        name = path.relative_to(data_dir).as_posix()
        if is_member(name) and path.is_file():
            yield name, path


def _part_of(progress: Progress, first: int, last: int) -> Callable[[int, int], None]:
    """Return a callback that reports a part of the work to `progress`, as percent from `first` to `last`."""
    return lambda done, total: progress.advance(first + (last - first) * done // max(total, 1), total=100)
