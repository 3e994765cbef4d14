"""Images of enrolled faces."""

import base64

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.access.keys import NewKey, Scope
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.database.cipher import encoded
from app.main import create_app
from tests.api.fakes import started
from tests.api.test_errors import expect
from tests.conftest import DATA

FACES = "/collections/people/faces"


@pytest.fixture(scope="module")
def settings(packs, tmp_path_factory):
    """Settings with encryption."""
    if not all(packs.has(each) for each in packs.required_by("open")):
        pytest.skip("the pack open is not pulled; run: arcid models pull open")
    settings = read_settings(
        data_dir=tmp_path_factory.mktemp("images"),
        models_dir=DATA,
        encryption={"key": encoded(b"1" * 32)},
        server={"hosts": ["testserver"]},
    )
    prepare_database(settings)
    return settings


@pytest.fixture(scope="module")
def client(settings):
    with TestClient(create_app(settings, started(settings))) as client:
        yield client


@pytest.fixture
def people(client):
    """A collection that keeps crops."""
    client.post("/collections", json={"name": "people", "keep_crops": True}).raise_for_status()
    yield client
    client.delete("/collections/people").raise_for_status()


def enroll(client, photo, identity_id):
    told = {"collection": "people", "identity_id": identity_id, "face": "largest", "on_duplicate": "allow"}
    answer = client.post("/enroll", files={"photos": photo}, data=told)
    answer.raise_for_status()
    return answer.json()["faces"][0]["face_id"]


def only_identity(client):
    (identity,) = client.get("/collections/people/identities").json()["identities"]
    return identity


def test_the_image_is_a_jpeg_that_shows_the_face(people, faces_of):
    face_id = enroll(people, faces_of[0], "ada")
    answer = people.get(f"{FACES}/{face_id}/image")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "private, no-cache"
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    # The image alone is enough to recognize the person.
    found = people.post("/identify", files={"photo": answer.content}, data={"collection": "people"}).json()
    assert found["faces"][0]["candidates"][0]["identity_id"] == "ada"


def test_an_image_that_the_client_has_is_not_sent_again(people, faces_of):
    first, second = (enroll(people, faces_of[each], "ada") for each in range(2))
    tag = people.get(f"{FACES}/{first}/image").headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f'"other", W/{tag}', "*"):
        again = people.get(f"{FACES}/{first}/image", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "private, no-cache"
    for unknown in ('"other"', tag.strip('"'), ""):
        assert people.get(f"{FACES}/{first}/image", headers={"if-none-match": unknown}).status_code == 200
    assert people.get(f"{FACES}/{second}/image", headers={"if-none-match": tag}).status_code == 200


def test_a_deleted_face_has_no_image(people, faces_of):
    face_id = enroll(people, faces_of[0], "ada")
    tag = people.get(f"{FACES}/{face_id}/image").headers["etag"]
    people.delete(f"{FACES}/{face_id}").raise_for_status()
    expect(people.get(f"{FACES}/{face_id}/image", headers={"if-none-match": tag}), 404, "face_unknown")


def test_an_image_follows_its_face_to_another_person(people, faces_of):
    face_id = enroll(people, faces_of[0], "ada")
    before = people.get(f"{FACES}/{face_id}/image").content
    people.post(f"{FACES}/{face_id}/move", json={"identity_id": "eve"}).raise_for_status()
    assert people.get(f"{FACES}/{face_id}/image").content == before


def test_a_person_gets_the_images_in_the_export(people, faces_of):
    face_id = enroll(people, faces_of[0], "ada")
    people.patch("/collections/people", json={"keep_crops": False}).raise_for_status()
    enroll(people, faces_of[1], "ada")
    with_image, without = people.get("/collections/people/identities/ada/export").json()["faces"]
    assert base64.b64decode(with_image["image"]) == people.get(f"{FACES}/{face_id}/image").content
    assert without["image"] is None


def test_health_names_the_faces_to_show(people, faces_of):
    good = {enroll(people, faces_of[0], "ada") for _ in range(3)}
    odd = enroll(people, faces_of[1], "ada")
    only = enroll(people, faces_of[0], "lovelace")
    found = people.get("/collections/people/health").json()
    (pair,) = found["duplicates"]
    assert (pair["first"]["face_id"], pair["first"]["identity_id"]) == (only, "lovelace")
    assert pair["second"]["face_id"] in good
    (finding,) = found["foreign_faces"]
    assert finding["face_id"] == odd
    assert finding["identity"]["face_id"] in good


def test_images_for_compreface(people, faces_of):
    face_id = enroll(people, faces_of[0], "ada")
    image = people.get(f"{FACES}/{face_id}/image").content
    asked = {"collection": "people"}
    for path in (f"recognition/faces/{face_id}/img", f"static/any-key/images/{face_id}"):
        answer = people.get(f"/api/v1/{path}", params=asked)
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/jpeg", image)
    assert people.get("/api/v1/static/any-key/images/unknown", params=asked).json()["arcid_code"] == "face_unknown"


def test_a_face_without_a_crop(people, faces_of):
    people.patch("/collections/people", json={"keep_crops": False}).raise_for_status()
    face_id = enroll(people, faces_of[0], "ada")
    expect(people.get(f"{FACES}/{face_id}/image"), 404, "face_image_unknown")
    expect(people.get(f"{FACES}/{'0' * 8}/image"), 404, "face_unknown")
    expect(people.get(f"/collections/nowhere/faces/{face_id}/image"), 404, "collection_unknown")
    assert not people.get(f"{FACES}/{face_id}").json()["has_image"]
    assert (only_identity(people)["face_id"], only_identity(people)["has_image"]) == (face_id, False)


def test_the_face_that_is_shown_of_a_person_has_an_image_and_is_the_best(people, faces_of):
    faces = [enroll(people, faces_of[each], "ada") for each in (0, 1, 2)]
    qualities = {each: people.get(f"{FACES}/{each}").json()["quality"]["score"] for each in faces}
    assert len(set(qualities.values())) == 3
    best = max(faces, key=qualities.__getitem__)
    assert (only_identity(people)["face_id"], only_identity(people)["has_image"]) == (best, True)
    people.patch("/collections/people", json={"keep_crops": False}).raise_for_status()
    for each in faces:
        people.delete(f"{FACES}/{each}") if each != min(faces, key=qualities.__getitem__) else None
    enroll(people, faces_of[faces.index(best)], "ada")  # better, but without an image
    shown = only_identity(people)
    assert (shown["face_id"], shown["has_image"]) == (min(faces, key=qualities.__getitem__), True)
    listed = people.get(FACES).json()["faces"]
    assert [each["has_image"] for each in listed] == [True, False]


def test_the_key_in_the_path_is_the_only_one(people, faces_of, settings):
    face_id = enroll(people, faces_of[0], "ada")
    keys = Container(settings).keys
    (_, manage), (_, recognise) = (keys.create(NewKey(each, [Scope(each)])) for each in ("manage", "recognise"))
    people.app.state.services.access.refresh()

    def status(key, **headers):
        path = f"/api/v1/static/{key}/images/{face_id}?collection=people"
        return people.get(path, headers=headers).status_code

    assert status(manage) == status(manage, authorization=f"Bearer {recognise}") == 200
    assert status(recognise) == status(recognise, **{"x-api-key": manage}) == 403
    for wrong in ("arcid_wrong", "%C5%81%0D%0Ax: y", "%00"):
        assert status(wrong, authorization=f"Bearer {manage}") == 401
    people.headers["x-api-key"] = manage  # with which the collection is deleted
