import time

import pytest
from sqlalchemy import text

from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.cipher import encoded
from app.database.master_key_file import read_master, write_master
from app.errors import MasterKeyInvalid, MasterKeyMissing, MasterKeyWrong, PlainIndexRefused, StorageNotWritable
from app.gallery.store.identities import IdentityStore
from app.wiring.projections import Projections, snapshot_folder
from app.wiring.storage import open_database
from tests.disks import fill
from tests.gallery.store.enrolling import enroll


@pytest.fixture
def open_with(tmp_path):
    def open_with(**settings):
        made = read_settings(data_dir=tmp_path, **settings)
        prepare_database(made)
        return made

    return open_with


def test_a_master_key_is_written_for_its_owner_only(tmp_path):
    path = tmp_path / "master.key"
    assert write_master(path).fingerprint == read_master(path).fingerprint
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(MasterKeyInvalid):
        write_master(path)
    with pytest.raises(MasterKeyInvalid):
        read_master(tmp_path / "nothing")


def test_a_master_key_is_complete_or_missing(disk):
    folder = disk(1)
    ballast = fill(folder)
    path = folder / "master.key"
    with pytest.raises(StorageNotWritable, match="full"):
        write_master(path)
    assert [each.name for each in folder.iterdir()] == [ballast.name]
    ballast.unlink()
    assert write_master(path).fingerprint == read_master(path).fingerprint


def test_a_start_needs_the_master_key(open_with):
    _ = Container(open_with(encryption={"key": encoded(b"1" * 32)})).store
    with pytest.raises(MasterKeyMissing):
        _ = Container(open_with()).store
    with pytest.raises(MasterKeyWrong):
        _ = Container(open_with(encryption={"key": encoded(b"2" * 32)})).store
    with pytest.raises(MasterKeyInvalid):
        _ = Container(open_with(encryption={"key": "short"})).store


def test_snapshots_in_plain_go_when_encryption_is_turned_on(open_with):
    store = Container(open_with(encryption={"own_key": False})).store
    people = store.create_collection("people", model="net", dimension=4)
    enroll(store, people, "ada", 3)
    for number, encryption in enumerate([{"own_key": False}, {"key": encoded(b"1" * 32)}]):
        settings = open_with(encryption=encryption)
        with open_database(settings) as database:
            database.require_current()
            projections = Projections(settings, database)
            projections.purge_plain()
            folder = snapshot_folder(settings, people)
            assert not list(folder.glob("*.segment")) or not number
            projection = projections.new(people)
            projection.open()
            projection.save()
            assert projection.index.count() == 3
            assert len(list(folder.glob("*.segment"))) == 1


def test_milvus_is_refused_unless_it_is_accepted(open_with, tmp_path):
    settings = open_with(
        index="milvus", milvus={"address": "http://127.0.0.1:1"}, encryption={"key": encoded(b"1" * 32)}
    )
    people = Container(settings).store.create_collection("people", model="net", dimension=4)
    with open_database(settings) as database, pytest.raises(PlainIndexRefused):
        Projections(settings, database).new(people)


def test_erased_rows_go_from_the_tables_for_good(databases, monkeypatch):
    with databases.url() as url:
        settings = read_settings(database_url=url)
        with open_database(settings) as database:
            store = IdentityStore(database.engine)
            people = store.create_collection("people", model="net", dimension=64)
            (face,) = enroll(store, people, "ada")
            template = face.vector.astype("<f4").tobytes()
            store.remove_identity(people, "ada")
        from app.cli.database import vacuum_erased  # noqa: PLC0415 - for this test

        monkeypatch.setenv("ARCID_DATABASE_URL", url)
        if databases.kind == "sqlite":
            vacuum_erased()
            return
        with open_database(settings) as database:
            assert template in heap_of(database, "faces")
            for _ in range(20):  # the server's own housekeeping may look at the old rows for a moment
                vacuum_erased()
                if template not in heap_of(database, "faces"):
                    return
                time.sleep(0.5)
    pytest.fail("the template is still in the heap")


def heap_of(database, table) -> bytes:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CHECKPOINT")
        read = text(f"SELECT pg_read_binary_file(pg_relation_filepath('{table}'))")
        return bytes(connection.scalar(read))
