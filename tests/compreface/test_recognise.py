import base64

import pytest

from app.recognition.decisions.stated_rates import LEAST_STATED
from tests.api.test_metrics import scraped
from tests.compreface.asking import RECOGNITION, UNKNOWN, add, expect

RECOGNISE = f"{RECOGNITION}/recognize"
DETECT = "/api/v1/detection/detect"
VERIFY = "/api/v1/verification/verify"


def post(client, path, photo, **query):
    answer = client.post(path, params=query, files={"file": photo})
    assert answer.status_code == 200, answer.text
    return answer.json()


def verify(client, source, target, **query):
    return client.post(VERIFY, params=query, files={"source_image": source, "target_image": target})


def b64(photo):
    return base64.b64encode(photo).decode()


def test_faces_are_recognised_best_first(emptied, faces_of, group_photo):
    for number, name in enumerate(("ada", "bob", "cleo")):
        add(emptied, faces_of[number], name)
    result = post(emptied, RECOGNISE, group_photo, prediction_count=2)["result"]
    assert len(result) == 6
    found = {face["subjects"][0]["subject"] for face in result if face["subjects"][0]["similarity"] > 0.9}
    assert found == {"ada", "bob", "cleo"}
    for face in result:
        assert set(face) == {"box", "subjects"}
        first, second = (each["similarity"] for each in face["subjects"])
        assert 0 <= second <= first <= 1
    identified = emptied.post("/identify", files={"photo": group_photo}).json()["faces"]
    matches = [each for each in identified if each["verdict"] == "match"]
    assert {each["candidates"][0]["identity_id"] for each in matches} == found


def test_a_similarity_is_an_error_rate(emptied, faces_of, group_photo):
    add(emptied, faces_of[0], "ada")
    faces = emptied.post("/identify", files={"photo": group_photo}).json()["faces"]
    rates = {tuple(face["box"]): face["candidates"][0]["fmr"] for face in faces}
    for face in post(emptied, RECOGNISE, group_photo)["result"]:
        whole = [face["box"][each] for each in ("x_min", "y_min", "x_max", "y_max")]
        (box,) = (each for each in rates if each == pytest.approx(whole, abs=1))
        (subject,) = face["subjects"]
        odds = subject["similarity"] / (1 - min(subject["similarity"], 1 - 1e-9))
        at_rate = 3**-4 / rates[box] ** 0.47712125
        assert odds == pytest.approx(at_rate, rel=0.01, abs=0) or (rates[box] == LEAST_STATED and odds > at_rate)


def test_nobody_is_enrolled(emptied, portrait):
    assert post(emptied, RECOGNISE, portrait)["result"][0]["subjects"] == []


def test_what_is_shown_of_a_face(emptied, portrait):
    plugins = "calculator, landmarks,age,gender,mask,pose,nonsense"
    for path in (RECOGNISE, DETECT):
        answer = post(emptied, path, portrait, face_plugins=plugins, status="True")
        (face,) = answer["result"]
        assert set(face) - {"subjects"} == {"box", "landmarks", "embedding", "mask", "pose", "execution_time"}
        assert (len(face["landmarks"]), len(face["embedding"])) == (5, 128)
        assert all(isinstance(each, int) for point in face["landmarks"] for each in point)
        assert face["execution_time"]["detector"] > 0
        networks = {"detector": "yunet+retinaface", "calculator": "sface-2021dec"}
        assert answer["plugins_versions"] == {**networks, "mask": "coverings", "pose": "landmarks"}
        assert set(face["pose"]) == {"pitch", "roll", "yaw"}
        assert face["mask"] == {"value": "without_mask", "probability": pytest.approx(1, abs=0.05)}
    embedded = emptied.post("/embed", files={"photo": portrait}).json()["faces"][0]["embedding"]
    assert face["embedding"] == pytest.approx(embedded, abs=1e-6)


def test_the_largest_faces_first_and_only_sure_ones(emptied, group_photo):
    faces = post(emptied, DETECT, group_photo)["result"]
    boxes = [each["box"] for each in faces]
    areas = [(box["x_max"] - box["x_min"]) * (box["y_max"] - box["y_min"]) for box in boxes]
    assert areas == sorted(areas, reverse=True)
    assert post(emptied, DETECT, group_photo, limit=2)["result"] == faces[:2]
    least = sorted(box["probability"] for box in boxes)[3] - 1e-5
    assert len(post(emptied, DETECT, group_photo, det_prob_threshold=least)["result"]) == 3
    both = {"det_prob_threshold": least, "limit": 1, "prediction_count": 100_000}
    assert len(post(emptied, RECOGNISE, group_photo, **both)["result"]) == 1


@pytest.mark.parametrize("path", [RECOGNISE, DETECT, f"{RECOGNITION}/faces/{UNKNOWN}/verify"])
def test_photos_that_cannot_be_used(emptied, path, faceless, portrait):
    if path.endswith("verify"):
        path = path.replace(UNKNOWN, add(emptied, portrait, "ada"))
    expect(emptied.post(path, files={"file": faceless}), 400, 28, "no_face")
    assert emptied.post(path, files={"file": faceless}).json()["message"] == "No face is found in the given image"
    expect(emptied.post(path, json={"file": b64(b"no image")}), 400, 21, "not_an_image")
    expect(emptied.post(path, json={"file": "not base64"}), 400, 26, "request_invalid")
    expect(emptied.post(path, json={}), 400, 34, "request_invalid")
    expect(emptied.post(path, content=b"x", headers={"content-type": "text/plain"}), 415, 0, "content_type_unsupported")
    for query, code in (
        ({"limit": -1}, 26),
        ({"limit": "x"}, 36),
        ({"det_prob_threshold": 1.1}, 26),
        ({"det_prob_threshold": "nan"}, 26),
        ({"status": "x"}, 36),
    ):
        expect(emptied.post(path, params=query, files={"file": portrait}), 400, code, "request_invalid")


