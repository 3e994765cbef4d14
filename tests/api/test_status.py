import time
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.gallery.gallery import Gallery
from app.gallery.index_state import IndexState
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import NewFace, Person
from app.main import create_app
from app.types import Detection
from app.vision.quality import Quality


def test_healthz_is_cheap(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "server-timing" not in answer.headers


def test_readyz_names_each_part(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ready"
    assert set(body["checks"]) == {"database", "networks", "index", "collections", "encryption"}
    assert all(check["is_ready"] for check in body["checks"].values())
    assert "yunet+retinaface on cpu, balanced probes" in body["checks"]["networks"]["detail"]


def state_of(**changes) -> IndexState:
    state = IndexState("people", "exact", indexed=7, faces=9, revision=5, behind=0, seconds_behind=0)
    return replace(state, **changes)


@pytest.mark.parametrize(
    ("states", "status", "detail"),
    [
        ([], 200, "none behind"),
        ([state_of(), state_of(collection="others")], 200, "none behind"),
        (
            [state_of(behind=2, seconds_behind=0.3), state_of(collection="others")],
            200,
            "1 behind, by up to 2 revisions",
        ),
        (
            [state_of(behind=2, seconds_behind=0.3), state_of(collection="others", behind=1, seconds_behind=11)],
            503,
            "2 behind, by up to 2 revisions",
        ),
    ],
)
def test_readyz_shows_the_lag_and_no_names_or_sizes(client, monkeypatch, states, status, detail):
    monkeypatch.setattr(Gallery, "states", lambda *_: states)
    answer = client.get("/readyz")
    check = answer.json()["checks"]["index"]
    assert (answer.status_code, check) == (status, {"is_ready": status == 200, "detail": detail})


def test_a_replica_that_another_writes_to_catches_up_by_itself(client):
    """The other replica is a store on the same database."""
    services = client.app.state.services
    store = IdentityStore(services.database.engine, services.database.vault)
    default = store.collection("default")
    detection = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))
    vector = np.eye(default.dimension, dtype=np.float32)[0]
    store.enroll(default, Person("ada"), [NewFace("face", vector, 1, Quality(1), detection, "0" * 64)])
    until = time.monotonic() + 10
    while [each.indexed for each in services.gallery.states()] != [1]:
        assert time.monotonic() < until
        time.sleep(0.05)
    services.gallery.remove_identity(default, "ada")


def test_readyz_says_what_is_wrong(settings):
    app = create_app(settings)
    with TestClient(app) as client:
        database = app.state.services.database
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0015'"))
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["status"] == "not_ready"
        assert "arcid db upgrade" in answer.json()["checks"]["database"]["detail"]
        assert client.get("/healthz").status_code == 200
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": database.schema.head()})
        assert client.get("/readyz").status_code == 200


def test_a_replica_stays_ready_while_the_others_are_upgraded(settings):
    """Otherwise a proxy that asks for readiness would take out all of them when the schema is upgraded."""
    app = create_app(settings)
    with TestClient(app) as client:
        database = app.state.services.database
        head = database.schema.head()
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["database"]) == (
            200,
            {
                "is_ready": True,
                "detail": f"at revision 9999, newer than this version needs ({head}): upgrade this replica, too",
            },
        )
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head})


def test_models_tell_licence_and_use(client):
    body = client.get("/models").json()
    packs = {each["name"]: each for each in body["models"]}
    assert packs["open"]["is_in_use"]
    assert packs["open"]["commercial_use"] == "yes"
    assert packs["open"]["dimension"] == 128
    assert len(packs["open"]["files"]["sface.onnx"]) == 64
    assert packs["buffalo_l"]["commercial_use"] == "no"
    assert not packs["buffalo_l"]["is_in_use"]
    assert body["provider"] == "cpu"
    assert body["detector"] == "yunet+retinaface"
