"""One key of each scope against every route: who may do what."""

import json
import time
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.access.trail import Trail
from app.api.http.permissions import OPEN, declared, is_open, scopes
from app.config import RateSettings
from app.main import create_app
from tests.api.test_errors import expect

OWN, OTHER = "default", "other"


@pytest.fixture(scope="module")
def app(settings, databases):
    with databases.url() as url:
        # More wrong keys than one address may send.
        unlimited = RateSettings(failures="none")
        streams = settings.limits.model_copy(update={"event_streams": 0})  # they would not end
        changes = {"database_url": url, "rates": unlimited, "limits": streams}
        yield create_app(settings.model_copy(update=changes))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def store(client):
    return KeyStore(client.app.state.services.database.engine)


@pytest.fixture(scope="module")
def secrets(store):
    """A key of each scope, and one of all of them for the collection `default` only."""
    made = {scope: store.create(NewKey(scope.value, [scope]))[1] for scope in Scope}
    return {**made, "own": store.create(NewKey("own", list(Scope), [OWN]))[1]}


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def path_of(template, collection=OWN, key="key"):
    filled = template.replace("{collection}", collection).replace("{key}", key)
    return filled.replace("{identity_id}", "x").replace("{face_id}", "x").replace("{", "").replace("}", "")


def expect_refused(answer, path, status, code):
    if path.startswith(("/api/v1/", "/deepface/")):  # in the form of another API
        assert (answer.status_code, answer.json()["arcid_code"]) == (status, code)
    else:
        expect(answer, status, code)


def operations(app):
    """Routes of the application, documented or not."""
    routes = [each for each in iter_route_contexts(app.routes) if each.methods]
    return {(method, str(each.path_format)) for each in routes for method in each.methods or ()}


def test_every_route_is_documented_or_open(app):
    closed = {(method, path) for method, path in operations(app) if not is_open(path)}
    assert {path for _, path in operations(app) if path in OPEN} == OPEN
    documented = app.openapi()["paths"]
    assert closed <= {(method.upper(), path) for path, methods in documented.items() for method in methods}


def test_the_only_mount_is_open_and_holds_files(app):
    (mount,) = [each.original_route for each in iter_route_contexts(app.routes) if not each.methods]
    assert isinstance(mount, Mount)
    assert mount.path == "/docs/assets"
    assert isinstance(mount.app, StaticFiles)


def test_a_route_that_declares_no_scope_needs_admin():
    router = APIRouter()
    router.add_api_route("/new", lambda: None)
    (route,) = router.routes
    assert isinstance(route, APIRoute)
    assert declared(route).scope is Scope.ADMIN


