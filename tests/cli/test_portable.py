import gc
import json

import pytest
from sqlalchemy import text

from app.config import read_settings
from app.container import Container
from app.errors import ArchiveInvalid, BackupImpossible, CollectionUnknown, DatabaseInUse, ModelMismatch
from app.wiring.storage import open_database
from tests.cli.test_index import enroll


@pytest.fixture
def people(arcid, tiny):
    """The collection `people` with five faces of Ada."""
    assert arcid("collections", "create", "people").exit_code == 0
    enroll("ada", 5)
    return Container(read_settings()).store.collection("people")


def test_export_and_import(arcid, people, tmp_path, monkeypatch):
    path = str(tmp_path / "people.zip")
    result = arcid("export", "people", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}: 5 faces of 1 person, revision 1\n")
    again = arcid("import-archive", path)
    assert again.stdout == "people: 0 new faces, 0 new people, 5 faces existed already\n"
    copied = arcid("import-archive", path, "--collection", "copy", "--new-face-ids")
    assert copied.stdout == "copy: 5 new faces, 1 new person, 0 faces existed already\n"
    monkeypatch.setenv("ARCID_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    arcid("db", "upgrade")
    assert arcid("import-archive", path).stdout == "people: 5 new faces, 1 new person, 0 faces existed already\n"


def test_an_export_names_the_network(arcid, people, tmp_path, tiny):
    arcid("export", "people", str(tmp_path / "people.zip"))
    (tiny / "pulled.json").write_text(json.dumps({"rec.onnx": "cd" * 32}))
    assert isinstance(arcid("import-archive", str(tmp_path / "people.zip")).exception, ModelMismatch)


def test_what_cannot_be_exported_or_imported(arcid, people, tmp_path):
    assert isinstance(arcid("export", "nobody", str(tmp_path / "a")).exception, CollectionUnknown)
    (tmp_path / "text").write_text("no archive")
    assert isinstance(arcid("import-archive", str(tmp_path / "text")).exception, ArchiveInvalid)


def test_embeddings(arcid, people, tmp_path):
    path = tmp_path / "faces.ndjson"
    path.write_text('{"identity_id": "bob", "embedding": [1, 0, 0]}\n{"identity_id": "eve", "embedding": [1]}\n')
    result = arcid("import-embeddings", str(path), "--collection", "people", "--model", "tiny-net")
    assert result.exit_code == 1
    assert result.stdout == "people: 1 new face, 1 new person, 0 faces existed already, 1 line refused\n"
    assert "line 2: line_invalid" in result.stderr


def test_backup_and_restore(arcid, people, tmp_path, home):
    path = str(tmp_path / "b")
    assert arcid("backup", path).exit_code == 0
    enroll("bob")
    assert arcid("restore", path).exit_code == 1  # without a confirmation
    with open_database(read_settings()) as service:
        service.occupy()
        assert isinstance(arcid("restore", path, "--yes").exception, DatabaseInUse)
    gc.collect()  # the commands above ran in this process; their connections end with them
    result = arcid("restore", path, "--yes", "--keep-old")
    assert result.exit_code == 0, result.exception
    assert "1 collection, as at" in result.stdout
    assert len(list(home.glob("arcid.db.before-restore-*"))) == 1
    after = Container(read_settings()).store.collection("people")
    assert (after.faces, after.uid == people.uid) == (5, False)


def test_postgresql_is_told_what_to_run(arcid, tmp_path, home, monkeypatch):
    monkeypatch.setenv("ARCID_DATABASE_URL", "postgresql+psycopg://arcid:secret@db/arcid")
    for command in ("backup", "restore"):
        error = arcid(command, str(tmp_path / "b")).exception
        assert isinstance(error, BackupImpossible)
        assert "postgresql://arcid@db/arcid" in str(error)


def test_renewed_uids(arcid, people):
    with open_database(read_settings()) as database, database.engine.begin() as connection:
        connection.execute(text("INSERT INTO shared_indexes (collection_id, name, revision) VALUES (1, 'milvus', 9)"))
    result = arcid("db", "renew-uids")
    assert result.exit_code == 0
    assert f"arcid_{people.uid.replace('-', '')}" in result.stdout
    assert Container(read_settings()).store.collection("people").uid != people.uid
