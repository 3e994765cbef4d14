"""Statistics by the API: what requests of each kind count, for whom, and who may see it."""

import pytest
from starlette.testclient import TestClient

from app.access.keys import NewKey, Scope
from app.main import create_app
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer


@pytest.fixture(scope="module")
def client(settings, databases):
    with databases.url() as url:
        often = settings.statistics.model_copy(update={"write_seconds": 3600})
        app = create_app(settings.model_copy(update={"database_url": url, "statistics": often}))
        with TestClient(app, raise_server_exceptions=False) as client:
            client.post("/collections", json={"name": "staff"})
            yield client


@pytest.fixture
def total(client):
    """Return the figures of all requests since the last call, or of one collection."""
    services = client.app.state.services

    def total(**query):
        found = client.get("/statistics", params=query).json()
        services.statistics_store.forget(2**40)
        return found["total"]

    total()
    return total


def test_an_enrollment(client, total, portrait):
    photos = [("photos", portrait), ("photos", b"nothing")]
    client.post("/enroll", files=photos, data={"identity_id": "ada", "collection": "staff"})
    figures = total(collection="staff")
    assert (figures["requests"], figures["verdicts"]) == ({"enroll": 1}, {})
    assert figures["refusals"] == {"not_an_image": 1}
    assert figures["quality"]["count"] == 1
    assert 0.5 < figures["quality"]["mean"] <= 1
    assert figures["latency"]["count"] == 1
    assert 1 < figures["latency"]["p50_ms"] < 10_000


def test_an_identification_and_a_verification(client, total, portrait):
    client.post("/identify", files={"photo": portrait}, data={"collection": "staff"})
    client.post("/verify", files={"probe": portrait}, data={"identity_id": "ada", "collection": "staff"})
    figures = total(collection="staff")
    assert figures["requests"] == {"identify": 1, "verify": 1}
    assert figures["verdicts"] == {"match": 2}
    assert figures["quality"]["count"] == 2


def test_many_photos_count_one_by_one(client, total, portrait):
    photos = [("photo", portrait), ("photo", b"nothing"), ("photo", portrait)]
    for path in ("/identify", "/detect"):
        assert client.post(path, files=photos, data={"photos_of": "many"}).status_code == 200
    figures = total()
    assert figures["requests"] == {"identify": 1, "detect": 1}
    assert figures["verdicts"] == {"unknown": 2}  # nobody is in the default collection
    assert figures["refusals"] == {"not_an_image": 2}
    assert figures["quality"]["count"] == 4


def test_requests_without_a_collection(client, total, portrait):
    client.post("/detect", files={"photo": portrait})
    client.post("/embed", files={"photo": portrait})
    assert total(operation="embed")["requests"] == {"embed": 1}
    client.post("/detect", files={"photo": portrait})
    assert total(collection="default")["requests"] == {}


def test_refused_requests(client, total, portrait):
    client.post("/identify", files={"photo": b"nothing"})
    client.post("/enroll", files=[("photos", b"nothing"), ("photos", b"")], data={"identity_id": "bob"})
    client.post("/search", json={"embedding": [1.0]})
    client.post("/identify", files={"photo": portrait}, data={"collection": "unknown"})
    assert total()["refusals"] == {"not_an_image": 3, "nothing_enrolled": 1, "request_invalid": 1}


def test_a_search(client, total, portrait):
    face = client.post("/embed", files={"photo": portrait}).json()["faces"][0]
    client.post("/search", json={"embedding": face["embedding"], "collection": "staff"})
    assert total(collection="staff")["verdicts"] == {"match": 1}


def test_comprefaces_routes(client, total, portrait):
    client.post("/api/v1/recognition/recognize", files={"file": portrait})
    client.post("/api/v1/recognition/faces?subject=carl", files={"file": portrait})
    figures = total(collection="default")
    assert figures["requests"] == {"identify": 1, "enroll": 1}
    client.delete("/api/v1/recognition/faces?subject=carl")


def test_deepfaces_routes(client, total, portrait):
    client.post("/deepface/represent", files={"img": portrait})
    client.post("/deepface/verify", files={"img1": portrait, "img2": portrait})
    client.post("/deepface/analyze", files={"img": portrait})
    figures = total()
    assert figures["requests"] == {"embed": 1, "verify": 1}
    assert figures["verdicts"] == {"match": 1}


def test_other_routes_count_nothing(client, total):
    for path in ("/collections", "/jobs", "/healthz", "/nothing", "/statistics", "/collections/default/identities"):
        client.get(path)
    assert total()["requests"] == {}


def test_buckets(client, total, portrait):
    total()
    client.post("/detect", files={"photo": portrait})
    for bucket in ("hour", "day"):
        answer = client.get("/statistics", params={"bucket": bucket}).json()
        assert answer["bucket"] == bucket
        assert (answer["kept_days"], answer["is_truncated"]) == (90, False)
        answer = client.get("/statistics", params={"since": "2020-01-01T00:00:00Z"}).json()
        assert answer["since"] > "2020-01-01"
        assert answer["is_truncated"]
        assert [each["requests"] for each in answer["buckets"]] == [{"detect": 1}]
        assert answer["since"] < answer["buckets"][0]["start"] < answer["until"]


@pytest.mark.parametrize(
    "query",
    [
        "bucket=week",
        "operation=delete",
        "since=0.5",
        "until=now",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
    ],
)
def test_what_cannot_be_asked(client, query):
    expect(client.get(f"/statistics?{query}"), 422, "request_invalid")
    answer = client.get("/statistics?collection=nothing")
    expect(answer, 404, "collection_unknown")
    assert answer.json()["detail"] == "there is no collection 'nothing'"


def test_who_sees_what(client):
    keys = client.app.state.services.keys
    own, all_ = (
        bearer(keys.create(NewKey(name, [Scope.METRICS], among))[1]) for name, among in (("o", ["staff"]), ("a", None))
    )
    client.app.state.services.access.refresh()
    expect(client.get("/statistics", headers=own), 403, "collection_forbidden")
    expect(client.get("/statistics?collection=default", headers=own), 403, "collection_forbidden")
    assert client.get("/statistics?collection=staff", headers=own).status_code == 200
    assert client.get("/statistics", headers=all_).status_code == 200


def test_nothing_is_counted_if_nothing_is_kept(settings, databases, portrait):
    with databases.url() as url:
        off = settings.statistics.model_copy(update={"keep_days": 0})
        app = create_app(settings.model_copy(update={"database_url": url, "statistics": off}))
        with TestClient(app) as client:
            client.post("/detect", files={"photo": portrait})
            assert app.state.services.statistics_worker is None
            answer = client.get("/statistics").json()
            assert (answer["kept_days"], answer["total"]["requests"]) == (0, {})