# The expected table, written out: a slip at a route does not pass unnoticed.
ALLOWED = {
    ("POST", "/verify"): {Scope.RECOGNISE},
    ("POST", "/identify"): {Scope.RECOGNISE},
    ("POST", "/detect"): {Scope.RECOGNISE},
    ("POST", "/embed"): {Scope.RECOGNISE},
    ("POST", "/search"): {Scope.SEARCH},
    ("POST", "/enroll"): {Scope.ENROLL},
    ("POST", "/liveness/challenges"): {Scope.RECOGNISE},
    ("POST", "/liveness/challenges/{challenge_id}/answers"): {Scope.RECOGNISE},
    ("GET", "/calibration"): {Scope.RECOGNISE},
    ("GET", "/collections"): {Scope.MANAGE},
    ("POST", "/collections"): {Scope.MANAGE},
    ("GET", "/collections/{collection}"): {Scope.MANAGE},
    ("PATCH", "/collections/{collection}"): {Scope.MANAGE},
    ("DELETE", "/collections/{collection}"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/identities"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/identities/{identity_id}"): {Scope.MANAGE},
    ("PATCH", "/collections/{collection}/identities/{identity_id}"): {Scope.MANAGE},
    ("DELETE", "/collections/{collection}/identities/{identity_id}"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/identities/{identity_id}/merge"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/identities/{identity_id}/export"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/faces"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/faces/{face_id}"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/faces/{face_id}/image"): {Scope.MANAGE},
    ("DELETE", "/collections/{collection}/faces/{face_id}"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/faces/{face_id}/move"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/faces/move"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/reviews"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/reviews/export"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/reviews/{review_id}"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/reviews/{review_id}/image"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/reviews/{review_id}/decision"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/groups"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/groups"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/groups/{group_id}"): {Scope.MANAGE},
    ("PATCH", "/collections/{collection}/groups/{group_id}"): {Scope.MANAGE},
    ("DELETE", "/collections/{collection}/groups/{group_id}"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/groups/{group_id}/merge"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/groups/{group_id}/split"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/groups/{group_id}/name"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/groups/{group_id}/add"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/unknown-faces"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/unknown-faces/{face_id}/image"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/health"): {Scope.MANAGE},
    ("GET", "/collections/{collection}/reembed"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/reembed"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/reembed/switch"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/reembed/rollback"): {Scope.MANAGE},
    ("POST", "/collections/{collection}/reembed/discard"): {Scope.MANAGE},
    ("GET", "/jobs"): {Scope.MANAGE},
    ("POST", "/jobs"): {Scope.MANAGE},
    ("GET", "/jobs/{job_id}"): {Scope.MANAGE},
    ("POST", "/jobs/{job_id}/cancel"): {Scope.MANAGE},
    ("GET", "/jobs/{job_id}/errors"): {Scope.MANAGE},
    ("GET", "/jobs/{job_id}/events"): {Scope.MANAGE},
    ("GET", "/jobs/{job_id}/archive"): {Scope.MANAGE},
    ("POST", "/uploads"): {Scope.MANAGE},
    ("GET", "/uploads/{upload_id}"): {Scope.MANAGE},
    ("PATCH", "/uploads/{upload_id}"): {Scope.MANAGE},
    ("DELETE", "/uploads/{upload_id}"): {Scope.MANAGE},
    ("POST", "/api/v1/recognition/recognize"): {Scope.RECOGNISE},
    ("POST", "/api/v1/recognition/faces/{image_id}/verify"): {Scope.RECOGNISE},
    ("POST", "/api/v1/recognition/embeddings/recognize"): {Scope.SEARCH},
    ("POST", "/api/v1/recognition/embeddings/faces/{image_id}/verify"): {Scope.SEARCH},
    ("POST", "/api/v1/detection/detect"): {Scope.RECOGNISE},
    ("POST", "/api/v1/verification/verify"): {Scope.RECOGNISE},
    ("POST", "/api/v1/verification/embeddings/verify"): {Scope.RECOGNISE},
    ("POST", "/deepface/represent"): {Scope.RECOGNISE},
    ("POST", "/deepface/verify"): {Scope.RECOGNISE},
    ("POST", "/deepface/analyze"): {Scope.RECOGNISE},
    ("POST", "/api/v1/recognition/subjects"): {Scope.ENROLL},
    ("POST", "/api/v1/recognition/faces"): {Scope.ENROLL},
    ("GET", "/api/v1/recognition/subjects"): {Scope.MANAGE},
    ("PUT", "/api/v1/recognition/subjects/{subject}"): {Scope.MANAGE},
    ("DELETE", "/api/v1/recognition/subjects/{subject}"): {Scope.MANAGE},
    ("DELETE", "/api/v1/recognition/subjects"): {Scope.MANAGE},
    ("GET", "/api/v1/recognition/faces"): {Scope.MANAGE},
    ("GET", "/api/v1/recognition/faces/{image_id}/img"): {Scope.MANAGE},
    ("GET", "/api/v1/static/{key}/images/{image_id}"): {Scope.MANAGE},
    ("DELETE", "/api/v1/recognition/faces/{image_id}"): {Scope.MANAGE},
    ("DELETE", "/api/v1/recognition/faces"): {Scope.MANAGE},
    ("POST", "/api/v1/recognition/faces/delete"): {Scope.MANAGE},
    ("GET", "/events"): {Scope.MANAGE},
    ("GET", "/events/stream"): {Scope.MANAGE},
    ("GET", "/events/{event_id}/image"): {Scope.MANAGE},
    ("GET", "/rules"): {Scope.MANAGE},
    ("POST", "/rules"): {Scope.MANAGE},
    ("GET", "/rules/{rule_id}"): {Scope.MANAGE},
    ("PATCH", "/rules/{rule_id}"): {Scope.MANAGE},
    ("DELETE", "/rules/{rule_id}"): {Scope.MANAGE},
    ("GET", "/keys"): {Scope.ADMIN},
    ("POST", "/keys"): {Scope.ADMIN},
    ("GET", "/keys/{key_id}"): {Scope.ADMIN},
    ("DELETE", "/keys/{key_id}"): {Scope.ADMIN},
    ("GET", "/destinations"): {Scope.ADMIN},
    ("POST", "/destinations"): {Scope.ADMIN},
    ("GET", "/destinations/{destination_id}"): {Scope.ADMIN},
    ("PATCH", "/destinations/{destination_id}"): {Scope.ADMIN},
    ("DELETE", "/destinations/{destination_id}"): {Scope.ADMIN},
    ("POST", "/destinations/{destination_id}/secret"): {Scope.ADMIN},
    ("POST", "/destinations/{destination_id}/test"): {Scope.ADMIN},
    ("GET", "/destinations/{destination_id}/deliveries"): {Scope.ADMIN},
    ("POST", "/destinations/{destination_id}/replay"): {Scope.ADMIN},
    ("GET", "/audit"): {Scope.ADMIN},
    ("GET", "/audit/export"): {Scope.ADMIN},
    ("GET", "/audit/verification"): {Scope.ADMIN},
    ("GET", "/statistics"): {Scope.METRICS},
    ("GET", "/backups"): {Scope.ADMIN},
    ("GET", "/backups/{name}"): {Scope.ADMIN},
    ("DELETE", "/backups/{name}"): {Scope.ADMIN},
    ("GET", "/cameras"): {Scope.MANAGE},
    ("POST", "/cameras"): {Scope.MANAGE},
    ("GET", "/cameras/{camera_id}"): {Scope.MANAGE},
    ("PATCH", "/cameras/{camera_id}"): {Scope.MANAGE},
    ("DELETE", "/cameras/{camera_id}"): {Scope.MANAGE},
    ("POST", "/watch/{camera_id}/frames"): {Scope.RECOGNISE},
    ("GET", "/me"): set(Scope),
    ("GET", "/sessions"): {Scope.ADMIN},
    ("DELETE", "/sessions/{session_id}"): {Scope.ADMIN},
    ("DELETE", "/sessions/current"): set(Scope),
    ("GET", "/models"): set(Scope),
    ("GET", "/metrics"): set(Scope),
}


def test_routes_declare_the_expected_scopes(app):
    expected = {operation: None if scopes == set(Scope) else {*scopes} for operation, scopes in ALLOWED.items()}
    assert {each: None if scope is None else {scope} for each, scope in scopes(app.routes).items()} == expected


@pytest.mark.parametrize("scope", Scope)
def test_who_may_do_what(client, secrets, subtests, scope):
    for (method, path), allowed in ALLOWED.items():
        with subtests.test(method=method, path=path):
            answer = client.request(method, path_of(path, key=secrets[scope]), headers=bearer(secrets[scope]))
            if scope in allowed | {Scope.ADMIN}:
                assert answer.status_code not in {401, 403}, answer.text
            else:
                expect_refused(answer, path, 403, "scope_missing")


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "key_missing"), (bearer("arcid_00000000_" + "x" * 43), "key_invalid")],
    ids=["no key", "a wrong key"],
)
def test_nothing_without_a_key(client, secrets, subtests, headers, code):
    for method, path in ALLOWED:
        with subtests.test(method=method, path=path):
            answer = client.request(method, path_of(path), headers=headers)
            expect_refused(answer, path, 401, "key_invalid" if "{key}" in path else code)
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/web", "/keys", "/docs/", "/docs/assets", "/healthz/", "/metrics", "http://testserver//models"],
)
def test_what_is_no_route_needs_a_key_too(client, secrets, path):
    expect(client.get(path, follow_redirects=False), 401, "key_missing")


