"""Cameras by the API: their settings and status, and frames that clients post."""

import sys

import pytest

from app.access.keys import NewKey, Scope
from app.remote.camera_urls import CameraUrlRules
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer

DOOR = {"camera_id": "door", "collection": "default"}
URL = "rtsp://viewer:secret@10.0.3.7/stream1?key=secret"


@pytest.fixture
def hosts(client, monkeypatch):
    """Allow some hosts; no camera is enabled, so nothing connects."""
    monkeypatch.setattr(client.app.state.services.cameras, "_rules", CameraUrlRules.parse(("10.0.3.0/24", "cam.lan")))


@pytest.fixture
def door(client):
    made = client.post("/cameras", json=DOOR)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == "/cameras/door"
    yield made.json()
    client.delete("/cameras/door")


def test_a_camera_is_created_listed_changed_and_deleted(client, door):
    assert door["reads"] == "posted"
    assert door["status"]["state"] == "waiting"
    assert client.get("/cameras").json() == {"cameras": [door], "next_cursor": None}
    changed = client.patch("/cameras/door", json={"fps": 2, "images": True, "motion": False}).json()
    assert changed == {**door, "fps": 2.0, "images": True, "motion": False, "status": changed["status"]}
    assert client.get("/cameras/door").json() == changed
    assert client.delete("/cameras/door").status_code == 204
    expect(client.get("/cameras/door"), 404, "camera_unknown")
    expect(client.delete("/cameras/door"), 404, "camera_unknown")


def test_a_password_never_comes_back(client, hosts):
    made = client.post("/cameras", json={**DOOR, "url": URL, "enabled": False})
    assert made.json()["url"] == "rtsp://viewer:***@10.0.3.7/stream1?***"
    expect(client.patch("/cameras/door", json={"url": made.json()["url"]}), 422, "camera_url_not_allowed")
    masked = {"url": "rtsp://10.0.3.7/stream1?***"}
    expect(client.patch("/cameras/door", json=masked), 422, "camera_url_not_allowed")
    kept = client.patch("/cameras/door", json={"fps": 1})
    assert kept.json()["url"] == made.json()["url"]
    assert client.app.state.services.camera_repository.get("door").setup.url == URL
    assert "secret" not in made.text + kept.text + client.get("/cameras").text + client.get("/audit").text
    client.delete("/cameras/door")


def test_how_frames_come_follows_the_url(client, hosts, door):
    def change(**changes):
        return client.patch("/cameras/door", json={"enabled": False, **changes}).json()["reads"]

    assert change(url="http://cam.lan/shot.jpg", reads="snapshots") == "snapshots"
    assert change(url="https://cam.lan/shot.jpg") == "snapshots"
    assert change(url="rtsp://cam.lan/", reads="stream") == "stream"
    assert change(fps=1) == "stream"
    assert change(url=None) == "posted"
    assert change(reads="snapshots") == "posted"


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "rtsp://10.0.4.7/"},
        {"url": "file:///etc/passwd"},
        {"url": "https://cam.lan/"},
        {"url": "rtsp://cam.lan/", "reads": "snapshots"},
    ],
)
def test_urls_that_are_not_allowed(client, hosts, fields):
    expect(client.post("/cameras", json={**DOOR, **fields}), 422, "camera_url_not_allowed")


def test_without_hosts_no_url_is_allowed(client):
    expect(client.post("/cameras", json={**DOOR, "url": URL}), 422, "camera_url_not_allowed")


