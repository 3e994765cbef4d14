from datetime import UTC, datetime, timedelta

import pytest

from app.access.trail import Trail
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.errors import ArchiveDamaged, BackupImpossible, BackupUnknown
from app.transfer import backup_folder
from app.transfer.backup import back_up
from app.transfer.backup_folder import BackupFolder
from tests.databases import MIGRATIONS
from tests.transfer.fakes import Recorded


@pytest.fixture
def database(tmp_path):
    with Database(sqlite_url(tmp_path / "arcid.db"), MIGRATIONS) as database:
        database.schema.upgrade()
        yield database


@pytest.fixture
def backups(database, tmp_path):
    return BackupFolder(database, tmp_path, tmp_path / "backups", keep=3)


def names_of(days):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [f"arcid-{start + timedelta(days=day):%Y%m%dT%H%M%SZ}.backup" for day in range(days)]


def test_without_a_folder_there_are_none(backups):
    assert backups.all() == []


def test_a_backup_is_written_and_listed(backups, database):
    name = backups.new_name()
    written = backups.write(name, Recorded())
    assert backups.all() == [written]
    path = backups.folder / name
    assert (written.name, written.size) == (name, path.stat().st_size)
    assert abs(written.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert written.revision == database.schema.head()
    assert path.stat().st_mode & 0o077 == backups.folder.stat().st_mode & 0o077 == 0


def test_the_newest_are_kept_and_listed_first(backups):
    names = names_of(5)
    for each in names:
        backups.write(each, Recorded())
    assert [each.name for each in backups.all()] == names[:1:-1]


def test_other_files_are_left_alone(backups):
    backups.folder.mkdir()
    for name in ("notes.txt", "mine.backup", "arcid-2026.backup", ".arcid-20200101T000000Z.backup"):
        (backups.folder / name).write_text("mine")
    (backups.folder / "arcid-20200101T000000Z.backup").symlink_to(backups.folder / "notes.txt")
    for each in names_of(4):
        backups.write(each, Recorded())
    assert len(list(backups.folder.iterdir())) == 5 + 3
    assert len(backups.all()) == 3


def test_a_damaged_file_is_listed_without_its_content(backups):
    (name,) = names_of(1)
    backups.folder.mkdir()
    (backups.folder / name).write_bytes(b"PK nonsense")
    (found,) = backups.all()
    assert (found.name, found.size, found.revision, found.arcid_version) == (name, 11, None, None)
    assert found.created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_backup_that_is_damaged_on_the_disk_is_not_kept(backups, monkeypatch):
    def damaging(database, data_dir, path, progress):
        made = back_up(database, data_dir, path, progress)
        content = bytearray(path.read_bytes())
        content[200] ^= 0xFF
        path.write_bytes(content)
        return made

    monkeypatch.setattr(backup_folder, "back_up", damaging)
    with pytest.raises(ArchiveDamaged):
        backups.write(backups.new_name(), Recorded())
    assert backups.all() == []


@pytest.mark.parametrize("name", ["nothing", "../arcid.db", "arcid-20260101T000000Z.backup", ""])
def test_what_is_no_backup(backups, name):
    for method in (backups.fetch, backups.delete):
        with pytest.raises(BackupUnknown):
            method(name)


def test_downloads_and_deletions_are_recorded(backups, database):
    name = backups.new_name()
    backups.write(name, Recorded())
    assert backups.fetch(name) == backups.folder / name
    backups.delete(name)
    assert backups.all() == []
    lines = [(each.entry.action, each.entry.subject) for each in Trail(database.engine).lines()]
    assert lines == [
        ("database.backed_up", None),
        ("database.backup_downloaded", name),
        ("database.backup_deleted", name),
    ]


def test_another_database_is_refused_before_a_job_is_created(tmp_path):
    url = "postgresql://nobody@localhost:1/nothing"
    with Database(url, MIGRATIONS) as database, pytest.raises(BackupImpossible, match="pg_dump"):
        BackupFolder(database, tmp_path, tmp_path, keep=1).new_name()
