"""Requests of published CompreFace clients, byte for byte, and the members that they read in answers.

From their sources, as of November 2026: Double Take (`api/src/util/detectors/compreface.js`: axios and form-data),
CompreFace's own tutorial and REST description, its .NET client (Flurl), and clients in Go and for Android (OkHttp).
Viseron and Home Assistant's integration call the Python client: `tests/end_to_end/compreface_tour.py`.
"""

import json
from uuid import UUID

import pytest

from tests.compreface.asking import UNKNOWN, add, subjects
from tests.compreface.test_recognise import b64


def sent(client, method, target, *, headers=None, body=None, chunks=0):
    """Send a request with exactly these headers and a key, optionally in chunks of `chunk` bytes."""
    request = client.build_request(method, target, content=pieces(body, chunks) if chunks else body)
    for name in set(request.headers) - {"host", "content-length", "transfer-encoding"}:
        del request.headers[name]
    request.headers.update({"x-api-key": UNKNOWN, **(headers or {})})
    return client.send(request)


def pieces(body, size):
    for start in range(0, len(body), size):
        yield body[start : start + size]


def multipart(boundary, *parts):
    """Return a body of parts, each of which is the lines of its head and its content."""
    lines = [
        f"--{boundary}\r\n".encode() + "\r\n".join(head).encode() + b"\r\n\r\n" + part + b"\r\n" for head, part in parts
    ]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def named(name, file, *more):
    return (f'Content-Disposition: form-data; name="{name}"; filename="{file}"', *more)


def axios(photo, name="file"):
    """Return headers and body of form-data 4 under axios, which streams a file."""
    boundary = "--------------------------" + "314159265358979323846264"
    body = multipart(boundary, (named(name, "2026-11-28-frigate.jpg", "Content-Type: image/jpeg"), photo))
    return {
        "accept": "application/json, text/plain, */*",
        "content-type": f"multipart/form-data; boundary={boundary}",
        "user-agent": "axios/0.21.4",
    }, body


# Double Take


def double_take(client, method, target, photo=None):
    headers, body = axios(photo) if photo is not None else ({}, None)
    return sent(client, method, target, headers=headers, body=body, chunks=65_536 if body else 0)


def normalised(answer):
    """Return what Double Take makes of an answer, as its `normalize` does."""
    data = answer.json()
    if "result" not in data:
        if data["code"] == 28:
            return []
        raise AssertionError(data["message"])
    made = []
    for each in data["result"]:
        face, box = (each["subjects"] or [None])[0], each["box"]
        made.append(
            {
                "name": face["subject"].lower() if face else "unknown",
                "confidence": round(face["similarity"] * 100, 2) if face else 0,
                "box": (box["y_min"], box["x_min"], box["x_max"] - box["x_min"], box["y_max"] - box["y_min"]),
            }
        )
    return made


def test_double_take(emptied, faces_of, group_photo, faceless):
    client = emptied
    recognise = "/api/v1/recognition/recognize?face_plugins=mask,gender,age&det_prob_threshold=0.8"
    assert {each["name"] for each in normalised(double_take(client, "POST", recognise, faces_of[0]))} == {"unknown"}
    for photo in faces_of[0], faces_of[0]:
        trained = double_take(client, "POST", "/api/v1/recognition/faces?subject=Ada+Lovelace", photo)
        assert (trained.status_code, trained.json()["subject"]) == (201, "Ada Lovelace")
    (face,) = normalised(double_take(client, "POST", recognise, faces_of[0]))
    assert (face["name"], face["confidence"] > 90, min(face["box"]) > 0) == ("ada lovelace", True, True)
    assert len(normalised(double_take(client, "POST", recognise, group_photo))) == 6
    assert normalised(double_take(client, "POST", recognise, faceless)) == []
    unset = "/api/v1/recognition/recognize?face_plugins=undefined&det_prob_threshold=0.8"
    assert len(normalised(double_take(client, "POST", unset, faces_of[0]))) == 1
    refused = double_take(client, "POST", "/api/v1/recognition/faces?subject=Ada+Lovelace", faceless)
    assert (refused.status_code, refused.json()["message"]) == (400, "No face is found in the given image")
    assert double_take(client, "DELETE", "/api/v1/recognition/faces?subject=Ada+Lovelace").json() == {"deleted": 2}


# CompreFace's tutorial and REST description


def browser(photo, *fields):
    """Return headers and body of a page's FormData."""
    boundary = "----WebKitFormBoundaryEngQ7pZ4kPlzCk9T"
    texts = [((f'Content-Disposition: form-data; name="{name}"',), value.encode()) for name, value in fields]
    body = multipart(boundary, (named("file", "blob.jpeg", "Content-Type: image/jpeg"), photo), *texts)
    return {"content-type": f"multipart/form-data; boundary={boundary}", "accept": "*/*"}, body


def curl(photo, *fields):
    boundary = "------------------------d74496d66958873e"
    texts = [((f'Content-Disposition: form-data; name="{name}"',), value.encode()) for name, value in fields]
    body = multipart(boundary, *texts, (named("file", "ada.jpg", "Content-Type: image/jpeg"), photo))
    return {"content-type": f"multipart/form-data; boundary={boundary}", "user-agent": "curl/7.88.1"}, body


