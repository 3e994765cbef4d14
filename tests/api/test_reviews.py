import json

import pytest

from tests.api.test_errors import expect

ROOT = "/collections/gate"
REVIEWS = f"{ROOT}/reviews"


@pytest.fixture
def gate(client, portrait):
    """A collection with Ada, in which no probe is good enough for a firm match."""
    settings = {"name": "gate", "review": "possible", "probe_quality": 1}
    client.post("/collections", json=settings).raise_for_status()
    person = {"collection": "gate", "identity_id": "ada", "name": "Ada"}
    client.post("/enroll", files={"photos": portrait}, data=person).raise_for_status()
    yield ROOT
    client.delete(ROOT)


def identify(client, photo):
    answer = client.post("/identify", files={"photo": photo}, data={"collection": "gate"}).json()
    return answer["faces"][0]


@pytest.fixture
def review(client, gate, portrait):
    face = identify(client, portrait)
    assert face["verdict"] == "possible"
    return client.get(f"{REVIEWS}/{face['review_id']}")


def decide(client, review_id, decision="confirm", etag=None, **fields):
    headers = {} if etag is None else {"If-Match": etag}
    return client.post(f"{REVIEWS}/{review_id}/decision", json={"decision": decision, **fields}, headers=headers)


def test_a_review_names_the_use_the_database_the_input_and_the_candidate(client, review):
    body = review.json()
    assert review.headers["etag"] == f'"{body["version"]}"'
    assert (body["state"], body["verdict"], body["decisions"], body["closed_at"]) == ("open", "possible", [], None)
    use, reference = body["use"], body["reference"]
    assert (use["origin"], use["camera"], use["times"], use["requested_by"]) == ("identify", None, 1, "anonymous")
    assert len(use["input_sha256"]) == 64
    assert use["started_at"] <= use["ended_at"] <= body["opened_at"]
    assert (reference["collection"], reference["model"]) == ("gate", "sface-2021dec")
    assert reference["revision"] == client.get(ROOT).json()["revision"]
    (candidate,) = body["candidates"]
    assert (candidate["identity_id"], candidate["name"], candidate["has_image"]) == ("ada", "Ada", True)
    assert candidate["similarity"] > 0.9
    face = client.get(f"{ROOT}/faces/{candidate['face_id']}/image")
    probe = client.get(f"{REVIEWS}/{body['review_id']}/image")
    assert face.content[:2] == probe.content[:2] == b"\xff\xd8"
    known = {"If-None-Match": probe.headers["etag"]}
    assert client.get(f"{REVIEWS}/{body['review_id']}/image", headers=known).status_code == 304


def test_the_list_is_the_queue(client, review, portrait):
    identify(client, portrait)  # the same photo again
    page = client.get(REVIEWS, params={"state": "open"}).json()
    assert (page["open"], page["reviewers"], page["next_cursor"], len(page["reviews"])) == (1, 1, None, 1)
    assert page["reviews"][0]["use"]["times"] == 2
    decide(client, review.json()["review_id"], "reject").raise_for_status()
    assert client.get(REVIEWS, params={"state": "open"}).json()["reviews"] == []
    assert client.get(REVIEWS).json()["reviews"][0]["state"] == "rejected"


def test_a_decision_closes_a_review_once(client, review):
    review_id, etag = review.json()["review_id"], review.headers["etag"]
    expect(decide(client, review_id, identity_id="eve"), 422, "request_invalid")
    answer = decide(client, review_id, etag=etag, note="badge checked")
    decided = answer.json()["review"]
    assert answer.headers["etag"] == f'"{decided["version"]}"' != etag
    assert (decided["state"], decided["decisions"][0]["note"]) == ("confirmed", "badge checked")
    assert decided["decisions"][0]["decided_by"] == "anonymous"
    assert (answer.json()["face_id"], answer.json()["code"]) == (None, None)
    expect(decide(client, review_id, etag=etag), 412, "precondition_failed")
    expect(decide(client, review_id), 409, "review_closed")
    expect(decide(client, "nothing"), 404, "review_unknown")


def test_two_people_have_to_agree_if_the_collection_says_so(client, review):
    assert client.patch(ROOT, json={"reviewers": 2}).json()["reviewers"] == 2
    review_id = review.json()["review_id"]
    assert decide(client, review_id).json()["review"]["state"] == "open"
    expect(decide(client, review_id), 409, "reviewer_repeated")


def test_the_image_is_enrolled_on_request(client, review):
    answer = decide(client, review.json()["review_id"], enroll=True, on_duplicate=None)
    expect(answer, 422, "request_invalid")
    answer = decide(client, review.json()["review_id"], enroll=True).json()
    assert (answer["code"], answer["detail"]) == (None, None)
    face = client.get(f"{ROOT}/faces/{answer['face_id']}").json()
    assert face["identity_id"] == "ada"


def test_a_photo_that_cannot_be_enrolled_does_not_undo_the_decision(client, review):
    client.patch(ROOT, json={"require_consent": True}).raise_for_status()
    answer = decide(client, review.json()["review_id"], enroll=True).json()
    assert (answer["review"]["state"], answer["face_id"], answer["code"]) == ("confirmed", None, "consent_missing")


def test_without_a_kept_image_only_the_hash_remains(client, gate, portrait):
    client.patch(ROOT, json={"keep_crops": False}).raise_for_status()
    review_id = identify(client, portrait)["review_id"]
    assert client.get(f"{REVIEWS}/{review_id}").json()["has_image"] is False
    expect(client.get(f"{REVIEWS}/{review_id}/image"), 404, "review_unknown")
    expect(decide(client, review_id, enroll=True), 422, "request_invalid")


def test_verifications_are_reviewed(client, gate, portrait):
    data = {"collection": "gate", "identity_id": "ada"}
    answer = client.post("/verify", files={"probe": portrait}, data=data).json()
    assert answer["verdict"] == "possible"
    assert client.get(f"{REVIEWS}/{answer['review_id']}").json()["use"]["origin"] == "verify"


def test_the_export_has_all_reviews_with_their_decisions(client, review):
    decide(client, review.json()["review_id"]).raise_for_status()
    export = client.get(f"{REVIEWS}/export")
    assert export.headers["content-type"] == "application/x-ndjson"
    (line,) = map(json.loads, export.text.splitlines())
    assert line == client.get(f"{REVIEWS}/{review.json()['review_id']}").json()
    expect(client.get("/collections/none/reviews/export"), 404, "collection_unknown")


def test_a_persons_export_has_the_reviews_and_an_erasure_deletes_them(client, review):
    export = client.get(f"{ROOT}/identities/ada/export").json()
    assert [each["review_id"] for each in export["reviews"]] == [review.json()["review_id"]]
    client.delete(f"{ROOT}/identities/ada").raise_for_status()
    expect(client.get(f"{REVIEWS}/{review.json()['review_id']}"), 404, "review_unknown")


@pytest.mark.parametrize("change", [{"reviewers": 3}, {"review": "all"}, {"review_days": 0}])
def test_settings_have_limits(client, gate, change):
    expect(client.patch(ROOT, json=change), 422, "request_invalid")
