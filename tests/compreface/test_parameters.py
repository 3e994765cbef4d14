"""Parameters in the query, in a form, in JSON, in several of them, empty, or where they would delete everybody."""

import json

import pytest

from app.compreface.problems import PREFIX
from tests.compreface.asking import RECOGNITION, add, expect, subjects
from tests.compreface.test_recognise import DETECT, RECOGNISE, b64

FACES, SUBJECTS = f"{RECOGNITION}/faces", f"{RECOGNITION}/subjects"

PART = b'--x\r\nContent-Disposition: form-data; name="subject"\r\n\r\nada\r\n--x--\r\n'


def optional_parameters(client):
    """Yield method, path and name of each parameter that has a default."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items() if path.startswith(PREFIX) else ():
            for each in operation.get("parameters", ()):
                if each["in"] == "query" and each["name"] not in {"subject", "collection"}:
                    yield method, path, each["name"]


def test_an_empty_parameter_is_as_good_as_none(emptied, portrait):
    seen = set()
    image_id = add(emptied, portrait, "ada")
    for method, path, name in optional_parameters(emptied):
        given = path.replace("{image_id}", image_id)
        options = {
            "embeddings/recognize": {"json": {"embeddings": [[1.0] + [0.0] * 127]}},
            "verification/verify": {"files": {"source_image": portrait, "target_image": portrait}},
        }.get("/".join(path.split("/")[-2:]), {"files": {"file": portrait}})
        query = {name: "", **({"subject": "ada"} if path == FACES else {})}
        answer = emptied.request(method, given, params=query, **(options if method == "post" else {}))
        assert answer.is_success, (path, name, answer.text)
        if "files" in options and method == "post":
            answer = emptied.post(given, data=query, files=options["files"])
            assert answer.is_success, (path, name, answer.text)
        seen.add(name)
    assert seen == {
        *("det_prob_threshold", "limit", "face_plugins", "status", "prediction_count", "detect_faces"),
        *("page", "size"),
    }


def test_form_fields_are_parameters(emptied, group_photo, portrait):
    answer = emptied.post(FACES, data={"subject": "ada", "det_prob_threshold": "0.8"}, files={"file": portrait})
    assert (answer.status_code, answer.json()["subject"]) == (201, "ada")
    fields = {"limit": "1", "det_prob_threshold": "0.8", "status": "true", "face_plugins": "landmarks"}
    for path in (RECOGNISE, DETECT):
        answer = emptied.post(path, data=fields, files={"file": group_photo}).json()
        (face,) = answer["result"]
        assert set(face) - {"subjects"} == {"box", "landmarks", "execution_time"}
        assert "plugins_versions" in answer
    expect(emptied.post(DETECT, data={"limit": "x"}, files={"file": portrait}), 400, 36, "request_invalid")
    expect(emptied.post(FACES, data={"subject": ""}, files={"file": portrait}), 400, 26, "request_invalid")
    expect(
        emptied.post(RECOGNISE, data={"detect_faces": "false"}, files={"file": portrait}), 400, 26, "request_invalid"
    )


def test_members_of_json_are_parameters(emptied, group_photo, portrait):
    answer = emptied.post(FACES, json={"file": b64(portrait), "subject": "ada", "det_prob_threshold": None})
    assert (answer.status_code, answer.json()["subject"]) == (201, "ada")
    body = {"file": b64(group_photo), "limit": 1, "status": True, "det_prob_threshold": 0.5, "unknown": {}}
    answer = emptied.post(DETECT, json=body).json()
    assert len(answer["result"]) == 1
    assert "plugins_versions" in answer
    expect(emptied.post(DETECT, json={**body, "limit": [1]}), 400, 36, "request_invalid")


def test_the_query_counts_before_the_body(emptied, group_photo, portrait):
    for options in (
        {"data": {"limit": "3"}, "files": {"file": group_photo}},
        {"json": {"file": b64(group_photo), "limit": 3}},
    ):
        assert len(emptied.post(f"{DETECT}?limit=2&limit=1", **options).json()["result"]) == 2
        assert len(emptied.post(f"{DETECT}?limit=", **options).json()["result"]) == 3
    answer = emptied.post(f"{FACES}?subject=ada", data={"subject": "bob"}, files={"file": portrait})
    assert answer.json()["subject"] == "ada"


def test_lists_of_plugins_are_one_list(emptied, portrait):
    query = f"{DETECT}?face_plugins=landmarks&face_plugins=age"
    (face,) = emptied.post(query, data={"face_plugins": "calculator"}, files={"file": portrait}).json()["result"]
    assert set(face) == {"box", "landmarks", "embedding"}


def test_the_collection_of_a_form_needs_a_key_for_it(with_keys, portrait):
    client, keys = with_keys
    client.headers = keys[("staff",)]
    for path in (DETECT, f"{FACES}?subject=ada"):
        refused = client.post(path, data={"collection": "guests"}, files={"file": portrait})
        expect(refused, 403, 0, "collection_forbidden")
    expect(client.request("DELETE", FACES, json={"collection": "guests"}), 403, 0, "collection_forbidden")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"subject=ada", "application/x-www-form-urlencoded", 200),
        (b'{"subject": "ada"}', "application/json", 200),
        (
            b'--x\r\nContent-Disposition: form-data; name="subject"\r\n\r\nada\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            200,
        ),
        (b"subjects=ada", "application/x-www-form-urlencoded", 400),
        (b'{"subjects": ["ada"]}', "application/json", 400),
        (b'["ada"]', "application/json", 400),
        (b'"ada"', "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"subject": ""}', "application/json", 400),
        (b"ada", "text/plain", 415),
    ],
)
def test_who_is_named_in_a_body_is_deleted_and_nobody_else(emptied, portrait, body, content_type, status):
    add(emptied, portrait, "ada")
    add(emptied, portrait, "bob")
    answer = emptied.request("DELETE", FACES, content=body, headers={"content-type": content_type})
    assert answer.status_code == status, answer.text
    assert subjects(emptied) == (["bob"] if status == 200 else ["ada", "bob"])
    assert emptied.request("DELETE", SUBJECTS, content=body, headers={"content-type": content_type}).status_code >= 400
    assert "bob" in subjects(emptied)


def test_the_rest_of_a_name_after_a_question_mark_changes_nobody(emptied):
    for name in ("A", "A?b"):
        emptied.post(SUBJECTS, json={"subject": name})
    expect(emptied.delete(f"{SUBJECTS}/A?b"), 400, 26, "request_invalid")
    expect(emptied.put(f"{SUBJECTS}/A?b", json={"subject": "C"}), 400, 26, "request_invalid")
    assert subjects(emptied) == ["A", "A?b"]
    assert emptied.delete(f"{SUBJECTS}/A%3Fb?collection=default").json() == {"subject": "A?b"}


def test_a_parameter_that_is_unknown_deletes_nobody(emptied):
    emptied.post(SUBJECTS, json={"subject": "ada"})
    unknown = ("subjects=ada", "subjects=", "Subject=", "x", "=", "subject=")
    for path in (
        *(f"{FACES}?{each}" for each in unknown),
        *(f"{SUBJECTS}?{each}" for each in (*unknown, "image_id=1")),
    ):
        expect(emptied.delete(path), 400, 26, "request_invalid")
    assert subjects(emptied) == ["ada"]
    headers = {"content-type": "application/json"}  # which clients send with every request
    assert emptied.delete(f"{SUBJECTS}?collection=default", headers=headers).json() == {"deleted": 1}


def test_a_text_is_the_new_name(emptied):
    emptied.post(SUBJECTS, json={"subject": "ada"})
    answer = emptied.put(f"{SUBJECTS}/ada", content=json.dumps("bob"), headers={"content-type": "application/json"})
    assert answer.json() == {"updated": True}
    assert subjects(emptied) == ["bob"]


def test_what_is_not_supported_is_said(emptied):
    for method, path in (
        ("POST", "/api/v1/migrate"),
        ("GET", "/api/v1/consistence/status"),
        ("PATCH", SUBJECTS),
    ):
        answer = emptied.request(method, path)
        assert answer.status_code in {404, 405}
        assert (
            answer.json()["message"]
            == f"{method} {path} is not supported; docs/compreface.md lists the routes that are"
        )
