"""Answers to clients while the database fails."""

import sqlite3

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from app.main import create_app
from tests.api.test_errors import expect


@pytest.fixture
def client(settings, tmp_path):
    """A client of a service with a separate database that a test may damage."""
    own = settings.model_copy(update={"data_dir": tmp_path, "database_url": None})
    (tmp_path / "arcid.db").write_bytes((settings.data_dir / "arcid.db").read_bytes())
    with TestClient(create_app(own), raise_server_exceptions=False) as client:
        yield client


def enroll(client, portrait):
    return client.post("/enroll", files={"photos": portrait}, data={"identity_id": "eileen"})


def test_a_full_disk_is_507_and_reading_goes_on(client, portrait):
    engine = client.app.state.services.database.engine
    with engine.connect() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
    event.listen(engine, "connect", lambda driver, _: driver.execute(f"PRAGMA max_page_count={pages + 4}"))
    engine.dispose()  # connect again
    acknowledged = 0
    while (answer := enroll(client, portrait)).status_code == 200:
        acknowledged += 1
    expect(answer, 507, "database_not_writable")
    assert "make room" in answer.json()["detail"]
    assert "retry-after" not in answer.headers
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert client.post("/identify", files={"photo": portrait}).json()["faces"][0]["candidates"]
    assert client.get("/collections/default").json()["faces"] == acknowledged


def test_a_locked_database_is_503_with_retry_after(client, portrait, tmp_path, monkeypatch):
    monkeypatch.setattr("app.database.engine.BUSY_TIMEOUT_MS", 20)
    client.app.state.services.database.engine.dispose()
    other = sqlite3.connect(tmp_path / "arcid.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = enroll(client, portrait)
    expect(answer, 503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert client.post("/identify", files={"photo": portrait}).status_code == 200
    other.execute("ROLLBACK")
    other.close()
    assert enroll(client, portrait).status_code == 200
