import pytest

from tests.compreface.asking import RECOGNITION, UNKNOWN, add, expect, subjects
from tests.test_names import COMPOSED, DECOMPOSED

ROOT = f"{RECOGNITION}/subjects"
FACES = f"{RECOGNITION}/faces"


def test_subjects_without_faces(emptied):
    client = emptied
    answer = client.post(ROOT, json={"subject": "Ada Lovelace", "unknown": 1})
    assert (answer.status_code, answer.json()) == (201, {"subject": "Ada Lovelace"})
    expect(client.post(ROOT, json={"subject": "Ada Lovelace"}), 400, 43, "identity_exists")
    assert subjects(client) == client.get(f"{ROOT}/").json()["subjects"] == ["Ada Lovelace"]
    shown = client.get("/collections/default/identities/Ada Lovelace").json()
    assert (shown["name"], shown["faces"], shown["first_faces"]) == ("Ada Lovelace", 0, [])
    assert client.delete(f"{ROOT}/Ada Lovelace").json() == {"subject": "Ada Lovelace"}
    expect(client.delete(f"{ROOT}/Ada Lovelace"), 404, 42, "identity_unknown")


def test_a_subject_is_renamed_and_merged(emptied, faces_of):
    client = emptied
    add(client, faces_of[0], "a/b c?")
    assert client.put(f"{ROOT}/a%2Fb c%3F", json={"subject": "ada", "api_endpoint": "x"}).json() == {"updated": True}
    assert client.put(f"{ROOT}/ada", json={"subject": "ada"}).json() == {"updated": False}
    client.post(ROOT, json={"subject": "bob"})
    assert client.put(f"{ROOT}/ada", json={"subject": "bob"}).json() == {"updated": True}
    assert subjects(client) == ["bob"]
    assert client.get(FACES).json()["faces"][0]["subject"] == "bob"
    expect(client.put(f"{ROOT}/ada", json={"subject": "bob"}), 404, 42, "identity_unknown")


def test_all_subjects_are_deleted(emptied, faces_of):
    client = emptied
    add(client, faces_of[0], "ada")
    client.post(ROOT, json={"subject": "bob"})
    assert client.delete(ROOT).json() == {"deleted": 2}
    assert client.delete(ROOT).json() == {"deleted": 0}
    assert client.get(FACES).json()["total_elements"] == 0


def test_an_empty_path_is_nobody_and_not_everybody(emptied):
    emptied.post(ROOT, json={"subject": "bob"})
    expect(emptied.delete(f"{ROOT}/"), 400, 26, "request_invalid")
    expect(emptied.delete(FACES, params={"subject": ""}), 400, 26, "request_invalid")
    assert subjects(emptied) == ["bob"]


@pytest.mark.parametrize(
    ("content", "code", "arcid_code"),
    [
        (b"", 34, "body_empty"),
        (b"{", 0, "body_malformed"),
        (b"[]", 0, "request_invalid"),
        (b"{}", 5, "request_invalid"),
        (b'{"subject": 7}', 36, "request_invalid"),
        (b'{"subject": ""}', 26, "request_invalid"),
        (b'{"subject": "' + b"x" * 129 + b'"}', 26, "request_invalid"),
        (b'{"subject": "a\\u0000"}', 26, "request_invalid"),
    ],
)
def test_bad_names(emptied, content, code, arcid_code):
    for method, path in (("POST", ROOT), ("PUT", f"{ROOT}/ada")):
        answer = emptied.request(method, path, content=content, headers={"content-type": "application/json"})
        expect(answer, 400, code, arcid_code)
    assert subjects(emptied) == []


def test_a_name_is_json(emptied):
    expect(emptied.post(ROOT, data={"subject": "ada"}), 415, 0, "content_type_unsupported")


# Faces


def test_faces_are_added_listed_and_deleted(emptied, faces_of):
    client = emptied
    ids = [add(client, faces_of[0], "ada"), add(client, faces_of[0], "ada"), add(client, faces_of[1], "bob")]
    page = client.get(FACES, params={"page": 1, "size": 2}).json()
    assert page == {
        "faces": [{"image_id": ids[2], "subject": "bob"}],
        "page_number": 1,
        "page_size": 2,
        "total_pages": 2,
        "total_elements": 3,
    }
    found = client.get(FACES, params={"subject": "ada"}).json()
    assert ([each["image_id"] for each in found["faces"]], found["total_elements"]) == (ids[:2], 2)
    assert client.get(FACES, params={"subject": "", "size": 9999}).json()["page_size"] == 2000
    assert client.get(FACES, params={"subject": "eve"}).json()["total_pages"] == 0

    assert client.delete(f"{FACES}/{ids[0]}").json() == {"image_id": ids[0], "subject": "ada"}
    expect(client.delete(f"{FACES}/{ids[0]}"), 404, 44, "face_unknown")
    gone = client.post(f"{FACES}/delete", json=[ids[0], ids[1], UNKNOWN]).json()
    assert gone == [{"image_id": ids[1], "subject": "ada"}]
    assert subjects(client) == ["ada", "bob"]
    assert client.delete(FACES, params={"subject": "bob"}).json() == {"deleted": 1}
    assert client.delete(FACES, params={"subject": "bob"}).json() == {"deleted": 0}
    assert subjects(client) == ["ada"]
    add(client, faces_of[1], "bob")
    assert client.delete(FACES).json() == {"deleted": 1}
    assert subjects(client) == []


@pytest.mark.parametrize(
    "query", [{"page": -1}, {"size": 0}, {"page": 10**12}, {"page": "x"}, {"subject": "x" * 129}, {"subject": "a\0"}]
)
def test_bad_pages(emptied, query):
    answer = emptied.get(FACES, params=query)
    expect(answer, 400, 36 if query.get("page") == "x" else 26, "request_invalid")


