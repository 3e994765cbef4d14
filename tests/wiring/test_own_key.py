"""The master key that a new embedded database creates for itself."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.cipher import encoded
from app.database.master_key_file import read_master, write_master
from app.errors import MasterKeyMissing, MasterKeyWrong
from app.transfer.backup import back_up
from app.types import IndexKind
from app.wiring.storage import embedded_file, open_database, open_restore, own_key_file
from tests.transfer.fakes import Recorded


def prepared(folder, **settings):
    """Return the settings of a data folder after a start."""
    made = read_settings(data_dir=folder, database_url=None, **settings)
    prepare_database(made)
    return made


def is_encrypted(settings):
    with Container(settings) as container:
        return container.current_database.vault.is_on, container.collection_settings.is_crop_kept


def test_a_new_database_is_encrypted_and_the_log_says_so_once(tmp_path):
    with capture_logs() as lines:
        settings = prepared(tmp_path / "data")
        assert is_encrypted(settings) == (True, True)
        assert is_encrypted(prepared(tmp_path / "data")) == (True, True)
    file = own_key_file(settings)
    assert file.stat().st_mode & 0o777 == 0o600
    created = [each for each in lines if each["event"] == "encryption.key_created"]
    assert [each["file"] for each in created] == [str(file)]
    assert "keep a copy of the file apart from the backups" in created[0]["hint"]
    with closing(sqlite3.connect(embedded_file(settings))) as database:
        (master,) = database.execute("SELECT DISTINCT master FROM data_keys").fetchone()
    assert master == read_master(file).fingerprint


def test_a_key_file_that_others_may_read_is_made_private(tmp_path):
    settings = prepared(tmp_path)
    own_key_file(settings).chmod(0o644)
    prepared(tmp_path)
    assert own_key_file(settings).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "settings",
    [
        {"encryption": {"own_key": False}},
        {"index": IndexKind.MILVUS, "milvus": {"address": "http://127.0.0.1:1"}},
    ],
)
def test_an_unencrypted_database_stays_so_and_keeps_no_crops(tmp_path, settings):
    made = prepared(tmp_path, **settings)
    assert not own_key_file(made).exists()
    assert is_encrypted(made) == (False, False)
    later = prepared(tmp_path)  # exists now, so the default creates no key either
    assert not own_key_file(later).exists()
    assert is_encrypted(later) == (False, False)


def test_a_master_key_of_the_settings_is_the_only_one(tmp_path):
    named = tmp_path / "named.key"
    write_master(named)
    for encryption in ({"key_file": named}, {"key": encoded(b"1" * 32)}):
        folder = tmp_path / next(iter(encryption))
        settings = prepared(folder, encryption=encryption)
        assert is_encrypted(settings) == (True, True)
        assert not own_key_file(settings).exists()


def test_a_master_key_of_the_settings_replaces_the_own_one(tmp_path):
    own = own_key_file(prepared(tmp_path / "data"))
    new = tmp_path / "new.key"
    write_master(new)
    with Container(prepared(tmp_path / "data")) as container:
        container.current_database.vault.rewrap(read_master(new))
    assert is_encrypted(prepared(tmp_path / "data", encryption={"key_file": new})) == (True, True)
    with pytest.raises(MasterKeyWrong, match=r"master\.key in the data folder"):
        is_encrypted(prepared(tmp_path / "data"))
    own.unlink()
    with pytest.raises(MasterKeyMissing):
        is_encrypted(prepared(tmp_path / "data"))


def test_a_restore_on_a_new_machine_needs_the_key(tmp_path):
    old, new = prepared(tmp_path / "old"), read_settings(data_dir=tmp_path / "new", database_url=None)
    with open_database(old) as database:
        database.require_current()
        back_up(database, old.data_dir, tmp_path / "backup", Recorded())
    assert own_key_file(old).read_bytes().strip() not in (tmp_path / "backup").read_bytes()
    new.data_dir.mkdir()
    open_restore(new).run(tmp_path / "backup", Recorded())
    with pytest.raises(MasterKeyMissing, match=r"copy the file master\.key of the data folder that the database"):
        is_encrypted(prepared(new.data_dir))
    assert not own_key_file(new).exists()
    shutil.copy(own_key_file(old), own_key_file(new))
    assert is_encrypted(prepared(new.data_dir)) == (True, True)


def test_a_restore_that_was_killed_is_completed_before_a_key_is_created(tmp_path):
    old = prepared(tmp_path / "old", encryption={"own_key": False})
    folder = tmp_path / "new" / "arcid.db.restoring"
    (folder / "calibrations").mkdir(parents=True)
    shutil.copy(embedded_file(old), folder / "arcid.db")
    settings = prepared(tmp_path / "new")
    assert embedded_file(settings).exists()
    assert not own_key_file(settings).exists()
    assert is_encrypted(settings) == (False, False)