@pytest.mark.parametrize("client_of", [browser, curl])
def test_the_tutorial(emptied, faces_of, client_of):
    headers, body = client_of(faces_of[0])
    added = sent(emptied, "POST", "/api/v1/recognition/faces/?subject=ada", headers=headers, body=body)
    assert (added.status_code, added.json()["subject"]) == (201, "ada")
    assert str(UUID(added.json()["image_id"])) == added.json()["image_id"]
    headers, body = client_of(faces_of[0], ("subject", "bob"), ("det_prob_threshold", ""))
    added = sent(emptied, "POST", "/api/v1/recognition/faces", headers=headers, body=body)
    assert (added.status_code, added.json()["subject"]) == (201, "bob")
    headers, body = client_of(faces_of[0], ("limit", "1"), ("det_prob_threshold", "0.8"), ("status", "true"))
    found = sent(emptied, "POST", "/api/v1/recognition/recognize", headers=headers, body=body).json()
    assert found["result"][0]["subjects"][0]["similarity"] > 0.9
    assert found["plugins_versions"]
    assert sent(emptied, "GET", "/api/v1/recognition/subjects/").json() == {"subjects": ["ada", "bob"]}


def test_the_rest_description(emptied, portrait):
    """The calls as `docs/Rest-API-description.md` of CompreFace writes them, with every placeholder left empty."""
    query = "limit=&prediction_count=&det_prob_threshold=&face_plugins=&status=&detect_faces="
    as_json = {"content-type": "application/json"}
    body = json.dumps({"file": b64(portrait)}).encode()
    image_id = add(emptied, portrait, "ada")
    for target in ("recognition/recognize", "detection/detect", f"recognition/faces/{image_id}/verify"):
        answer = sent(emptied, "POST", f"/api/v1/{target}?{query}", headers=as_json, body=body)
        assert (answer.status_code, len(answer.json()["result"])) == (200, 1)
    pair = json.dumps({"source_image": b64(portrait), "target_image": b64(portrait)}).encode()
    answer = sent(emptied, "POST", f"/api/v1/verification/verify?{query}", headers=as_json, body=pair)
    assert answer.json()["result"][0]["face_matches"][0]["similarity"] > 0.9
    listed = sent(emptied, "GET", "/api/v1/recognition/faces?page=&size=&subject=").json()
    assert [each["image_id"] for each in listed["faces"]] == [image_id]


# Others


def test_dotnet(emptied, portrait):
    """Flurl: JSON without spaces and with a charset, a renaming whose body is a text, slashes that double."""
    as_json = {"content-type": "application/json; charset=UTF-8", "expect": "100-continue"}
    body = json.dumps({"file": b64(portrait)}, separators=(",", ":")).encode()
    added = sent(
        emptied, "POST", "/api/v1/recognition/faces?subject=ada&det_prob_threshold=0.81", headers=as_json, body=body
    )
    assert set(added.json()) == {"image_id", "subject"}
    assert sent(emptied, "PUT", "/api/v1/recognition/subjects/ada", headers=as_json, body=b'"Ada"').json() == {
        "updated": True
    }
    assert sent(emptied, "GET", "/api/v1/recognition/subjects/").json() == {"subjects": ["Ada"]}
    ids = json.dumps([added.json()["image_id"]]).encode()
    gone = sent(emptied, "POST", "/api/v1/recognition/faces/delete", headers=as_json, body=ids)
    assert gone.json() == [{"image_id": added.json()["image_id"], "subject": "Ada"}]
    assert sent(emptied, "DELETE", "/api/v1/recognition/subjects").json() == {"deleted": 1}


def test_go_and_android(emptied, portrait):
    """A part without a length or with the type of no image; a query with every parameter."""
    boundary = "f4e1b6d9c2a84d0d9b0e6a5d3c7f1a2b"
    head = named("file", "img.jpg", "Content-Type: application/octet-stream", f"Content-Length: {len(portrait)}")
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", "accept-encoding": "gzip"}
    body = multipart(boundary, (head, portrait))
    query = "limit=0&det_prob_threshold=0.0&prediction_count=1&face_plugins=landmarks,gender,age,calculator&status=true"
    answer = sent(emptied, "POST", f"/api/v1/recognition/recognize?{query}", headers=headers, body=body)
    (face,) = answer.json()["result"]
    assert set(face) == {"box", "landmarks", "embedding", "execution_time", "subjects"}  # age and gender are off
    assert subjects(emptied) == []


def test_errors_are_read(emptied, faceless):
    """A message that is a text, a number that is a number, and no `result`."""
    refused = [
        double_take(emptied, "POST", "/api/v1/recognition/recognize", faceless),
        double_take(emptied, "POST", "/api/v1/recognition/faces", faceless),
        double_take(emptied, "DELETE", "/api/v1/recognition/subjects/nobody"),
        double_take(emptied, "DELETE", f"/api/v1/recognition/faces/{UNKNOWN}"),
    ]
    for answer in refused:
        assert not answer.is_success
        body = answer.json()
        assert (type(body["message"]), type(body["code"]), "result" in body) == (str, int, False)
