"""Duplicates and wrong-person photos, from enrollment to the check and the fix, with real networks and photos."""

import base64
from uuid import uuid4

import cv2
import numpy as np
import pytest

from tests.api.test_errors import expect


@pytest.fixture
def people(client):
    """A separate collection for each test."""
    assert client.post("/collections", json={"name": "people"}).status_code == 201
    yield "people"
    client.delete("/collections/people")


@pytest.fixture
def enroll(client, people):
    def enroll(identity_id, *photos, headers=None, **fields):
        files = [("photos", ("photo", photo)) for photo in photos]
        body = {"collection": people, "identity_id": identity_id, **fields}
        return client.post("/enroll", files=files, data=body, headers=headers)

    return enroll


@pytest.fixture(scope="module")
def other_light(portrait):
    """The portrait again, darker, smaller and mirrored: another photo of the same person."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR))
    changed = cv2.resize((pixels[:, ::-1] * 0.7).astype(np.uint8), None, fx=0.7, fy=0.7)
    return cv2.imencode(".jpg", changed)[1].tobytes()


def mended(client, mend):
    answer = client.request(mend["method"], mend["path"], json=mend["body"])
    assert answer.is_success, answer.text


def check(client, **params):
    answer = client.get("/collections/people/health", params=params)
    assert answer.status_code == 200
    return answer.json()


def test_a_gallery_falls_ill_and_is_mended(client, enroll, portrait, other_light, faces_of):
    assert enroll("eileen", portrait).json()["duplicates"] == []
    assert enroll("one", faces_of[0]).json()["duplicates"] == []
    assert check(client)["duplicates"] == []

    (twice,) = enroll("e.collins", other_light).json()["duplicates"]
    assert (twice["identity_id"], twice["photo"], twice["faces"]) == ("eileen", 0, 1)
    assert twice["similarity"] > 0.6
    assert twice["fpir"] < 0.01
    wrong = enroll("eileen", faces_of[0]).json()
    assert [each["identity_id"] for each in wrong["duplicates"]] == ["one"]
    assert [(each["photo"], each["faces"]) for each in wrong["mismatches"]] == [(0, 1)]
    assert wrong["mismatches"][0]["fmr"] > 0.01
    for each, rate in ((twice, "fpir"), (wrong["mismatches"][0], "fmr")):
        assert each[f"{rate}_range"][0] <= each[rate] <= each[f"{rate}_range"][1]

    found = check(client)
    assert (found["identities"], found["faces"], found["next_cursor"]) == (3, 4, None)
    assert found["poor_faces"] == []
    # Eileen's two faces differ: the wrong one is another person's, the right one is her other identity's.
    faces = {each["face_id"]: each for each in found["foreign_faces"]}
    foreign = faces[wrong["faces"][0]["face_id"]]
    assert (foreign["identity"]["identity_id"], foreign["looks_like"]["person"]["identity_id"]) == ("eileen", "one")
    mended(client, foreign["mend"])

    found = check(client)
    assert found["foreign_faces"] == []
    (pair,) = found["duplicates"]
    assert {pair["first"]["identity_id"], pair["second"]["identity_id"]} == {"eileen", "e.collins"}
    mended(client, pair["mend"])
    found = check(client)
    assert (found["identities"], found["faces"]) == (2, 4)
    assert not found["duplicates"] + found["foreign_faces"] + found["poor_faces"]


def test_a_duplicate_is_refused_with_the_way_out(client, enroll, portrait, other_light):
    enroll("eileen", portrait)
    key = {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        answer = enroll("e.collins", other_light, on_duplicate="reject", headers=key)
        expect(answer, 409, "duplicate_identity")
        assert [each["identity_id"] for each in answer.json()["duplicates"]] == ["eileen"]
        assert "'eileen'" in answer.json()["detail"]
        assert "on_duplicate=allow" in answer.json()["detail"]
    first = enroll("e.collins", other_light, on_duplicate="flag", headers=key)
    assert first.json()["duplicates"]
    assert enroll("e.collins", other_light, on_duplicate="flag", headers=key).json() == first.json()


def test_a_foreign_photo_is_refused_by_a_collection_that_says_so(client, enroll, portrait, faces_of):
    changed = client.patch("/collections/people", json={"on_mismatch": "reject", "on_duplicate": "allow"})
    assert (changed.json()["on_mismatch"], changed.json()["on_duplicate"]) == ("reject", "allow")
    enroll("eileen", portrait)
    answer = enroll("eileen", faces_of[2], portrait)
    assert [each["photo"] for each in answer.json()["faces"]] == [1]
    assert [(each["photo"], each["code"]) for each in answer.json()["rejected"]] == [(0, "face_mismatch")]
    expect(enroll("eileen", faces_of[2]), 422, "nothing_enrolled")
    photo = base64.b64encode(faces_of[2]).decode()
    body = {"photos": [photo], "identity_id": "eileen", "collection": "people", "on_mismatch": "flag"}
    assert len(client.post("/enroll", json=body).json()["mismatches"]) == 1


def test_six_people_of_one_photo_are_six(client, enroll, faces_of):
    for number, photo in enumerate(faces_of):
        assert enroll(str(number), photo).status_code == 200
    found = check(client, limit=2)
    assert (found["identities"], found["duplicates"]) == (2, [])
    assert found["next_cursor"]
    assert check(client, limit=4, cursor=found["next_cursor"])["next_cursor"] is None


@pytest.mark.parametrize(
    ("params", "field"),
    [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"cursor": "x"}, "cursor"), ({"max_fpir": 0}, "max_fpir")],
)
def test_what_does_not_fit_is_named(client, people, params, field):
    answer = client.get("/collections/people/health", params=params)
    expect(answer, 422, "request_invalid")
    assert [each["field"] for each in answer.json()["errors"]] == [f"query.{field}"]


@pytest.mark.parametrize("field", ["on_duplicate", "on_mismatch"])
def test_reactions_are_three_words(client, enroll, portrait, field):
    expect(enroll("eileen", portrait, **{field: "ignore"}), 422, "request_invalid")
    expect(client.post("/collections", json={"name": "x", field: "no"}), 422, "request_invalid")
    expect(client.patch("/collections/people", json={field: 1}), 422, "request_invalid")


def test_of_an_unknown_collection(client):
    expect(client.get("/collections/nowhere/health"), 404, "collection_unknown")
