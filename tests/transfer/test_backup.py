"""Backup while others write, and restore of what was backed up."""

import os
import signal
import sqlite3
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.access.key_store import KeyStore
from app.access.keys import NewKey, NewSession, Scope
from app.access.sessions import SessionStore
from app.access.trail import Trail
from app.config import PROJECT
from app.database.connection import Database
from app.database.engine import open_engine, sqlite_url
from app.database.file_lock import Occupancy
from app.errors import (
    ArchiveDamaged,
    ArchiveInvalid,
    BackupImpossible,
    DatabaseInUse,
    FileUnusable,
    SchemaOutdated,
)
from app.gallery.store import uids
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.listing import ListingRepository
from app.gallery.store.records import PersonChange
from app.gallery.store.values import Consent
from app.transfer.backup import back_up
from app.transfer.restore import Restore
from app.transfer.restore_carryover import CarriedOver
from tests.databases import MIGRATIONS, migrate
from tests.transfer.fakes import Recorded, Stopped, fill, units

WRITER = """
import sys
from pathlib import Path
import numpy as np
from app.database.engine import open_engine, sqlite_url
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Person
from tests.transfer.fakes import units
from tests.gallery.store.enrolling import new_face
from dataclasses import replace
store = IdentityStore(open_engine(sqlite_url(Path(sys.argv[1]))))
people = store.collection("people")
number = 0
while True:
    number += 1
    face = replace(new_face(units(1, seed=number)[0]), face_id=f"w{number}")
    store.enroll(people, Person(f"w{number}"), [face])
    print(number, flush=True)
"""

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from app.database.connection import Database
from app.database.engine import sqlite_url
from app.transfer.backup import back_up
from app.transfer.restore import Restore
from tests.databases import MIGRATIONS
from tests.transfer.fakes import Recorded
what, home, path, kills = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), map(int, sys.argv[4:])
def work(own):
    if what == "restore":
        return Restore(own / "arcid.db", own, MIGRATIONS).run(path, Recorded())
    with Database(sqlite_url(own / "arcid.db"), MIGRATIONS) as database:
        return back_up(database, own, path, Recorded())
