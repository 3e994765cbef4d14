from sqlalchemy import text
from starlette.testclient import TestClient

from app.main import create_app


def test_healthz_is_cheap(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "server-timing" not in answer.headers


def test_readyz_names_each_part(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ready"
    assert set(body["checks"]) == {"database", "networks", "index"}
    assert all(check["is_ready"] for check in body["checks"].values())
    assert "yunet+retinaface on cpu" in body["checks"]["networks"]["detail"]


def test_readyz_says_what_is_wrong(settings):
    app = create_app(settings)
    with TestClient(app) as client:
        database = app.state.services.database
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["status"] == "not_ready"
        assert "arcid db upgrade" in answer.json()["checks"]["database"]["detail"]
        assert client.get("/healthz").status_code == 200
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": database.schema.head()})
        assert client.get("/readyz").status_code == 200


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
