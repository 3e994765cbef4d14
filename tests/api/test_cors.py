"""Pages of other origins: preflights are answered before the key is looked at, and every answer can be read."""

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from tests.api.fakes import Identifying, services_of, settings_of
from tests.api.test_rates import Keys

PAGE = "https://app.example.com"
PATHS = ("/identify", "/collections/default", "/jobs", "/nowhere", "/api/v1/recognition/faces", "/healthz")


def client_of(*origins):
    services = services_of(Identifying())
    services.access = Keys(known=())
    return TestClient(create_app(settings_of(origins=origins), services), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client():
    with client_of(PAGE, "http://localhost:5173") as client:
        yield client


def preflight(client, path, origin, method="POST", headers="authorization,x-api-key,content-type,idempotency-key"):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options(path, headers=asked)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "FOO"])
def test_a_preflight_needs_no_key(client, path, method):
    answer = preflight(client, path, PAGE, method)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert set(answer.headers["access-control-allow-methods"].split(", ")) >= {"GET", "PUT", "PATCH", "DELETE"}
    assert answer.headers["access-control-allow-headers"].startswith("authorization,x-api-key")
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "https://app.example.com.evil.test", "http://app.example.com"]
)
def test_a_page_of_another_origin_is_refused(client, origin):
    answer = preflight(client, "/identify", origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_forbidden")
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in client.get("/models", headers={"Origin": origin}).headers


def test_errors_can_be_read_too(client):
    # Without a key, with a wrong one, of a path that no route knows, in CompreFace's form, and of a body too large.
    for path, sent, status in (
        ("/models", {}, 401),
        ("/nowhere", {"X-Api-Key": "known"}, 404),
        ("/api/v1/recognition/nowhere", {"x-api-key": "wrong"}, 401),
        ("/identify", {"X-Api-Key": "known", "Content-Length": "999999999"}, 413),
    ):
        answer = client.request("POST" if status == 413 else "GET", path, headers={"Origin": PAGE, **sent})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert exposed >= {"ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID"}


def test_a_failure_inside_can_be_read(client):
    class Broken(Keys):
        def principal(self, _):
            raise RuntimeError

    services = services_of(Identifying())
    services.access = Broken()
    app = create_app(settings_of(origins=[PAGE]), services)
    with TestClient(app, raise_server_exceptions=False) as broken:
        answer = broken.get("/models", headers={"Origin": PAGE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, PAGE)


def test_any_origin_is_answered_without_credentials():
    with client_of("*") as client:
        assert preflight(client, "/identify", "https://anything.test").headers["access-control-allow-origin"] == "*"
        answer = client.get("/models", headers={"Origin": "https://anything.test", "X-Api-Key": "known"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


def test_off_by_default():
    with client_of() as client:
        assert preflight(client, "/identify", PAGE).status_code == 401
        assert not [name for name in client.get("/healthz", headers={"Origin": PAGE}).headers if "access" in name]
