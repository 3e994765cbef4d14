"""Many photos in one request: each is answered for itself."""

import base64

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from tests.api.test_errors import expect


@pytest.fixture(scope="module", autouse=True)
def people(client, faces_of):
    for at in (0, 1):
        data = {"identity_id": f"person-{at}"}
        client.post("/enroll", files={"photos": faces_of[at]}, data=data).raise_for_status()


def names(answer):
    return [[face["candidates"][0]["identity_id"] for face in each["faces"]] for each in answer["answers"]]


def test_each_photo_is_looked_up_for_itself_in_order(client, faces_of, faceless):
    photos = [faces_of[1], b"not a photo", faceless, faces_of[0]]
    answer = client.post("/identify", files=[("photo", each) for each in photos], data={"photos_of": "many"}).json()
    assert names(answer) == [["person-1"], [], [], ["person-0"]]
    assert [each["photo"] for each in answer["answers"]] == [0, 1, 2, 3]
    assert [each["code"] for each in answer["answers"]] == [None, "not_an_image", None, None]
    assert "not an image" in answer["answers"][1]["detail"]
    assert (answer["faces"], answer["photos"]) == ([], None)


def test_an_answer_is_that_of_the_photo_alone(client, faces_of):
    alone = client.post("/identify", files={"photo": faces_of[0]}).json()
    (each,) = client.post("/identify", files={"photo": faces_of[0]}, data={"photos_of": "many"}).json()["answers"]
    assert each["faces"] == alone["faces"]
    assert alone["answers"] is None


def test_all_photos_may_be_bad(client):
    body = {"photo": [base64.b64encode(b"x").decode()] * 2, "photos_of": "many"}
    answer = client.post("/identify", json=body).json()
    assert [each["code"] for each in answer["answers"]] == ["not_an_image"] * 2
    assert answer["threshold"] > 0
    assert answer["model"]


def test_many_photos_are_examined(client, faces_of, faceless):
    photos = [("photo", each) for each in (faceless, faces_of[0], b"x")]
    answer = client.post("/detect", files=photos, data={"photos_of": "many", "landmarks": "false"}).json()
    assert [len(each["faces"]) for each in answer["answers"]] == [0, 1, 0]
    assert [each["code"] for each in answer["answers"]] == [None, None, "not_an_image"]
    alone = client.post("/detect", files={"photo": faces_of[0]}, data={"landmarks": "false"}).json()
    assert answer["answers"][1]["faces"] == alone["faces"]
    assert alone["answers"] is None


@pytest.mark.parametrize("path", ["/identify", "/detect"])
def test_many_photos_need_the_word(client, faces_of, path):
    answer = client.post(path, files=[("photo", faces_of[0])] * 2)
    expect(answer, 422, "request_invalid")
    assert "photos_of=many" in answer.text


def test_there_are_at_most_fifty(client):
    answer = client.post("/detect", files=[("photo", b"x")] * 51, data={"photos_of": "many"})
    expect(answer, 422, "request_invalid")
    ten = client.post("/identify", files=[("photo", b"x")] * 11, data={"photos_of": "one_person"})
    expect(ten, 422, "request_invalid")
    assert "at most 10 photos of one person" in ten.text
    fifty = client.post("/detect", files=[("photo", b"x")] * 50, data={"photos_of": "many"})
    assert len(fifty.json()["answers"]) == 50


def test_an_unknown_collection_fails_the_whole(client, faces_of):
    data = {"photos_of": "many", "collection": "nowhere"}
    expect(client.post("/identify", files=[("photo", faces_of[0])] * 2, data=data), 404, "collection_unknown")


def test_each_photo_counts_as_a_request(settings):
    rates = settings.rates.model_copy(update={"anonymous": "4/hour"})
    with TestClient(create_app(settings.model_copy(update={"rates": rates}))) as limited:

        def detect(photos):
            return limited.post("/detect", files=[("photo", b"x")] * photos, data={"photos_of": "many"})

        expect(detect(5), 422, "request_invalid")  # more than the rate: counts as one
        assert detect(2).status_code == 200
        expect(detect(2), 429, "rate_exceeded")
