"""The audit trail by the API: look up, download, verify."""

import json

import pytest
from starlette.testclient import TestClient

from app.access.keys import NewKey, Scope
from app.main import create_app
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer


@pytest.fixture(scope="module")
def client(settings, databases):
    """Return a client with an admin key, after three changes."""
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url}))
        with TestClient(app, raise_server_exceptions=False) as client:
            _, secret = app.state.services.keys.create(NewKey("root", [Scope.ADMIN]))
            app.state.services.access.refresh()
            client.headers.update(bearer(secret))
            client.post("/collections", json={"name": "staff"}, headers={"X-Request-ID": "request-1"})
            client.patch("/collections/staff", json={"enroll_quality": 0.3})
            client.post("/keys", json={"name": "door", "scopes": ["enroll"], "collections": ["staff"]})
            yield client


def actions(answer):
    return [each["action"] for each in answer.json()["lines"]]


def test_the_newest_lines_come_first(client):
    answer = client.get("/audit")
    assert actions(answer)[:3] == ["key.created", "collection.changed", "collection.created"]
    newest, _, created = answer.json()["lines"][:3]
    assert (newest["actor"], newest["subject"], newest["detail"]["scopes"]) == ("root", "door", ["enroll"])
    assert (created["collection"], created["request_id"]) == ("staff", "request-1")
    assert answer.json()["unreadable"] == 0


def test_pages(client):
    everything = client.get("/audit").json()["lines"]
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/audit?limit=2{cursor and f'&cursor={cursor}'}").json()
        seen += page["lines"]
        cursor = page["next_cursor"]
    assert seen == everything
    assert [each["seq"] for each in seen] == list(range(len(seen), 0, -1))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("action=collection.changed", ["collection.changed"]),
        ("collection=staff", ["collection.changed", "collection.created"]),
        ("subject=door", ["key.created"]),
        ("actor=cli&action=collection.created", ["collection.created"]),
        ("since=2100-01-01T00:00:00Z", []),
        ("until=2001-01-01T00:00:00Z", []),
        ("until=0001-01-01T00:00:00-23:59", []),
        ("since=9999-12-31T23:59:59-23:59", []),
    ],
)
def test_filters(client, query, found):
    assert actions(client.get(f"/audit?{query}")) == found
    exported = client.get(f"/audit/export?{query}").text.splitlines()
    assert [json.loads(each)["action"] for each in exported] == found


@pytest.mark.parametrize(
    "query",
    [
        "action=nothing",
        "since=yesterday",
        "since=0.5",
        "until=1700000000",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "collection=a%20b",
        "cursor=x",
        "limit=0",
    ],
)
def test_what_is_no_filter(client, query):
    expect(client.get(f"/audit?{query}"), 422, "request_invalid")


@pytest.mark.parametrize(
    ("time", "detail"),
    [
        ("yesterday", "must be a date and time with its zone, such as 2027-01-31T12:00:00Z"),
        ("1700000000", "must be a date and time with its zone, such as 2027-01-31T12:00:00Z"),
        (
            "2026-01-32T00:00:00Z",
            "must be a date and time with its zone, such as 2027-01-31T12:00:00Z, not '2026-01-32T",
        ),
        (
            "2026-01-02T00:00:00",
            "lacks its time zone; end it with Z for UTC or an offset, such as 2027-01-31T12:00:00Z",
        ),
        ("2026-01-02T00:00:00+02:00", "has a space before its offset, because + in a query is a space; write %2B"),
    ],
)
def test_a_wrong_time_is_told_what_it_lacks(client, time, detail):
    problem = client.get(f"/audit?since={time}").json()
    assert problem["detail"].startswith(f"query parameter since: {detail}")


def test_a_download_has_every_line(client):
    answer = client.get("/audit/export")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert "audit.ndjson" in answer.headers["Content-Disposition"]
    trail = client.app.state.services.trail
    assert [json.loads(each) for each in answer.text.splitlines()] == [each.content() for each in trail.lines()][::-1]


def test_a_download_longer_than_a_page(client, monkeypatch):
    monkeypatch.setattr("app.api.routes.audit._AT_ONCE", 2)
    assert len(client.get("/audit/export").text.splitlines()) == client.get("/audit").json()["lines"][0]["seq"]


def test_verification(client):
    report = client.get("/audit/verification").json()
    assert (report["is_unbroken"], report["broken"], report["breaks"]) == (True, 0, [])
    assert report["lines"] == len(client.get("/audit").json()["lines"])
    assert client.get("/audit/verification", params={"anchor": report["anchor"]}).json()["is_unbroken"]
    forged = client.get("/audit/verification", params={"anchor": f"2:{'0' * 64}"}).json()
    assert (forged["is_unbroken"], forged["broken"]) == (False, 1)
    assert forged["breaks"] == [{"seq": 2, "what": "the line does not have the hash of the given anchor"}]
    expect(client.get("/audit/verification?anchor=2"), 422, "request_invalid")


def test_a_key_for_some_collections_sees_nothing(client):
    made = client.post("/keys", json={"name": "own", "scopes": ["admin"], "collections": ["staff"]}).json()
    for path in ("/audit", "/audit?collection=staff", "/audit/export", "/audit/verification"):
        expect(client.get(path, headers=bearer(made["secret"])), 403, "collection_forbidden")
    client.delete(f"/keys/{made['key_id']}")
