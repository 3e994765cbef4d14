"""API keys by the API: the first one, those that it creates, and what each of them may see."""

import pytest
from starlette.testclient import TestClient

from app.access.keys import NewKey, Scope
from app.access.trail import Trail
from app.main import create_app
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer

LOCAL = "http://localhost:8000"
FIRST = {"name": "first", "scopes": ["admin"]}


@pytest.fixture
def app(settings, databases):
    with databases.url() as url:
        yield create_app(settings.model_copy(update={"database_url": url}))


@pytest.fixture
def client(app):
    with TestClient(app, LOCAL, client=("127.0.0.1", 50000), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def admin(client):
    """Sign in with the first key."""
    client.headers.update(bearer(client.post("/keys", json=FIRST).json()["secret"]))
    return client


def test_from_no_key_to_the_first_one(client):
    caller = client.get("/me").json()
    assert (caller["name"], caller["key_id"]) == ("anonymous", None)
    assert (caller["keys_required"], caller["can_create_keys"]) == (False, True)
    assert client.get("/keys").json() == {"keys": [], "next_cursor": None}
    answer = client.post("/keys", json=FIRST)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json()
    assert answer.headers["Location"] == f"/keys/{made['key_id']}"
    expect(client.get("/me"), 401, "key_missing")  # at once
    expect(client.post("/keys", json={**FIRST, "name": "second"}), 401, "key_missing")
    caller = client.get("/me", headers=bearer(made["secret"])).json()
    assert caller["scopes"] == [each.value for each in Scope]
    assert (caller["name"], caller["keys_required"], caller["can_create_keys"]) == ("first", True, True)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-Forwarded-For": "203.0.113.7"}, "first_key_forbidden"),
        ({"Forwarded": "for=203.0.113.7"}, "first_key_forbidden"),
        ({"Via": "1.1 proxy"}, "first_key_forbidden"),
        ({"X-Real-IP": "127.0.0.1"}, "first_key_forbidden"),
        ({"Host": "testserver"}, "host_forbidden"),  # named in the settings of the tests
        ({"Host": "evil.test"}, "host_forbidden"),
        ({"Origin": "http://evil.test"}, "origin_forbidden"),
        ({"Sec-Fetch-Site": "same-site"}, "origin_forbidden"),
    ],
)
def test_nobody_else_creates_the_first_key(client, headers, code):
    expect(client.post("/keys", json=FIRST, headers=headers), 403, code)
    assert client.get("/keys").json()["keys"] == []


@pytest.mark.parametrize("address", ["192.168.1.9", "172.17.0.1", "::ffff:203.0.113.7", "unknown", ""])
def test_no_other_machine_creates_the_first_key(app, address):
    with TestClient(app, LOCAL, client=(address, 50000), raise_server_exceptions=False) as client:
        expect(client.post("/keys", json=FIRST), 403, "first_key_forbidden")
        assert "arcid keys create" in client.post("/keys", json=FIRST).json()["detail"]
        assert client.get("/me").json()["can_create_keys"] is False


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_does(app, address):
    with TestClient(app, "http://127.0.0.1", client=(address, 50000)) as client:
        assert client.post("/keys", json=FIRST).status_code == 201


def test_a_proxy_that_is_trusted_is_still_a_proxy(settings, databases):
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url, "proxies": ("127.0.0.1",)}))
        with TestClient(app, LOCAL, client=("127.0.0.1", 50000), raise_server_exceptions=False) as client:
            headers = {"X-Forwarded-For": "127.0.0.1"}
            expect(client.post("/keys", json=FIRST, headers=headers), 403, "first_key_forbidden")


def test_the_first_key_must_be_an_admin(client):
    for change in ({"scopes": ["manage"]}, {"collections": ["default"]}, {"expires_at": "2100-01-01T00:00:00Z"}):
        answer = client.post("/keys", json={**FIRST, **change})
        expect(answer, 422, "request_invalid")
        assert answer.json()["errors"][0]["field"] == "scopes"
    assert client.get("/keys").json()["keys"] == []


