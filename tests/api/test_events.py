import json

import pytest
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.main import create_app
from app.notify.sighting import SightingVerdict
from tests.api.test_errors import expect
from tests.notify.sightings import sighting


@pytest.fixture(scope="module")
def app(settings):
    return create_app(settings)


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, raise_server_exceptions=False) as client:
        for name in ("a", "b"):
            app.state.services.collections.create(name, {}, None)
        yield client


def see(app, collection="a", **changes):
    unknown = {"verdict": SightingVerdict.UNKNOWN, "identity_id": None, "name": None, **changes}
    return app.state.services.sightings.record(sighting(collection=collection, **unknown))[0]


def streamed(client, headers=(), **query):
    """Return the events that a stream yields within a moment: (id, event, data)."""
    client.get("/events", headers=dict(headers))  # gives new events their positions
    answer = client.get("/events/stream", params={"seconds": 0.3, **query}, headers=dict(headers))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def test_events_are_listed_by_their_positions_and_filters(app, client):
    ids = [see(app), see(app, camera="yard"), see(app, "b")]
    listed = client.get("/events").json()
    assert [each["id"] for each in listed["events"]] == ids
    assert listed["next_cursor"] is None
    first = listed["events"][0]
    assert (first["kind"], first["key"], first["collection"], first["has_image"]) == (
        "person.unknown",
        "camera:door",
        "a",
        False,
    )
    assert first["data"]["verdict"] == "unknown"

    def found(**query):
        return [ids.index(each["id"]) for each in client.get("/events", params=query).json()["events"]]

    assert found(order="newest") == [2, 1, 0]
    assert found(camera="yard") == [1]
    assert found(collection="a", camera="door") == [0]
    assert found(kind="person.unknown,job.finished") == [0, 1, 2]
    assert found(kind="job.finished") == []
    refused = client.get("/events", params={"kind": "person.recognized"}).json()["detail"]
    assert "'person.recognized' is not a kind of event" in refused
    assert "person.recognised, " in refused
    for query in ({"kind": "nothing"}, {"kind": ""}, {"order": "best"}):
        expect(client.get("/events", params=query), 422, "request_invalid")
    page = client.get("/events", params={"limit": 2, "order": "newest"}).json()
    assert [ids.index(each["id"]) for each in page["events"]] == [2, 1]
    rest = client.get("/events", params={"order": "newest", "cursor": page["next_cursor"]}).json()
    assert [ids.index(each["id"]) for each in rest["events"]] == [0]


def test_a_stream_resumes_where_it_ended(app, client):
    end = client.get("/events", params={"order": "newest", "limit": 1}).json()["events"][0]["position"]
    see(app)
    see(app, "b", camera="yard")
    assert [position for position, _, _ in streamed(client, after=end)] == [end + 1, end + 2]
    header = {"Last-Event-ID": str(end + 1)}
    ((position, kind, data),) = streamed(client, header, after=end)
    assert (position, kind, data["position"], data["key"]) == (end + 2, "person.unknown", end + 2, "camera:yard")
    assert [position for position, _, _ in streamed(client, after=end, collection="a")] == [end + 1]
    assert streamed(client) == []
    assert len(streamed(client, {"Last-Event-ID": "nonsense"}, after=end)) == 2


def test_an_image_is_shown_while_the_event_exists(app, client):
    event_id = see(app, best_shot=b"\xff\xd8JPEG")
    answer = client.get(f"/events/{event_id}/image")
    assert (answer.content, answer.headers["content-type"]) == (b"\xff\xd8JPEG", "image/jpeg")
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/events", params={"order": "newest"}).json()["events"][0]["has_image"] is True
    client.delete("/collections/a")
    expect(client.get(f"/events/{event_id}/image"), 404, "event_image_unknown")


def test_a_key_for_some_collections_sees_their_events_only(settings, databases):
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url}))
        with TestClient(app, raise_server_exceptions=False) as client:
            services = app.state.services
            for name in ("a", "b"):
                services.collections.create(name, {}, None)
            _, secret = KeyStore(services.database.engine).create(NewKey("own", [Scope.MANAGE], ["a"]))
            own = {"Authorization": f"Bearer {secret}"}
            mine, other = see(app), see(app, "b", best_shot=b"JPEG")
            assert [each["id"] for each in client.get("/events", headers=own).json()["events"]] == [mine]
            assert [data["id"] for _, _, data in streamed(client, own, after=0)] == [mine]
            expect(client.get("/events?collection=b", headers=own), 403, "collection_forbidden")
            expect(client.get(f"/events/{other}/image", headers=own), 404, "event_image_unknown")


def test_more_streams_than_allowed_are_refused(settings, databases):
    limits = settings.limits.model_copy(update={"event_streams": 0})
    with TestClient(create_app(settings.model_copy(update={"limits": limits}))) as client:
        expect(client.get("/events/stream"), 503, "overloaded")