@pytest.mark.parametrize("path", sorted(OPEN))
def test_what_is_open(client, secrets, path):
    assert client.get(path).status_code == (405 if path in {"/sign-in/address", "/sign-in/session"} else 200)
    assert client.get("/docs/assets/swagger-ui.css").status_code == 200
    assert client.get("/web/app.js").status_code == 200


def test_a_mount_does_not_lead_to_a_route(client, secrets):
    for path in ("/docs/assets/../../models", "/docs/assets/%2e%2e/%2e%2e/models", "/web/%2e%2e/models", "/web/"):
        assert client.get(path).status_code in {401, 404}


@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: {"Authorization": f"Bearer {secret}"},
        lambda secret: {"authorization": f"bearer  {secret} "},
        lambda secret: {"X-Api-Key": secret},
        lambda secret: {"Authorization": "Basic eDp5", "X-Api-Key": secret},
    ],
)
def test_ways_to_present_a_key(client, secrets, headers):
    assert client.get("/models", headers=headers(secrets[Scope.RECOGNISE])).status_code == 200


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer ", b"\xff\xfe", b"Bearer \xff", b"Basic eDp5", b"x" * 5000])
def test_odd_headers_are_no_key(client, secrets, value):
    assert client.get("/models", headers={b"Authorization": value}).status_code == 401


