"""Several photos of one probe."""

import base64

import pytest

from tests.api.test_errors import expect


@pytest.fixture(scope="module", autouse=True)
def _enrolled(client, faces_of):
    for number, face in enumerate(faces_of[:2]):
        data = {"identity_id": f"person-{number}"}
        assert client.post("/enroll", files={"photos": face}, data=data).status_code == 200


def test_a_probe_of_several_photos(client, faces_of, faceless):
    files = [("probe", faces_of[0]), ("probe", faceless), ("probe", faces_of[0])]
    body = client.post("/verify", files=files, data={"identity_id": "person-0"}).json()
    assert body["verdict"] == "match"
    assert [(each["photo"], each["used"], each["code"]) for each in body["photos"]] == [
        (0, True, None),
        (1, False, "no_face"),
        (2, True, None),
    ]
    assert body["photos"][0]["face"] == body["probe_face"]
    assert body["photos"][1]["face"] is None


def test_the_person_of_several_photos(client, faces_of):
    files = [("photo", faces_of[1]), ("photo", faces_of[1])]
    body = client.post("/identify", files=files, data={"photos_of": "one_person"}).json()
    (face,) = body["faces"]
    assert (face["verdict"], face["candidates"][0]["identity_id"]) == ("match", "person-1")
    assert [each["used"] for each in body["photos"]] == [True, True]


def test_lists_in_json(client, faces_of):
    photos = [base64.b64encode(faces_of[1]).decode()] * 2
    body = client.post("/identify", json={"photo": photos, "photos_of": "one_person"}).json()
    assert body["faces"][0]["candidates"][0]["identity_id"] == "person-1"
    assert client.post("/verify", json={"probe": photos, "identity_id": "person-1"}).json()["verdict"] == "match"


def test_photos_of_two_people_do_not_match(client, faces_of):
    files = [("probe", faces_of[0]), ("probe", faces_of[3])]
    body = client.post("/verify", files=files, data={"identity_id": "person-0"}).json()
    assert body["verdict"] != "match"
    assert sorted(each["code"] or "" for each in body["photos"]) == ["", "face_mismatch"]


def test_a_single_photo_is_answered_as_before(client, faces_of):
    one = client.post("/identify", files={"photo": faces_of[0]}).json()
    of_person = client.post("/identify", files={"photo": faces_of[0]}, data={"photos_of": "one_person"}).json()
    assert one == of_person
    assert one["photos"] is None


def test_several_photos_of_many_people_are_refused_with_a_hint(client, faces_of):
    answer = client.post("/identify", files=[("photo", faces_of[0])] * 2)
    expect(answer, 422, "request_invalid")
    assert "photos_of=one_person" in answer.text


@pytest.mark.parametrize("count", [11, 12])
def test_more_photos_than_ten_are_refused(client, faces_of, count):
    answer = client.post("/verify", files=[("probe", faces_of[0])] * count, data={"identity_id": "person-0"})
    expect(answer, 422, "request_invalid")
    assert "10 entries" in answer.text or "11 files" in answer.text


def test_without_a_face_in_any_photo(client, faceless):
    answer = client.post("/identify", files=[("photo", faceless)] * 2, data={"photos_of": "one_person"})
    expect(answer, 422, "no_face")
