"""Rows of an encrypted database that somebody edits, seen through HTTP and by `arcid doctor`."""

import sqlite3
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from app.cli.serve import prepare_database
from app.config import read_settings
from app.database.cipher import encoded
from app.main import create_app
from app.wiring.storage import embedded_file
from tests.api.fakes import started
from tests.api.test_errors import expect
from tests.conftest import DATA


@pytest.fixture
def sealed(packs, tmp_path):
    """A client of an encrypted service, and the connection of somebody who edits its file."""
    if not all(packs.has(each) for each in packs.required_by("open")):
        pytest.skip("the pack open is not pulled; run: arcid models pull open")
    settings = read_settings(
        data_dir=tmp_path, models_dir=DATA, encryption={"key": encoded(b"1" * 32)}, server={"hosts": ["testserver"]}
    )
    prepare_database(settings)
    with (
        TestClient(create_app(settings, started(settings)), raise_server_exceptions=False) as client,
        closing(sqlite3.connect(embedded_file(settings), isolation_level=None)) as editor,
    ):
        yield client, editor


def test_edited_rows_verify_nobody(sealed, faces_of):
    client, editor = sealed
    for identity_id, photo in (("ada", faces_of[0]), ("bob", faces_of[1])):
        told = {"identity_id": identity_id, "face": "largest"}
        assert client.post("/enroll", files={"photos": photo}, data=told).status_code == 200
    assert client.get("/readyz").json()["checks"]["encryption"] == {"is_ready": True, "detail": "on"}
    ada, bob = (key for (key,) in editor.execute("SELECT id FROM identities ORDER BY identity_id").fetchall())
    editor.execute("UPDATE faces SET identity_key = ? - identity_key", [ada + bob])
    for identity_id, photo in (("ada", faces_of[1]), ("bob", faces_of[0]), ("ada", faces_of[0])):
        answer = client.post("/verify", files={"probe": photo}, data={"identity_id": identity_id})
        expect(answer, 409, "seal_broken")
    for photo in faces_of[:2]:
        found = client.post("/identify", files={"photo": photo}).json()["faces"][0]
        assert (found["verdict"], found["candidates"]) == ("unknown", [])
    answer = client.get("/readyz")
    assert answer.status_code == 200
    detail = answer.json()["checks"]["encryption"]["detail"]
    assert detail.startswith("2 rows are refused")
    assert "ada" not in answer.text
    assert client.delete("/collections/default/identities/ada").status_code == 200  # still deletable
    assert client.get("/readyz").json()["checks"]["encryption"]["detail"].startswith("1 row is refused")