def test_a_key_is_asked_for_before_the_body_is_read(client, secrets):
    answer = client.post("/identify", content=b"{nonsense", headers={"content-type": "application/json"})
    expect(answer, 401, "key_missing")


# Restriction to collections

BODIES: dict[str, dict[str, Any]] = {
    "/enroll": {"photos": ["A" * 32]},
    "/verify": {"probe": "A" * 32, "reference": "A" * 32},
    "/identify": {"photo": "A" * 32},
    "/search": {"embedding": [1.0]},
    "/jobs": {"kind": "import", "file": "A" * 32},
    "/cameras": {"camera_id": "door", "collection": "x", "url": "rtsp://10.0.0.1/"},
    "/liveness/challenges": {},
    "/liveness/challenges/{challenge_id}/answers": {
        "nonce": "x",
        "frames": ["A" * 32] * 2,
        "taken": [{"at_ms": 0, "sha256": "0" * 64}] * 2,
    },
}


def test_every_body_that_names_a_collection_is_tested(app):
    document = app.openapi()
    named = set()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schema = document["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
                if "collection" in schema.get("properties", {}):
                    named.add(path)
    assert named == set(BODIES)


@pytest.mark.parametrize("path", BODIES)
def test_a_body_may_name_only_the_keys_own_collections(client, secrets, path):
    def post(collection):
        return client.post(path, json={**BODIES[path], "collection": collection}, headers=bearer(secrets["own"]))

    expect(post(OTHER), 403, "collection_forbidden")
    # The photo is invalid, the embedding has another length.
    assert post(OWN).status_code == (201 if path == "/liveness/challenges" else 422)
    if path in {"/search", "/cameras"} or path.startswith("/liveness/"):
        return  # takes JSON only, or lists of files
    fields = {name: value for name, value in BODIES[path].items() if name == "kind"}
    files = dict.fromkeys(BODIES[path].keys() - fields, b"x")
    answer = client.post(path, data={**fields, "collection": OTHER}, files=files, headers=bearer(secrets["own"]))
    expect(answer, 403, "collection_forbidden")


def test_a_path_may_name_only_the_keys_own_collections(client, secrets, subtests):
    headers = bearer(secrets["own"])
    for method, path in [each for each in ALLOWED if "{collection}" in each[1]]:
        with subtests.test(method=method, path=path):
            expect(client.request(method, path_of(path, OTHER), headers=headers), 403, "collection_forbidden")
            assert client.request(method, path_of(path, OWN), headers=headers).status_code not in {401, 403}


def test_a_query_may_name_only_the_keys_own_collections(client, secrets):
    headers = bearer(secrets["own"])
    assert client.get("/calibration?collection=default", headers=headers).status_code == 200
    answer = client.get("/calibration?collection=default&collection=other", headers=headers)
    expect(answer, 403, "collection_forbidden")


def test_what_tells_of_all_collections_is_not_for_a_key_of_some(client, secrets):
    expect(client.get("/metrics", headers=bearer(secrets["own"])), 403, "collection_forbidden")
    assert "arcid_index_faces" in client.get("/metrics", headers=bearer(secrets[Scope.METRICS])).text


def test_where_no_collection_is_named_a_key_gets_its_own(client, store):
    services = client.app.state.services
    services.collections.create("own", {}, None)
    one, several = (
        bearer(store.create(NewKey(name, [Scope.RECOGNISE, Scope.MANAGE], among))[1])
        for name, among in (("one", ["own"]), ("several", ["own", "other"]))
    )
    assert client.get("/calibration", headers=one).json()["collection"] == "own"
    expect(client.get("/calibration", headers=several), 403, "collection_forbidden")
    page = client.get("/collections?limit=1", headers=one).json()
    assert [each["name"] for each in page["collections"]] == ["own"]
    assert page["next_cursor"] is None  # a cursor would reveal that there are more
    services.collections.delete("own")


# Life of a key


def test_a_revoked_key_stops_within_a_second(client, store, secrets):
    key, secret = store.create(NewKey("short", [Scope.RECOGNISE]))
    deadline = time.monotonic() + 1.5
    while client.get("/models", headers=bearer(secret)).status_code != 200:  # new: within a tenth
        assert time.monotonic() < deadline
    store.revoke("short")
    revoked = time.monotonic()
    while (answer := client.get("/models", headers=bearer(secret))).status_code == 200:
        assert time.monotonic() < revoked + 1.5
    expect(answer, 401, "key_invalid")
    assert "revoked" in answer.json()["detail"]
    assert secret not in answer.text
    assert key.key_id in answer.text


def test_the_trail_names_the_key_and_the_request(client, secrets, portrait):
    headers = {**bearer(secrets[Scope.ENROLL]), "X-Request-ID": "request-7"}
    assert client.post(
        "/enroll", files={"photos": portrait}, data={"identity_id": "eileen"}, headers=headers
    ).is_success
    headers = {**bearer(secrets[Scope.MANAGE]), "X-Request-ID": "request-8"}
    assert client.delete("/collections/default/identities/eileen", headers=headers).is_success
    trail = Trail(client.app.state.services.database.engine)
    enrolled, deleted = [each.entry for each in trail.lines()][-2:]
    assert (enrolled.action, enrolled.actor, enrolled.request_id, enrolled.subject) == (
        "identity.enrolled",
        "enroll",
        "request-7",
        "eileen",
    )
    assert (deleted.action, deleted.actor, deleted.request_id) == ("identity.deleted", "manage", "request-8")
    assert enrolled.key_id is not None
    assert trail.verify().breaks == []


def test_the_document_says_which_scope(app):
    paths = app.openapi()["paths"]
    assert "scope `enroll`" in paths["/enroll"]["post"]["description"]
    assert paths["/enroll"]["post"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert paths["/healthz"]["get"]["security"] == []
    assert {"401", "403"} <= set(paths["/models"]["get"]["responses"])
    assert set(app.openapi()["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    json.dumps(app.openapi())


def test_without_keys_everything_is_as_before(settings, databases, portrait):
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url}))
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.get("/models").status_code == 200
            assert client.post("/enroll", files={"photos": portrait}).status_code == 200
            expect(client.get("/nothing"), 404, "not_found")
            engine = app.state.services.database.engine
            assert [each.entry.actor for each in Trail(engine).lines()] == ["cli", "anonymous"]


def test_only_an_administrator_lets_fewer_people_decide(client, secrets):
    manage, admin = bearer(secrets[Scope.MANAGE]), bearer(secrets[Scope.ADMIN])
    client.post("/collections", json={"name": "pairs"}, headers=manage).raise_for_status()
    for reviewers in (1, 2, 2):
        client.patch("/collections/pairs", json={"reviewers": reviewers}, headers=manage).raise_for_status()
    expect(client.patch("/collections/pairs", json={"reviewers": 1}, headers=manage), 403, "scope_missing")
    assert client.patch("/collections/pairs", json={"reviewers": 1}, headers=admin).json()["reviewers"] == 1
