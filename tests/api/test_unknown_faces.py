import pytest

from tests.api.test_errors import expect

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
