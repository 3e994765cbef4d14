"""Which collection is meant, and errors that no route makes: limits, keys, what fails inside."""

from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from app.api.http.errors import STATUS, status_of
from app.compreface.dependencies import comparison_of
from app.compreface.problems import reworded
from app.errors import Overloaded
from app.main import create_app
from tests.api.fakes import services_of, settings_of
from tests.compreface.asking import RECOGNITION, add, expect, subjects

DETECT = "/api/v1/detection/detect"


@pytest.fixture
def faked():
    """Return a client of a service with a replaced comparison."""

    def client(faces=None, **limits):
        app = create_app(settings_of(**limits), services_of(None))
        app.dependency_overrides[comparison_of] = lambda: SimpleNamespace(faces=faces)
        return TestClient(app, raise_server_exceptions=False)

    return client


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_body_is_limited_as_everywhere(faked):
    with faked(body_bytes=1000) as client:
        expect(client.post(DETECT, files={"file": b"x" * 2000}), 413, 0, "body_too_large")


def test_too_much_is_refused_before_the_body_is_read(faked):
    with faked() as client:
        client.app.state.admission.require_room = failing(Overloaded("full"))
        answer = client.post(DETECT, files={"file": b"x"})
        expect(answer, 503, 0, "overloaded")
        assert answer.headers["retry-after"]


def test_what_fails_inside_stays_inside(faked):
    with faked(failing(RuntimeError("secret"))) as client:
        answer = client.post(DETECT, files={"file": b"x"})
        expect(answer, 500, 0, "internal_error")
        assert "secret" not in answer.text


def test_work_is_admitted_as_everywhere(faked):
    seen = []

    def faces(*_, **given):
        seen.append((client.app.state.admission.running, given))
        return []

    with faked(faces) as client:
        assert client.post(DETECT, files={"file": b"x"}).json() == {"result": []}
    assert seen == [(1, {"collection": "default"})]


def test_other_routes_speak_as_before(client):
    assert client.get("/collections/nowhere").headers["content-type"] == "application/problem+json"
    expect(client.get("/api/v1/nowhere"), 404, 0, "not_found")
    expect(client.patch(f"{RECOGNITION}/subjects"), 405, 0, "method_not_allowed")


@pytest.mark.parametrize("error", STATUS, ids=lambda error: error.__name__)
def test_every_error_has_a_form_and_a_documented_status(client, error):
    problem = {"status": int(status_of(error)), "code": error.code, "detail": "because"}
    status, body = reworded(problem)
    assert set(body) == {"message", "code", "arcid_code"}
    documented = client.get("/openapi.json").json()["paths"][f"{RECOGNITION}/recognize"]["post"]["responses"]
    elsewhere = {"precondition_failed", "export_gone", "tus_version_unsupported", "challenge_expired"}
    assert str(status) in documented or error.code in elsewhere


# Which collection is meant


def test_a_key_for_one_collection_is_a_service(with_keys, faces_of):
    client, keys = with_keys
    client.headers = keys[("staff",)]
    add(client, faces_of[0], "ada")
    assert subjects(client) == subjects(client, collection="staff") == ["ada"]
    expect(client.get(f"{RECOGNITION}/subjects?collection=guests"), 403, 0, "collection_forbidden")
    client.headers = keys[()]
    assert subjects(client) == []
    assert subjects(client, collection="staff") == ["ada"]
    expect(client.get(f"{RECOGNITION}/subjects?collection=nowhere"), 404, 10, "collection_unknown")
    client.headers = keys[("default", "guests")]
    assert subjects(client) == subjects(client, collection="guests") == []
    client.headers = keys[("staff", "guests")]
    expect(client.get(f"{RECOGNITION}/subjects"), 403, 0, "collection_forbidden")
    assert subjects(client, collection="staff") == ["ada"]


def test_keys_are_asked_for_in_the_same_form(with_keys):
    client, _ = with_keys
    expect(client.get(f"{RECOGNITION}/subjects"), 401, 20, "key_missing")
    answer = client.get(f"{RECOGNITION}/subjects", headers={"x-api-key": "wrong"})
    expect(answer, 401, 10, "key_invalid")
    assert answer.headers["www-authenticate"].startswith("Bearer")