def test_a_key_from_its_creation_to_its_end(admin):
    sent = {
        "name": "door",
        "scopes": ["recognise", "enroll"],
        "collections": ["default"],
        "expires_at": "2100-01-01T00:00:00Z",
        "rate": "100/minute",
        "quota": "none",
    }
    made = admin.post("/keys", json=sent).json()
    secret = made.pop("secret")
    assert {name: made[name] for name in sent} == sent
    assert (made["state"], made["revoked_at"]) == ("active", None)
    assert admin.get(f"/keys/{made['key_id']}").json() == made
    assert [each["name"] for each in admin.get("/keys").json()["keys"]] == ["first", "door"]
    caller = admin.get("/me", headers=bearer(secret)).json()
    assert caller == {
        **{name: made[name] for name in ("key_id", "name", "scopes", "collections", "expires_at", "rate", "quota")},
        "is_session": False,
        "keys_required": True,
        "can_create_keys": False,
    }
    revoked = admin.delete(f"/keys/{made['key_id']}").json()
    assert revoked["state"] == "revoked"
    expect(admin.get("/me", headers=bearer(secret)), 401, "key_invalid")
    assert admin.get(f"/keys/{made['key_id']}").json() == revoked
    assert [each["name"] for each in admin.get("/keys?state=active").json()["keys"]] == ["first"]
    expect(admin.delete(f"/keys/{made['key_id']}"), 404, "key_unknown")


def test_no_answer_but_the_first_has_the_secret(admin):
    made = admin.post("/keys", json={"name": "door", "scopes": ["enroll"]}).json()
    random = made["secret"].split("_", 2)[2]
    for path in ("/keys", f"/keys/{made['key_id']}", "/me"):
        assert random not in admin.get(path).text


def test_refusals(admin):
    expect(admin.post("/keys", json=FIRST), 409, "key_exists")
    only = admin.get("/keys").json()["keys"][0]["key_id"]
    expect(admin.delete(f"/keys/{only}"), 409, "last_admin_key")
    changes: list[dict[str, object]] = [
        {"scopes": []},
        {"scopes": ["root"]},
        {"name": "a b"},
        {"rate": "5/week"},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"collections": []},
    ]
    for change in changes:
        expect(admin.post("/keys", json={"name": "door", "scopes": ["enroll"], **change}), 422, "request_invalid")
    expect(admin.get("/keys/nothing"), 404, "key_unknown")


def test_an_admin_of_some_collections(admin):
    admin.post("/keys", json={"name": "visitors", "scopes": ["enroll"], "collections": ["visitors"]})
    own = admin.post("/keys", json={"name": "staff", "scopes": ["admin"], "collections": ["staff"]}).json()
    headers = bearer(own["secret"])
    assert [each["name"] for each in admin.get("/keys", headers=headers).json()["keys"]] == ["staff"]
    new = {"name": "kiosk", "scopes": ["recognise"]}
    expect(admin.post("/keys", json=new, headers=headers), 403, "grant_forbidden")
    expect(admin.post("/keys", json={**new, "collections": ["visitors"]}, headers=headers), 403, "grant_forbidden")
    assert admin.post("/keys", json={**new, "collections": ["staff"]}, headers=headers).status_code == 201


def test_the_trail_names_who_created_and_revoked(admin):
    made = admin.post("/keys", json={"name": "door", "scopes": ["enroll"]}).json()
    admin.delete(f"/keys/{made['key_id']}", headers={"X-Request-ID": "request-9"})
    lines = [each.entry for each in Trail(admin.app.state.services.database.engine).lines()]
    assert [(each.action, each.actor, each.subject) for each in lines[-3:]] == [
        ("key.created", "anonymous", "first"),
        ("key.created", "first", "door"),
        ("key.revoked", "first", "door"),
    ]
    assert lines[-1].request_id == "request-9"


def test_a_key_of_the_command_line_is_listed(admin):
    admin.app.state.services.keys.create(NewKey("monitor", [Scope.METRICS]))
    assert [each["name"] for each in admin.get("/keys").json()["keys"]] == ["first", "monitor"]
