"""Destinations of events by the API, with a real webhook."""

import time

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from app.access.keys import NewKey, Scope
from app.access.trail import Trail
from app.config import DeliverySettings
from app.database.delivery_tables import DeliveryTable
from app.main import create_app
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer
from tests.notify.receivers import webhook

UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def hook():
    with webhook() as running:
        yield running


@pytest.fixture
def client(settings, databases):
    delivery = DeliverySettings(hosts=("127.0.0.1",), seconds=5)
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url, "delivery": delivery}))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


@pytest.fixture
def made(client, hook):
    hook.requests.clear()
    return client.post("/destinations", json={"kind": "webhook", "url": f"{hook.url}/secret-path"}).json()


def sent_test(client, destination, state="delivered"):
    """Send a test event and return its delivery once it is in a state, or has failed."""
    event_id = client.post(f"/destinations/{destination}/test").json()["event_id"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        page = client.get(f"/destinations/{destination}/deliveries").json()
        found = [each for each in page["deliveries"] if each["event_id"] == event_id]
        if found and (found[0]["state"] == state and found[0]["attempts"]):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(page)


def test_a_test_event_arrives_signed(client, hook, made):
    delivery = sent_test(client, made["destination_id"])
    assert (delivery["kind"], delivery["attempts"], delivery["error"]) == ("test", 1, None)
    _, headers, body = hook.requests[-1]
    content = Webhook(made["secret"]).verify(body, headers)
    assert content["data"]["event_id"] == delivery["event_id"] == headers["webhook-id"]


def test_a_destination_is_shown_without_its_url_and_secret(client, made):
    path = f"/destinations/{made['destination_id']}"
    shown = client.get(path).json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert client.get("/destinations").json() == {"destinations": [shown]}
    changed = client.patch(path, json={"kinds": ["job.finished"], "is_image_sent": True}).json()
    assert changed == shown | {"kinds": ["job.finished"], "is_image_sent": True}
    assert client.patch(path, json={"kinds": None}).json()["kinds"] is None
    with_path = client.patch(path, json={"url": "https://other.example/secret-path"})
    assert with_path.json()["origin"] == "https://other.example"
    assert "secret-path" not in with_path.text + str(made)
    trail = [line.content() for line in Trail(client.app.state.services.database.engine).lines()]
    assert "secret-path" not in str(trail)
    assert [each["action"] for each in trail][-4:] == ["destination.created"] + ["destination.changed"] * 3


def test_during_a_rotation_events_have_both_signatures(client, hook, made):
    path = f"/destinations/{made['destination_id']}"
    answer = client.post(f"{path}/secret?previous_hours=1")
    rotated = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert rotated["previous_until"] is not None
    sent_test(client, made["destination_id"])
    _, headers, body = hook.requests[-1]
    assert Webhook(rotated["secret"]).verify(body, headers) == Webhook(made["secret"]).verify(body, headers)
    assert client.post(f"{path}/secret?previous_hours=0").json()["previous_until"] is None
    sent_test(client, made["destination_id"])
    assert " " not in hook.requests[-1][1]["webhook-signature"]


def test_a_failure_is_shown_and_a_dead_letter_can_be_replayed(client, hook, made):
    path = f"/destinations/{made['destination_id']}"
    hook.answers["/secret-path"] = (500, {})
    delivery = sent_test(client, made["destination_id"], state="pending")
    assert (delivery["status"], delivery["error"]) == (500, "status 500")
    hook.answers.clear()
    with client.app.state.services.database.engine.begin() as connection:
        connection.execute(update(DeliveryTable).values(state="dead"))
    assert len(client.get(f"{path}/deliveries?state=dead").json()["deliveries"]) == 1
    assert client.post(f"{path}/replay?event_id={UNKNOWN}").json() == {"deliveries": 0}
    assert client.post(f"{path}/replay").json() == {"deliveries": 1}
    metrics = client.get("/metrics").text
    assert "arcid_deliveries_dead 0.0" in metrics
    assert 'arcid_deliveries_total{outcome="failed"}' in metrics


def test_a_deleted_or_unknown_destination(client, made):
    assert client.delete(f"/destinations/{made['destination_id']}").status_code == 204
    for destination in (made["destination_id"], UNKNOWN):
        expect(client.get(f"/destinations/{destination}"), 404, "destination_unknown")
    expect(client.get("/destinations/nothing"), 422, "request_invalid")


def test_a_disabled_destination_gets_nothing(client, made):
    path = f"/destinations/{made['destination_id']}"
    client.patch(path, json={"is_enabled": False})
    expect(client.post(f"{path}/test"), 409, "destination_disabled")
    expect(client.post(f"{path}/replay"), 409, "destination_disabled")


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/", "https://127.0.0.2:99/", "https://user:password@hooks.example/", "ftp://hooks.example/"],
)
def test_urls_that_events_are_not_sent_to(client, url):
    answer = client.post("/destinations", json={"kind": "webhook", "url": url})
    expect(answer, 422, "request_invalid")
    assert answer.json()["errors"][0]["field"] == "url"
    assert "password" not in answer.json()["detail"] or "must not contain" in answer.json()["detail"]


def test_a_change_of_nothing_is_refused(client, made):
    expect(client.patch(f"/destinations/{made['destination_id']}", json={}), 422, "request_invalid")


def test_a_key_for_some_collections_manages_its_own_destinations(client, hook, made):
    client.post("/collections", json={"name": "staff"})
    new = client.app.state.services.keys.create
    _, secret = new(NewKey("staff", {Scope.ADMIN}, {"staff"}))
    client.app.state.services.access.refresh()
    client.headers.update(bearer(secret))
    body = {"kind": "webhook", "url": hook.url}
    expect(client.post("/destinations", json=body), 403, "collection_forbidden")
    own = client.post("/destinations", json={**body, "collections": ["staff"]}).json()
    assert [each["destination_id"] for each in client.get("/destinations").json()["destinations"]] == [
        own["destination_id"]
    ]
    expect(client.get(f"/destinations/{made['destination_id']}"), 404, "destination_unknown")
