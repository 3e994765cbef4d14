from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.main import create_app
from app.notify.rule_store import LONGEST_COOLDOWN
from tests.api.test_errors import expect

NIGHT = {"start": "22:00", "end": "06:00", "time_zone": "Europe/Berlin"}


@pytest.fixture(scope="module")
def client(settings):
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_a_rule_from_its_creation_to_its_end(client):
    answer = client.post("/rules", json={"name": "Banned", "quiet_hours": NIGHT, "cooldown_seconds": 60})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made == made | {
        "name": "Banned",
        "event": "watchlist.hit",
        "collections": None,
        "cameras": None,
        "verdicts": ["match"],
        "is_live_required": False,
        "quiet_hours": NIGHT,
        "cooldown_seconds": 60,
        "send_to": None,
        "is_enabled": True,
    }
    path = answer.headers["location"]
    assert client.get(path).json() == made
    changed = client.patch(path, json={"quiet_hours": None, "send_to": [], "event": "sighting"}).json()
    assert changed == made | {
        "quiet_hours": None,
        "send_to": [],
        "event": "sighting",
        "updated_at": changed["updated_at"],
    }
    assert made["rule_id"] in [each["rule_id"] for each in client.get("/rules").json()["rules"]]
    assert client.delete(path).status_code == 204
    for answer in (client.get(path), client.delete(path), client.patch(path, json={"name": "x"})):
        expect(answer, 404, "rule_unknown")


def test_rules_come_in_pages(client):
    made = [client.post("/rules", json={"name": name}).json()["rule_id"] for name in "abc"]
    listed: list[str] = []
    cursor = None
    while cursor is not None or not listed:
        page = client.get("/rules", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        listed += [each["rule_id"] for each in page["rules"]]
        cursor = page["next_cursor"]
    assert listed == made
    for each in made:
        client.delete(f"/rules/{each}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("event", "job.finished"),
        ("collections", []),
        ("verdicts", []),
        ("verdicts", ["maybe"]),
        ("cooldown_seconds", -1),
        ("cooldown_seconds", LONGEST_COOLDOWN // timedelta(seconds=1) + 1),
        ("quiet_hours", {**NIGHT, "time_zone": "Europe/Nowhere"}),
        ("quiet_hours", {**NIGHT, "time_zone": "../../etc/passwd"}),
        ("quiet_hours", {**NIGHT, "time_zone": "Europe"}),
        ("quiet_hours", {**NIGHT, "start": "24:00"}),
        ("quiet_hours", {**NIGHT, "start": "06:00"}),
        ("is_enabled", None),
    ],
)
def test_what_is_no_rule_is_refused(client, field, value):
    answer = client.post("/rules", json={"name": "x", field: value})
    expect(answer, 422, "request_invalid")
    assert answer.json()["errors"][0]["field"].startswith(field)
    made = client.post("/rules", json={"name": "x"}).json()["rule_id"]
    expect(client.patch(f"/rules/{made}", json={field: value}), 422, "request_invalid")
    expect(client.patch(f"/rules/{made}", json={}), 422, "request_invalid")
    client.delete(f"/rules/{made}")


def test_a_wrong_time_of_day_shows_a_right_one(client):
    answer = client.post("/rules", json={"name": "x", "quiet_hours": {**NIGHT, "start": "10pm"}})
    assert answer.json()["detail"] == "quiet_hours.start: must be a time of day from 00:00 to 23:59, such as 22:00"


@pytest.mark.parametrize(
    ("field", "code"),
    [("collections", "collection_unknown"), ("cameras", "camera_unknown"), ("send_to", "destination_unknown")],
)
def test_a_rule_names_nothing_that_does_not_exist(client, field, code):
    expect(client.post("/rules", json={"name": "x", field: ["typo"]}), 404, code)


def test_a_key_for_some_collections_has_rules_for_these_only(settings, databases):
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url}))
        with TestClient(app, raise_server_exceptions=False) as client:
            keys = KeyStore(app.state.services.database.engine)
            secrets = [
                keys.create(NewKey(name, [Scope.MANAGE], among))[1] for name, among in (("all", None), ("own", ["a"]))
            ]
            everybody, own = ({"Authorization": f"Bearer {secret}"} for secret in secrets)
            for name in ("a", "b"):
                assert client.post("/collections", json={"name": name}, headers=everybody).status_code == 201
            client.post("/rules", json={"name": "wide"}, headers=everybody)
            both = {"name": "both", "collections": ["a", "b"]}
            wide = client.post("/rules", json=both, headers=everybody).json()["rule_id"]
            made = client.post("/rules", json={"name": "own", "collections": ["a"]}, headers=own).json()["rule_id"]
            listed = client.get("/rules", headers=own).json()["rules"]
            assert [each["name"] for each in listed] == ["own"]
            for answer in (
                client.post("/rules", json={"name": "x"}, headers=own),
                client.post("/rules", json=both, headers=own),
                client.patch(f"/rules/{made}", json={"collections": None}, headers=own),
                client.patch(f"/rules/{made}", json={"collections": ["a", "b"]}, headers=own),
            ):
                expect(answer, 403, "collection_forbidden")
            for method in ("GET", "DELETE"):
                expect(client.request(method, f"/rules/{wide}", headers=own), 404, "rule_unknown")
            expect(client.patch(f"/rules/{wide}", json={"name": "x"}, headers=own), 404, "rule_unknown")
            assert client.patch(f"/rules/{made}", json={"name": "y"}, headers=own).json()["name"] == "y"
