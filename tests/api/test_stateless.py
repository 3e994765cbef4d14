import base64

import pytest

from tests.api.test_errors import expect


def revision(client):
    return client.get("/collections/default").json()["revision"]


def test_the_faces_of_a_photo_are_found_and_nothing_is_stored(client, group_photo):
    faces = client.post("/detect", files={"photo": group_photo}).json()["faces"]
    assert len(faces) == 6
    identified = client.post("/identify", files={"photo": group_photo}).json()["faces"]
    for face, other in zip(faces, identified, strict=True):
        assert (face["box"], face["detection_score"]) == (other["box"], other["detection_score"])
        near = [pytest.approx(point, abs=10) for point in other["landmarks"]]  # those of a probe cost less
        assert face["landmarks"] == near
        assert face["quality"].keys() == other["quality"].keys()
    assert set(faces[0]) == {"box", "landmarks", "detection_score", "quality", "liveness", "attributes"}
    assert revision(client) == 0


@pytest.mark.parametrize("flip", [None, True, False])
def test_the_faces_of_a_photo_are_embedded(client, portrait, flip):
    body = {"photo": base64.b64encode(portrait).decode(), "flip": flip}
    answer = client.post("/embed", json=body).json()
    (face,) = answer["faces"]
    assert (answer["model"], answer["dimension"], answer["flip"]) == ("sface-2021dec", 128, flip is not False)
    assert len(face["embedding"]) == 128
    assert sum(each * each for each in face["embedding"]) == pytest.approx(1, abs=1e-3)
    assert face["norm"] > 1
    assert revision(client) == 0


def test_flip_averaging_can_be_chosen_in_a_form(client, portrait):
    plain = client.post("/embed", files={"photo": portrait}, data={"flip": "false"}).json()
    usual = client.post("/embed", files={"photo": portrait}).json()
    assert (plain["flip"], usual["flip"]) == (False, True)
    assert plain["faces"][0]["embedding"] != usual["faces"][0]["embedding"]


@pytest.mark.parametrize("path", ["/detect", "/embed"])
def test_photos_as_everywhere(client, path, faceless):
    assert client.post(path, files={"photo": faceless}).json()["faces"] == []
    expect(client.post(path, files={"photo": b"no image"}), 422, "not_an_image")
    expect(client.post(path, json={}), 422, "request_invalid")
    expect(client.post(path, json={"photo": "", "collection": "default"}), 422, "request_invalid")
    expect(client.post(path), 400, "body_empty")


def test_an_embedding_finds_whom_a_photo_would(client, faces_of):
    client.post("/collections", json={"name": "search"})
    for number, photo in enumerate(faces_of[:3]):
        fields = {
            "collection": "search",
            "identity_id": str(number),
            "metadata": '{"even": %s}' % ("true" if number % 2 == 0 else "false"),
        }
        assert client.post("/enroll", files={"photos": photo}, data=fields).status_code == 200
    embedding = client.post("/embed", files={"photo": faces_of[1]}).json()["faces"][0]["embedding"]
    found = client.post("/search", json={"embedding": embedding, "collection": "search"}).json()
    seen = client.post("/identify", files={"photo": faces_of[1]}, data={"collection": "search"}).json()
    (face,) = seen["faces"]
    for one, other in zip(found["candidates"], face["candidates"], strict=True):
        assert one["identity_id"] == other["identity_id"]
        assert one["similarity"] == pytest.approx(
            other["similarity"], abs=0.05
        )  # the norm of an embedding is not known
    assert (found["verdict"], found["threshold"], found["model"]) == (face["verdict"], seen["threshold"], seen["model"])
    rated = client.post("/search", json={"embedding": embedding, "collection": "search", "max_fpir": 1e-4}).json()
    assert rated["threshold"] > found["threshold"]
    part = {"embedding": embedding, "collection": "search", "where": {"even": True}, "threshold": 1, "top_k": 1}
    (best,) = client.post("/search", json=part).json()["candidates"]
    assert best["identity_id"] in {"0", "2"}
    client.delete("/collections/search")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"embedding": []}', "embedding"),
        ('{"embedding": [1, 2]}', "embedding"),
        ('{"embedding": "text"}', "embedding"),
        ('{"embedding": %s}' % ([0] * 128), "embedding"),
        ('{"embedding": %s}' % ([1] * 129), "embedding"),
        ('{"embedding": %s}' % ([1] * 4097), "embedding"),
        ('{"embedding": [NaN]}', "embedding.0"),
        ('{"embedding": [Infinity]}', "embedding.0"),
        ('{"embedding": [1e999]}', "embedding.0"),
        ('{"embedding": ["1"]}', "embedding.0"),
        ('{"embedding": [true]}', "embedding.0"),
        ('{"embedding": [null]}', "embedding.0"),
        ("{}", "embedding"),
        ('{"embedding": [1], "top_k": 0}', "top_k"),
        ('{"embedding": [1], "max_fpir": 0.1, "threshold": 0.1}', "body"),
        ('{"embedding": [1], "where": 7}', "where"),
        ('{"embedding": [1], "where": {"a": [1]}}', None),
        ('{"embedding": [1], "photo": ""}', "photo"),
    ],
)
def test_what_is_no_embedding_is_refused_by_name(client, body, field):
    answer = client.post("/search", content=body, headers={"content-type": "application/json"})
    expect(answer, 422, "request_invalid")
    if field is not None:
        assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_collection_that_is_not_there(client):
    expect(client.post("/search", json={"embedding": [1], "collection": "nowhere"}), 404, "collection_unknown")
