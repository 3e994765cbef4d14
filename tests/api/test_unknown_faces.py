import pytest

from tests.api.test_errors import expect
from tests.api.test_jobs import ended, zipped

ROOT = "/collections/visitors"


@pytest.fixture
def visitors(client):
    client.post("/collections", json={"name": "visitors", "remember_unknown_days": 7}).raise_for_status()
    yield ROOT
    client.delete(ROOT)


def identify(client, photo, *, collection="visitors", **fields):
    data = {"collection": collection, "remember_unknown": "true", **fields}
    return client.post("/identify", files={"photo": photo}, data=data)


def test_unknown_faces_of_a_photo_are_kept_on_request(client, visitors, group_photo, portrait):
    assert identify(client, portrait, remember_unknown="false").json()["remembered"] is None
    assert identify(client, group_photo).json()["remembered"] == 6
    assert identify(client, group_photo).json()["remembered"] == 0


def test_a_collection_must_allow_it(client, portrait):
    expect(identify(client, portrait, collection="default"), 409, "unknown_faces_off")


def test_a_search_among_some_people_says_nothing_of_strangers(client, visitors, portrait):
    expect(identify(client, portrait, where='{"site": "Oslo"}'), 422, "request_invalid")


def test_faces_are_kept_no_longer_than_the_service_allows(client, visitors):
    answer = client.patch(ROOT, json={"remember_unknown_days": 31})
    expect(answer, 422, "request_invalid")
    assert "ARCID_UNKNOWN_FACES__MOST_DAYS" in answer.json()["detail"]
    assert client.patch(ROOT, json={"remember_unknown_days": 30}).json()["remember_unknown_days"] == 30
    expect(client.post("/collections", json={"name": "others", "remember_unknown_days": 31}), 422, "request_invalid")


def ungrouped(client):
    return [each["face_id"] for each in client.get(f"{ROOT}/unknown-faces").json()["unknown_faces"]]


def test_groups_are_reviewed_over_the_api(client, visitors, group_photo):
    identify(client, group_photo)
    faces = ungrouped(client)
    made = client.post(f"{ROOT}/groups", json={"face_ids": faces[:3]})
    group = made.json()
    path = f"{ROOT}/groups/{group['group_id']}"
    assert (made.status_code, group["faces"], group["has_image"], made.headers["etag"]) == (
        201, 3, True, f'"{group["version"]}"'
    )  # fmt: skip
    listed = client.get(f"{ROOT}/groups").json()
    assert (listed["groups"], listed["total"], listed["unknown_faces"], listed["ungrouped"]) == ([group], 1, 6, 3)
    image = client.get(f"{ROOT}/unknown-faces/{group['face_id']}/image")
    assert (image.headers["content-type"], image.content[:2]) == ("image/jpeg", b"\xff\xd8")
    known = {"If-None-Match": image.headers["etag"]}
    assert client.get(f"{ROOT}/unknown-faces/{group['face_id']}/image", headers=known).status_code == 304
    split = client.post(f"{path}/split", json={"face_ids": faces[:1]}, headers={"If-Match": made.headers["etag"]})
    assert split.status_code == 201
    expect(
        client.patch(path, json={"state": "hidden"}, headers={"If-Match": made.headers["etag"]}),
        412,
        "precondition_failed",
    )
    merged = client.post(f"{path}/merge", json={"groups": [split.json()["group_id"]]}).json()
    assert merged["faces"] == 3
    expect(client.post(f"{path}/merge", json={"groups": [group["group_id"]]}), 422, "request_invalid")
    assert client.patch(path, json={"state": "ignored"}).json()["state"] == "ignored"
    assert client.get(f"{ROOT}/groups?state=ignored").json()["total"] == 1
    assert client.delete(path).json() == {"group_id": group["group_id"], "faces": 3}
    expect(client.get(path), 404, "group_unknown")


def test_a_group_is_enrolled_over_the_api(client, visitors, group_photo, faces_of):
    identify(client, group_photo)
    for face_id, identity in zip(ungrouped(client)[:2], ("ada", "bob"), strict=True):
        group = client.post(f"{ROOT}/groups", json={"face_ids": [face_id]}).json()["group_id"]
        answer = client.post(f"{ROOT}/groups/{group}/name", json={"identity_id": identity, "name": identity.title()})
        assert [each["face_id"] for each in answer.json()["faces"]] == [face_id]
    found = [
        client.post("/identify", files={"photo": each}, data={"collection": "visitors"}).json() for each in faces_of
    ]
    names = [face["candidates"][0]["name"] for each in found for face in each["faces"] if face["verdict"] == "match"]
    assert set(names) == {"Ada", "Bob"}
    third = client.post(f"{ROOT}/groups", json={"face_ids": ungrouped(client)[:1]}).json()["group_id"]
    expect(client.post(f"{ROOT}/groups/{third}/add", json={"identity_id": "eve"}), 404, "identity_unknown")
    added = client.post(f"{ROOT}/groups/{third}/add", json={"identity_id": "ada", "on_mismatch": "allow"})
    assert added.json()["identity_id"] == "ada"
    assert client.delete(f"{ROOT}/identities/ada").json()["enrollment_answers"] == 2


def test_photos_without_names_are_imported_and_grouped(client, visitors, group_photo, portrait):
    photos = zipped({"2026/group.jpg": group_photo, "2026/one.png": portrait, "2026/two.txt": b"no photo"})
    fields = {"kind": "import", "collection": "visitors", "unknown": "true"}
    for count, known in ((7, 0), (0, 2)):
        job = client.post("/jobs", data=fields, files={"file": photos}).json()
        result = ended(client, job["job_id"])["result"]
        assert result == {"photos": 3, "remembered": count, "known": known, "refused": 1}
    assert len(ungrouped(client)) == 7
    grouping = client.post("/jobs", json={"kind": "group", "collection": "visitors"}).json()
    assert ended(client, grouping["job_id"])["result"] == {
        "faces": 7, "grouped": 0, "new_groups": 0, "embedded": 0, "deleted": 0
    }  # fmt: skip
    refused = client.post("/jobs", data={**fields, "collection": "default"}, files={"file": photos}).json()
    assert ended(client, refused["job_id"])["failure"]["code"] == "unknown_faces_off"
