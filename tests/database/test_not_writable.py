"""An SQLite file on a full disk, read-only or locked: domain errors, and no acknowledged write is lost."""

import sqlite3
import subprocess
from contextlib import contextmanager

import pytest

from app.database import engine as engine_module
from app.database.engine import open_engine, sqlite_url
from app.database.table_types import Base
from app.errors import DatabaseNotWritable, DatabaseUnavailable
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection
from tests.database.enrolling import enroll


@contextmanager
def file_store(path):
    engine = open_engine(sqlite_url(path))
    Base.metadata.create_all(engine)
    try:
        yield engine, IdentityStore(engine)
    finally:
        engine.dispose()


def enroll_until_refused(store: IdentityStore, people: Collection) -> tuple[int, DatabaseNotWritable]:
    """Return how many were acknowledged before the first that was refused."""
    for number in range(100_000):
        try:
            enroll(store, people, number)
        except DatabaseNotWritable as error:
            return number, error
    pytest.fail("the disk was never full")


def test_a_full_disk_by_quota(tmp_path):
    with file_store(tmp_path / "arcid.db") as (engine, store):
        people = store.create_collection("people", model="net", dimension=512)
        with engine.connect() as connection:
            (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 40}")
        acknowledged, error = enroll_until_refused(store, people)
        assert "disk is full; make room" in str(error)
        assert acknowledged > 0
        assert store.collection("people").faces == store.face_count(people) == acknowledged
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        enroll(store, people, acknowledged)
        assert store.face_count(people) == acknowledged + 1


@pytest.fixture
def small_disk(disk):
    """A file system of one megabyte."""
    return disk(1)


def test_a_full_disk(small_disk):
    """Reads continue, and no acknowledged write is lost. With space again, all works as before, and after a restart."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    with file_store(small_disk / "arcid.db") as (_, store):
        people = store.create_collection("people", model="net", dimension=512)
        acknowledged, error = enroll_until_refused(store, people)
        assert "disk is full; make room" in str(error)
        assert "full" in error.reason
        assert acknowledged > 0
        assert store.face_count(people) == acknowledged
        ballast.unlink()
        enroll(store, people, acknowledged)
    with file_store(small_disk / "arcid.db") as (engine, store):
        assert store.face_count(people) == store.collection("people").faces == acknowledged + 1
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_file_system_that_became_read_only(disk):
    small_disk = disk(4)
    with file_store(small_disk / "arcid.db") as (_, store):
        people = store.create_collection("people", model="net", dimension=512)
        enroll(store, people, 1)
    remount = ["/bin/mount", "-o"]
    subprocess.run([*remount, "remount,ro", small_disk], check=True)
    engine = open_engine(sqlite_url(small_disk / "arcid.db"))
    with pytest.raises(DatabaseNotWritable, match="writable for the user"):
        enroll(IdentityStore(engine), people, 2)
    subprocess.run([*remount, "remount,rw", small_disk], check=True)
    enroll(IdentityStore(engine), people, 2)
    assert IdentityStore(engine).face_count(people) == 2
    engine.dispose()


def test_a_file_opened_for_reading_only(tmp_path):
    path = tmp_path / "arcid.db"
    with file_store(path) as (_, store):
        people = store.create_collection("people", model="net", dimension=512)
    engine = open_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(DatabaseNotWritable, match="writable for the user"):
        enroll(IdentityStore(engine), people, 1)
    engine.dispose()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DatabaseNotWritable, match="folder") as caught:
        open_engine(sqlite_url(tmp_path / "file" / "arcid.db"))
    assert str(tmp_path) in caught.value.reason


def test_a_file_that_cannot_be_opened(tmp_path):
    (tmp_path / "arcid.db").mkdir()
    engine = open_engine(sqlite_url(tmp_path / "arcid.db"))
    with pytest.raises(DatabaseNotWritable, match="cannot be opened"):
        engine.connect()
    engine.dispose()


def test_a_file_that_another_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_MS", 20)
    with file_store(tmp_path / "arcid.db") as (engine, store):
        people = store.create_collection("people", model="net", dimension=512)
        other = sqlite3.connect(tmp_path / "arcid.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            enroll(store, people, 1)
        assert store.collection("people") == people  # readers do not wait
        other.execute("ROLLBACK")
        other.close()
        enroll(store, people, 1)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 20