def test_a_stream_needs_pyav(client, hosts, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    expect(client.post("/cameras", json={**DOOR, "url": URL}), 409, "video_unavailable")
    made = client.post("/cameras", json={**DOOR, "url": "http://cam.lan/", "reads": "snapshots", "enabled": False})
    assert made.status_code == 201
    client.delete("/cameras/door")


def test_what_cannot_be_created(client, door, monkeypatch):
    expect(client.post("/cameras", json=DOOR), 409, "camera_exists")
    expect(client.post("/cameras", json={**DOOR, "camera_id": "gate", "collection": "x"}), 404, "collection_unknown")
    expect(client.post("/cameras", json={**DOOR, "camera_id": "../x"}), 422, "request_invalid")
    monkeypatch.setattr(client.app.state.services.cameras, "_most", 1)
    expect(client.post("/cameras", json={**DOOR, "camera_id": "gate"}), 409, "too_many_cameras")


# Posted frames


def test_snapshots_need_a_url(client):
    refused = client.post("/cameras", json={**DOOR, "reads": "snapshots"})
    expect(refused, 422, "request_invalid")
    assert "snapshots need a url" in refused.json()["detail"]


def test_posted_frames_become_one_sighting(client, door, faces_of):
    client.post("/enroll", files={"photos": faces_of[0]}, data={"identity_id": "ada", "name": "Ada"})
    sightings, times = [], [f"2026-11-29T09:00:0{number}Z" for number in range(3)]
    for at in times:
        answer = client.post("/watch/door/frames", files={"frames": faces_of[0]}, data={"times": at})
        assert answer.json()["frames"] == [{"frame": 0, "searched": True, "code": None}], answer.text
        sightings += answer.json()["sightings"]
    assert answer.json()["open_tracks"] == 1
    assert [(each["verdict"], each["identity_id"], each["name"]) for each in sightings] == [("match", "ada", "Ada")]
    assert sightings[0]["similarity"] == round(sightings[0]["similarity"], 3)
    assert 'arcid_camera_frames_total{camera="door"} 3.0' in client.get("/metrics").text


def test_several_frames_at_once(client, door, faces_of):
    files = [("frames", ("1.txt", b"text")), ("frames", ("2.jpg", faces_of[1]))]
    answer = client.post("/watch/door/frames", files=files).json()
    assert [each["code"] for each in answer["frames"]] == ["not_an_image", None]
    again = client.post("/watch/door/frames", files=files[1:]).json()
    assert [each["code"] for each in again["frames"]] == ["too_fast"]


@pytest.mark.parametrize(
    ("data", "field"),
    [({"times": "soon"}, "times.0"), ({"times": "2026-01-01T00:00:00Z, x"}, "times.0"), ({"times": "[1"}, "times")],
)
def test_times_that_are_none(client, door, faces_of, data, field):
    answer = client.post("/watch/door/frames", files={"frames": faces_of[0]}, data=data)
    expect(answer, 422, "request_invalid")
    assert answer.json()["errors"][0]["field"] == field


def test_times_as_json(client, door, faces_of):
    times = {"times": '["2026-11-29T09:00:00Z"]'}
    answer = client.post("/watch/door/frames", files={"frames": faces_of[0]}, data=times)
    assert answer.status_code == 200, answer.text


def test_a_camera_with_a_url_or_disabled_takes_no_frames(client, hosts, door, faces_of):
    client.patch("/cameras/door", json={"enabled": False})
    expect(client.post("/watch/door/frames", files={"frames": faces_of[0]}), 409, "camera_takes_no_frames")
    expect(client.post("/watch/gate/frames", files={"frames": faces_of[0]}), 404, "camera_unknown")


def test_an_unknown_person_is_remembered_if_the_collection_does_that(client, door, faces_of, monkeypatch):
    client.app.state.services.camera_workers.step()  # ends the tracks of earlier tests' cameras
    kept = []
    unknown = client.app.state.services.unknown_faces
    monkeypatch.setattr(unknown, "require", lambda name: name)
    monkeypatch.setattr(unknown, "remember_photo", lambda *args, **named: kept.append((*args, named)))
    for second in range(6):
        data = {"times": f"2026-11-29T10:00:0{second}Z"}
        client.post("/watch/door/frames", files={"frames": faces_of[4]}, data=data)
    workers = client.app.state.services.camera_workers
    workers._posted["door"]._searched -= 60
    workers.step()
    ((collection, photo, named),) = kept
    assert (collection, photo[:2], named["origin"], named["source"]) == ("default", b"\xff\xd8", "camera", "door")


# Restriction to collections: last, because keys are required from then on


def test_a_key_sees_only_the_cameras_of_its_collections(client, door, faces_of):
    keys = client.app.state.services.keys
    all_, other = (
        bearer(keys.create(NewKey(name, [Scope.MANAGE, Scope.RECOGNISE, Scope.ADMIN], among))[1])
        for name, among in (("all", None), ("other", ["other"]))
    )
    client.app.state.services.access.refresh()
    assert client.get("/cameras", headers=other).json()["cameras"] == []
    for answer in (
        client.get("/cameras/door", headers=other),
        client.patch("/cameras/door", json={"fps": 1}, headers=other),
        client.delete("/cameras/door", headers=other),
        client.post("/watch/door/frames", files={"frames": faces_of[0]}, headers=other),
    ):
        expect(answer, 404, "camera_unknown")
    expect(client.post("/cameras", json={**DOOR, "camera_id": "gate"}, headers=other), 403, "collection_forbidden")
    assert client.delete("/cameras/door", headers=all_).status_code == 204
