import math

import pytest

from app.errors import UrlNotAllowed
from tests.deepface.asking import ANALYZE, REPRESENT, VERIFY, data_of, expect

IGNORED = {"model_name": "VGG-Face", "detector_backend": "mtcnn", "align": True, "enforce_detection": False}


def represent(client, photo, **members):
    answer = client.post(REPRESENT, json={"img": data_of(photo), **members})
    assert answer.status_code == 200, answer.text
    return answer.json()


def verify(client, one, other, **members):
    answer = client.post(VERIFY, json={"img1": data_of(one), "img2": data_of(other), **members})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_faces_are_represented_by_our_network(client, portrait):
    answer = represent(client, portrait, **IGNORED)
    assert (answer["model"], answer["detector_backend"]) == ("sface-2021dec", "yunet+retinaface")
    (face,) = answer["results"]
    assert set(face) == {"embedding", "facial_area", "face_confidence"}
    assert set(face["facial_area"]) == {"x", "y", "w", "h", "left_eye", "right_eye"}
    assert math.hypot(*face["embedding"]) == pytest.approx(1, abs=1e-5)
    assert 0.6 < face["face_confidence"] <= 1
    (embedded,) = client.post("/embed", files={"photo": portrait}).json()["faces"]
    assert face["embedding"] == pytest.approx(embedded["embedding"], abs=1e-6)


def test_every_form_of_a_photo_is_the_same(client, portrait):
    wanted = represent(client, portrait)
    text = data_of(portrait).encode()
    for given in ({"img": portrait}, {"img": (None, text)}, {"img": ("a.jpg", portrait, "image/jpeg")}):
        answer = client.post(REPRESENT, files=given, data={"max_faces": "3", "align": "true"})
        assert answer.json() == wanted, answer.text


def test_several_faces(client, group_photo):
    everybody = represent(client, group_photo)["results"]
    assert len(everybody) == 6
    assert represent(client, group_photo, max_faces=2)["results"] == everybody[:2]


def test_nobody_is_represented(client, faceless):
    for members in ({}, {"enforce_detection": False}):
        expect(client.post(REPRESENT, json={"img": data_of(faceless), **members}), 400, "no_face")


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "euclidean_l2", "angular"])
def test_the_verdict_is_ours(client, faces_of, metric):
    for other, is_same in ((faces_of[0], True), (faces_of[1], False)):
        answer = verify(client, faces_of[0], other, distance_metric=metric, **IGNORED)
        ours = client.post("/verify", files={"probe": faces_of[0], "reference": other}).json()
        assert answer["verified"] is (ours["verdict"] == "match") is is_same
        assert answer["arcid_verdict"] == ours["verdict"]
        assert (answer["distance"] <= answer["threshold"]) is is_same
        assert answer["similarity_metric"] == metric
        assert answer["model"] == ours["model"] == "sface-2021dec"
        assert answer["detector_backend"] == "yunet+retinaface"
        assert set(answer["facial_areas"]) == {"img1", "img2"}
        assert answer["time"] >= 0
    if metric == "cosine":
        assert answer["distance"] == pytest.approx(1 - ours["similarity"], abs=1e-5)
        assert answer["threshold"] == pytest.approx(1 - ours["threshold"], abs=1e-5)


def test_files_are_compared(client, faces_of):
    files = {"img1": faces_of[0], "img2": ("second_image.jpg", faces_of[0])}
    answer = client.post(VERIFY, files=files, data={"model_name": "Facenet", "distance_metric": "euclidean"})
    assert answer.json()["verified"] is True


def test_a_collection_decides_by_its_own_threshold(client, faces_of):
    client.post("/collections", json={"name": "strict", "threshold": 0.99}).raise_for_status()
    try:
        pair = {"img1": data_of(faces_of[0]), "img2": data_of(faces_of[1])}
        answer = client.post(f"{VERIFY}?collection=strict", json=pair).json()
        assert (answer["threshold"], answer["verified"]) == (0.01, False)
        expect(client.post(f"{VERIFY}?collection=nowhere", json=pair), 404, "collection_unknown")
    finally:
        client.delete("/collections/strict")


def test_what_cannot_be_compared(client, portrait, faceless):
    data = data_of(portrait)
    expect(client.post(VERIFY, json={"img1": data, "img2": data_of(faceless)}), 400, "no_face")
    expect(client.post(VERIFY, json={"img1": data, "img2": data_of(b"text")}), 400, "not_an_image")
    said = expect(client.post(VERIFY, json={"img1": data}), 400, "request_invalid")
    assert "img2" in said
    wrong = {"img1": data, "img2": data, "distance_metric": "manhattan"}
    assert "cosine" in expect(client.post(VERIFY, json=wrong), 400, "request_invalid")


def test_attributes_are_not_guessed(client, portrait):
    for sent in (
        {"json": {"img": data_of(portrait), "actions": ["age"]}},
        {"files": {"img": portrait}, "data": {"actions": '["age", "gender"]'}},
    ):
        assert "age" in expect(client.post(ANALYZE, **sent), 400, "attributes_unsupported")


@pytest.mark.parametrize("path", [REPRESENT, ANALYZE])
def test_paths_are_refused(client, path):
    for sent in ({"json": {"img": "/etc/passwd"}}, {"files": {"img": (None, "dataset/img1.jpg")}}):
        assert "paths on the server" in expect(client.post(path, **sent), 400, "request_invalid")


def test_photos_by_url_follow_the_rules_of_all_routes(client, monkeypatch):
    url = {"img": "http://169.254.169.254/latest/meta-data"}
    expect(client.post(REPRESENT, json=url), 403, "urls_disabled")
    expect(client.post(ANALYZE, json=url), 400, "attributes_unsupported")  # nothing is fetched
    monkeypatch.setattr(client.app.state, "fetcher", Refusing())
    expect(client.post(REPRESENT, json=url), 400, "url_not_allowed")


class Refusing:
    """A fetcher that may fetch nothing."""

    def deadline(self):
        return 1.0

    async def fetch(self, url, *_):
        raise UrlNotAllowed(f"{url} is not allowed")