for kill in kills:
    own = home.with_name(f"home{kill}")
    shutil.copytree(home, own)
    if (child := os.fork()) == 0:
        left = kill
        def hook(event, arguments):
            global left
            if event in {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir"}:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        work(own)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        print("ended", flush=True)
        break
    assert code == -signal.SIGKILL, code
"""


@pytest.fixture
def home(tmp_path):
    """A data folder with a database of 60 faces, a calibration and an index."""
    folder = tmp_path / "home"
    (folder / "calibrations" / "people").mkdir(parents=True)
    (folder / "calibrations" / "people" / "abc-plain.json").write_text("{}")
    (folder / "index" / "old").mkdir(parents=True)
    migrate(sqlite_url(folder / "arcid.db"))
    with database(folder) as opened:
        fill(opened.engine)
    return folder


@pytest.fixture
def backup(home, tmp_path):
    """A backup of it."""
    with database(home) as opened:
        back_up(opened, home, tmp_path / "b.arcid", Recorded())
    return tmp_path / "b.arcid"


def database(folder) -> Database:
    return Database(sqlite_url(folder / "arcid.db"), MIGRATIONS)


def restore(folder, path, **more):
    return Restore(folder / "arcid.db", folder, MIGRATIONS).run(path, Recorded(), **more)


def test_there_and_back(home, backup, tmp_path):
    with database(home) as opened:
        store = IdentityStore(opened.engine)
        before = store.collection("people")
        store.remove_identity(before, "p1-0")
        (home / "calibrations" / "people" / "abc-plain.json").write_text("changed")
        (home / "calibrations" / "people" / "later.json").write_text("{}")
    done = restore(home, backup)
    assert (done.collections, done.old) == (1, None)
    assert sorted(each.name for each in home.iterdir()) == ["arcid.db", "arcid.db.lock", "calibrations"]
    assert [each.name for each in (home / "calibrations" / "people").iterdir()] == ["abc-plain.json"]
    assert (home / "calibrations" / "people" / "abc-plain.json").read_text() == "{}"
    with database(home) as opened:
        after = IdentityStore(opened.engine).collection("people")
        # People erased since the backup stay erased.
        assert (after.faces, after.identities, after.revision) == (57, 19, before.revision + 1)
        assert after.uid != before.uid
        actions = [line.entry.action for line in Trail(opened.engine).lines()]
        assert actions[-3:] == ["database.backed_up", "identity.deleted", "database.restored"]
        assert not Trail(opened.engine).verify().breaks


def test_what_was_taken_back_since_stays_taken_back(home, tmp_path):
    with database(home) as opened:
        keys, store = KeyStore(opened.engine), IdentityStore(opened.engine)
        for name in ("kept", "revoked", "bounded"):
            keys.create(NewKey(name, frozenset({Scope.RECOGNISE})))
        SessionStore(opened.engine).start(NewSession("1", "ada", frozenset({Scope.ADMIN})), timedelta(hours=1))
        people = store.collection("people")
        given = Consent("consent", datetime(2026, 1, 1, tzinfo=UTC))
        change = PersonChange(has_consent=True, consent=given)
        EditingRepository(opened.engine).change(people, "p3-0", change)
        back_up(opened, home, tmp_path / "b", Recorded())
        keys.create(NewKey("later", frozenset({Scope.RECOGNISE})))
        keys.revoke("revoked")
        with opened.engine.begin() as connection:
            connection.execute(text("UPDATE api_keys SET rate = '5/minute' WHERE name = 'bounded'"))
        EditingRepository(opened.engine).change(people, "p3-0", PersonChange(has_consent=True, consent=None))
        store.remove_identity(people, "p1-0")
        EditingRepository(opened.engine).merge(people, "p2-0", "p4-0")
        store.remove_identity(people, "p4-0")
    done = restore(home, tmp_path / "b")
    assert done.carried == CarriedOver(revoked=1, erased=3, terms=1, has_followed=True)
    with database(home) as opened:
        valid = {each.name: each.rate for each in KeyStore(opened.engine).all() if each.revoked_at is None}
        assert list(valid) == ["kept", "bounded"]
        assert str(valid["bounded"]) == "5/minute"
        assert not SessionStore(opened.engine).all()
        listing = ListingRepository(opened.engine)
        people = IdentityStore(opened.engine).collection("people")
        ids = {each.identity_id for each in listing.identities(people, after=0, limit=100).items}
        assert not ids & {"p1-0", "p2-0", "p4-0"}
        assert listing.identity(people, "p3-0").consent is None
        assert not Trail(opened.engine).verify().breaks
    # In an empty folder nobody vouches for a key.
    done = restore(tmp_path / "new", tmp_path / "b")
    assert done.carried == CarriedOver(revoked=3, erased=0, terms=0, has_followed=False)
    assert restore(tmp_path / "more", tmp_path / "b", are_keys_kept=True).carried.revoked == 0


def test_into_an_empty_folder(backup, tmp_path):
    (tmp_path / "new").mkdir()
    assert restore(tmp_path / "new", backup).old is None
    with database(tmp_path / "new") as opened:
        assert IdentityStore(opened.engine).collection("people").faces == 60


def test_the_old_database_may_be_kept(home, backup):
    old = restore(home, backup, is_old_kept=True).old
    assert old is not None
    assert sqlite3.connect(old).execute("SELECT count(*) FROM faces").fetchone() == (60,)


def test_a_backup_while_another_process_enrolls(home, tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home / "arcid.db")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert writer.stdout is not None
    try:
        acknowledged = int(writer.stdout.readline())
        with database(home) as opened:
            for number in range(3):
                back_up(opened, home, tmp_path / f"{number}", Recorded())
        last = int(writer.stdout.readline())
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert last > acknowledged
    counts = []
    for number in range(3):
        folder = tmp_path / f"home{number}"
        folder.mkdir()
        restore(folder, tmp_path / f"{number}")
        with database(folder) as opened:
            store = IdentityStore(opened.engine)
            people = store.collection("people")
            assert people.faces == store.face_count(people) == 60 + people.identities - 20
            assert people.revision == 1 + people.faces - 60
            assert not Trail(opened.engine).verify().breaks
            counts.append(people.faces)
    assert 60 + acknowledged <= counts[0] <= counts[1] <= counts[2]


def test_a_copy_is_of_one_moment_however_long_it_takes(home, tmp_path, monkeypatch):
    monkeypatch.setattr("app.database.sqlite_files._PAGES_AT_ONCE", 5)

    class Busy(Recorded):
        def advance(self, done, *, total=None, checkpoint=None):
            super().advance(done, total=total, checkpoint=checkpoint)
            if len(self.said) < 8:
                with database(home) as other:
                    fill(other.engine, f"c{len(self.said)}", seed=len(self.said))

    with database(home) as opened:
        back_up(opened, home, tmp_path / "b", Busy())
    restore(home, tmp_path / "b")
    with database(home) as opened:
        assert [each.name for each in IdentityStore(opened.engine).collections()] == ["people"]


def test_what_was_erased_before_is_in_no_backup(home, tmp_path):
    with database(home) as opened:
        store = IdentityStore(opened.engine)
        store.remove_identity(store.collection("people"), "p0-0")
        back_up(opened, home, tmp_path / "b", Recorded())
    with zipfile.ZipFile(tmp_path / "b") as archive:
        data = archive.read("arcid.db")
    assert units(60)[5].tobytes() in data
    assert not any(units(60)[row].tobytes() in data for row in range(3))


def test_a_backup_that_is_stopped_leaves_nothing(home, tmp_path):
    with database(home) as opened, pytest.raises(Stopped):
        back_up(opened, home, tmp_path / "b", Recorded(stop_after=0))
    assert [each.name for each in tmp_path.iterdir()] == ["home"]


# Killed


def killed(what, home, path, kills) -> bool:
    """Back up or restore copies of `home`, each killed at another change of the folders; say whether the last ended."""
    command = [sys.executable, "-c", KILLED, what, str(home), str(path), *map(str, kills)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout == "ended\n"


def test_a_restore_that_is_killed_leaves_the_old_or_the_new_and_nothing_else(home, backup, tmp_path):
    calibration = Path("calibrations", "people", "abc-plain.json")
    with database(home) as opened:
        fill(opened.engine, "later", seed=1)
    (home / calibration).write_text("later")
    assert killed("restore", home, backup, range(1, 100))
    found = set()
    for mine in tmp_path.glob("home[0-9]*"):
        Restore(mine / "arcid.db", mine, MIGRATIONS).finish()
        with database(mine) as opened:
            collections = len(IdentityStore(opened.engine).collections())
        found.add((collections, (mine / calibration).read_text()))
        assert {each.name for each in mine.iterdir()} <= {"arcid.db", "arcid.db.lock", "calibrations", "index"}
    assert found == {(2, "later"), (1, "{}")}


def test_what_a_backup_that_was_killed_left_is_deleted_by_the_next(home, tmp_path):
    path = tmp_path / "backups" / "b"
    path.parent.mkdir()
    others = path.with_name(".b-others")
    others.touch()
    assert not killed("backup", home, path, [3])
    assert any(each.is_dir() for each in path.parent.iterdir())
    assert not path.exists()
    with database(home) as opened:
        back_up(opened, home, path, Recorded())
    assert set(path.parent.iterdir()) == {path, others}


# Refusals


def test_a_service_keeps_a_restore_out(home, backup):
    with database(home) as service:
        service.occupy()
        with pytest.raises(DatabaseInUse):
            restore(home, backup)
    restore(home, backup)


def test_whoever_has_the_database_open_keeps_a_restore_out(home, backup):
    engine = open_engine(sqlite_url(home / "arcid.db"))
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM faces").all()
        with pytest.raises(DatabaseInUse):
            restore(home, backup)
    engine.dispose()
    assert (home / "index" / "old").exists()


def test_a_restore_keeps_a_service_out(home):
    held = Occupancy.alone(home / "arcid.db")
    with database(home) as service, pytest.raises(DatabaseInUse):
        service.occupy()
    held.release()


def changed(path, edit):
    """Rewrite an archive with an edited database; checksums stay the same unless `edit` returns a manifest."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    edit(parts)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_a_damaged_backup(home, backup):
    def flip(parts):
        data = bytearray(parts["arcid.db"])
        data[5000] ^= 1
        parts["arcid.db"] = bytes(data)

    changed(backup, flip)
    with pytest.raises(ArchiveDamaged):
        restore(home, backup)
    with database(home) as opened:
        assert IdentityStore(opened.engine).collection("people").faces == 60
    assert (home / "index" / "old").exists()


@pytest.mark.parametrize("name", ["../evil.json", "calibrations/../../evil.json", "/evil", "calibrations/a/b.txt"])
def test_names_that_do_not_belong_there(home, backup, name):
    changed(backup, lambda parts: parts.update({name: b"{}"}))
    with pytest.raises(ArchiveInvalid):
        restore(home, backup)


def test_a_backup_of_a_later_version(home, tmp_path, monkeypatch):
    with sqlite3.connect(home / "arcid.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with database(home) as opened:
        monkeypatch.setattr(opened.schema, "require_current", lambda: None)  # as the later version would find it
        back_up(opened, home, tmp_path / "later", Recorded())
    with pytest.raises(SchemaOutdated, match="9999"):
        restore(home, tmp_path / "later")


def test_files_that_are_no_backups(home, tmp_path):
    with pytest.raises(FileUnusable):
        restore(home, tmp_path / "nowhere")
    (tmp_path / "text").write_text("no backup")
    with pytest.raises(ArchiveInvalid):
        restore(home, tmp_path / "text")


def test_a_database_so_damaged_that_it_cannot_be_read_is_replaced(home, backup):
    (home / "arcid.db").write_bytes(b"no database" * 100)
    (home / "arcid.db-wal").write_bytes(b"no log")
    restore(home, backup)
    assert not (home / "arcid.db-wal").exists()
    with database(home) as opened:
        assert IdentityStore(opened.engine).collection("people").faces == 60


def test_a_swap_that_fails_leaves_everything_as_it_was(home, backup, monkeypatch):
    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr("app.transfer.restore.shutil.move", fail)
    with database(home) as opened:
        store = IdentityStore(opened.engine)
        store.remove_identity(store.collection("people"), "p1-0")
    with pytest.raises(FileUnusable):
        restore(home, backup)
    with database(home) as opened:
        assert IdentityStore(opened.engine).collection("people").faces == 57
    assert (home / "calibrations" / "people" / "abc-plain.json").exists()


def test_another_database_is_told_what_to_run():
    opened = Database("postgresql://arcid:secret@db/arcid", MIGRATIONS)
    with pytest.raises(BackupImpossible, match="pg_dump --format=custom") as caught:
        back_up(opened, PROJECT, PROJECT / "nothing", Recorded())
    assert "secret" not in str(caught.value)


def test_new_uids(engine):
    before = [fill(engine, name, seed=number).uid for number, name in enumerate(("one", "two"))]
    assert uids.renew(engine, restored_from="test") == before
    after = [each.uid for each in IdentityStore(engine).collections()]
    assert not set(after) & set(before)