def test_what_only_recognition_knows(emptied, portrait):
    files = {"file": portrait}
    expect(emptied.post(RECOGNISE, params={"prediction_count": 0}, files=files), 400, 26, "request_invalid")
    expect(emptied.post(RECOGNISE, params={"detect_faces": "false"}, files=files), 400, 26, "request_invalid")
    assert emptied.post(RECOGNISE, params={"detect_faces": "true"}, files=files).status_code == 200


def test_base64_is_as_good_as_a_file(emptied, portrait, group_photo):
    for path in (RECOGNISE, DETECT):
        assert emptied.post(path, json={"file": b64(portrait)}).json() == post(emptied, path, portrait)
    body = {"source_image": b64(portrait), "target_image": b64(group_photo)}
    assert emptied.post(VERIFY, json=body).json() == verify(emptied, portrait, group_photo).json()
    answer = emptied.post(f"{RECOGNITION}/faces", params={"subject": "ada"}, json={"file": b64(portrait)})
    assert answer.status_code == 201


def test_a_photo_against_an_enrolled_face(emptied, faces_of, group_photo):
    path = f"{RECOGNITION}/faces/{add(emptied, faces_of[0], 'ada')}/verify"
    faces = post(emptied, path, group_photo)["result"]
    assert len(faces) == 6
    assert sum(each["similarity"] > 0.9 for each in faces) == 1
    assert {each["subject"] for each in faces} == {"ada"}
    assert len(post(emptied, path, group_photo, limit=2)["result"]) == 2
    unknown = path.replace(path.split("/")[-2], UNKNOWN)
    expect(emptied.post(unknown, files={"file": group_photo}), 404, 44, "face_unknown")


def test_two_photos(emptied, faces_of, group_photo, faceless):
    (pair,) = verify(emptied, faces_of[0], group_photo).json()["result"]
    assert set(pair) == {"source_image_face", "face_matches"}
    assert set(pair["source_image_face"]) == {"box"}
    assert sum(each["similarity"] > 0.9 for each in pair["face_matches"]) == 1
    (pair,) = verify(emptied, faces_of[0], group_photo, status=True, face_plugins="landmarks", limit=1).json()["result"]
    assert set(pair) == {"source_image_face", "face_matches", "plugins_versions"}
    assert [set(each) for each in pair["face_matches"]] == [{"box", "landmarks", "similarity", "execution_time"}]
    expect(verify(emptied, group_photo, faces_of[0]), 400, 31, "several_faces")
    expect(verify(emptied, faceless, faces_of[0]), 400, 28, "no_face")
    expect(verify(emptied, faces_of[0], faceless), 400, 28, "no_face")
    expect(emptied.post(VERIFY, files={"source_image": faces_of[0]}), 400, 34, "request_invalid")


def test_embeddings(emptied, faces_of):
    vectors = [
        post(emptied, DETECT, faces_of[number], face_plugins="calculator")["result"][0]["embedding"]
        for number in range(2)
    ]
    image_id = add(emptied, faces_of[0], "ada")
    answer = emptied.post(
        f"{RECOGNITION}/embeddings/recognize", params={"prediction_count": 3}, json={"embeddings": vectors}
    )
    first, second = answer.json()["result"]
    assert first["similarities"] == [{"subject": "ada", "similarity": 1.0}]
    assert second["similarities"][0]["similarity"] < 0.5
    assert first["embedding"] == vectors[0]
    path = f"{RECOGNITION}/embeddings/faces/{image_id}/verify"
    found = emptied.post(path, json={"embeddings": vectors}).json()["result"]
    assert [each["similarity"] for each in found] == [1.0, pytest.approx(second["similarities"][0]["similarity"])]
    body = {"source": vectors[0], "targets": vectors}
    between = emptied.post("/api/v1/verification/embeddings/verify", json=body).json()["result"]
    # The norm of an enrolled face is known, that of an embedding is not.
    assert [each["similarity"] for each in between] == pytest.approx([each["similarity"] for each in found], abs=0.05)
    unknown = path.replace(image_id, UNKNOWN)
    expect(emptied.post(unknown, json={"embeddings": vectors}), 404, 44, "face_unknown")
    unusable: list[object] = [[], [[]], [[1.0]], [[0.0] * 128], "x"]
    for wrong in unusable:
        answer = emptied.post(path, json={"embeddings": wrong})
        assert (answer.status_code, answer.json()["arcid_code"]) == (400, "request_invalid")


def test_what_is_counted(emptied, portrait, faceless):
    before = scraped(emptied)
    post(emptied, RECOGNISE, portrait)
    emptied.post(RECOGNISE, files={"file": faceless})
    after = scraped(emptied)

    def grown(name, **labels):
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)

    assert grown("arcid_requests_total", method="POST", route=RECOGNISE, status="200") == 1
    assert grown("arcid_requests_total", method="POST", route=RECOGNISE, status="400") == 1
    assert grown("arcid_problems_total", code="no_face") == 1
    assert grown("arcid_verdicts_total", operation="identify", verdict="no_match") == 1