@pytest.mark.parametrize("body", [{}, ["x"] * 1001, [7], [""]])
def test_bad_lists_of_ids(emptied, body):
    answer = emptied.post(f"{FACES}/delete", json=body)
    assert (answer.status_code, answer.json()["arcid_code"]) == (400, "request_invalid")


def test_photos_that_are_not_taken(emptied, group_photo, faceless, portrait):
    def post(photo, **query):
        return emptied.post(FACES, params={"subject": "ada", **query}, files={"file": photo})

    expect(post(group_photo), 400, 31, "several_faces")
    expect(post(faceless), 400, 28, "no_face")
    expect(post(b"no image"), 400, 21, "not_an_image")
    expect(post(portrait[:5000]), 400, 21, "image_damaged")
    expect(post(portrait, det_prob_threshold=1), 400, 28, "no_face")
    expect(post(group_photo, det_prob_threshold=0.5), 400, 31, "several_faces")
    expect(post(portrait, det_prob_threshold=2), 400, 26, "request_invalid")
    expect(emptied.post(FACES, files={"file": portrait}), 400, 33, "request_invalid")
    expect(emptied.post(FACES, params={"subject": ""}, files={"file": portrait}), 400, 26, "request_invalid")
    expect(emptied.post(FACES, params={"subject": "ada"}, files={"photo": portrait}), 400, 34, "request_invalid")
    expect(emptied.post(FACES, params={"subject": "ada"}), 400, 34, "body_empty")
    assert subjects(emptied) == []
    assert add(emptied, portrait, "ada", det_prob_threshold=0.8)


def test_images_are_small_jpegs(emptied, portrait):
    image_id = add(emptied, portrait, "ada")
    static = "/api/v1/static/key/images"
    for path in (
        f"{FACES}/{image_id}/img",
        f"{FACES}/{image_id}/img/",
        f"{static}/{image_id}",
        f"{static}/{image_id}/",
    ):
        answer = emptied.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content.startswith(b"\xff\xd8")
        assert len(answer.content) < 30_000
    for path in (f"{FACES}/{UNKNOWN}/img", f"{static}/{UNKNOWN}"):
        expect(emptied.get(path), 404, 44, "face_unknown")


def test_a_face_without_an_image(emptied, portrait):
    emptied.patch("/collections/default", json={"keep_crops": False}).raise_for_status()
    image_id = add(emptied, portrait, "ada")
    emptied.patch("/collections/default", json={"keep_crops": True}).raise_for_status()
    for path in (f"{FACES}/{image_id}/img", f"/api/v1/static/key/images/{image_id}"):
        expect(emptied.get(path), 404, 11, "face_image_unknown")


# A slash at the end


def test_paths_with_a_slash_at_the_end(emptied, faces_of):
    client = emptied
    answer = client.post(f"{FACES}/", params={"subject": "ada"}, files={"file": faces_of[0]}, follow_redirects=False)
    assert (answer.status_code, answer.json()["subject"]) == (201, "ada")
    image_id = answer.json()["image_id"]
    assert client.post(f"{ROOT}/", json={"subject": "bob"}, follow_redirects=False).status_code == 201
    assert client.get(f"{FACES}/").json()["total_elements"] == 1
    assert client.put(f"{ROOT}/bob/", json={"subject": "cleo"}).json() == {"updated": True}
    assert client.delete(f"{ROOT}/cleo/").json() == {"subject": "cleo"}
    for path in (f"{RECOGNITION}/recognize/", "/api/v1/detection/detect/", f"{FACES}/{image_id}/verify/"):
        assert client.post(path, files={"file": faces_of[0]}).status_code == 200
    assert client.delete(f"{FACES}/{image_id}/").json() == {"image_id": image_id, "subject": "ada"}
    assert client.delete(f"{FACES}/", params={"subject": "ada"}).json() == {"deleted": 0}
    assert subjects(client) == []


def test_no_name_ends_with_a_slash(emptied):
    for name in ("a/b", "ada/"):
        emptied.post(ROOT, json={"subject": name})
    assert subjects(emptied) == ["a/b"]
    expect(emptied.delete(f"{ROOT}/a%2F"), 400, 26, "request_invalid")


def test_an_empty_name_after_a_slash_deletes_nobody(emptied, portrait):
    add(emptied, portrait, "ada")
    for path in (f"{ROOT}/", f"{ROOT}//", f"{FACES}/", f"{FACES}//"):
        answer = emptied.delete(path)
        assert answer.status_code in {400, 404, 405}
        assert set(answer.json()) >= {"message", "code", "arcid_code"}
    expect(emptied.delete(f"{FACES}/"), 400, 26, "request_invalid")
    assert emptied.get(FACES).json()["total_elements"] == 1


def test_a_subject_is_safe_in_a_path_and_the_same_in_every_spelling(emptied, faces_of):
    client = emptied
    add(client, faces_of[0], DECOMPOSED)
    assert subjects(client) == [COMPOSED]
    assert len(client.get(FACES, params={"subject": DECOMPOSED}).json()["faces"]) == 1
    for unsafe in (".", "..", "a/../b", "%2e%2e", "a\\b"):
        expect(client.post(ROOT, json={"subject": unsafe}), 400, 26, "request_invalid")
        expect(client.put(f"{ROOT}/{COMPOSED}", json={"subject": unsafe}), 400, 26, "request_invalid")
        refused = client.post(FACES, params={"subject": unsafe}, files={"file": faces_of[1]})
        expect(refused, 400, 26, "request_invalid")
    expect(client.delete(f"{ROOT}/%2E%2E"), 400, 26, "request_invalid")
    assert client.put(f"{ROOT}/{DECOMPOSED}", json={"subject": "zoe"}).json() == {"updated": True}
