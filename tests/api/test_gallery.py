"""Deleting people and faces, through HTTP."""

from urllib.parse import quote

import pytest

from app.errors import IndexUnavailable
from app.gallery.gallery import Gallery
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Person
from tests.api.test_errors import expect
from tests.gallery.store.enrolling import new_face


def enroll(client, identity_id, *photos, collection="default", headers=None):
    files = [("photos", ("photo", photo)) for photo in photos]
    fields = {"identity_id": identity_id, "collection": collection}
    answer = client.post("/enroll", files=files, data=fields, headers=headers)
    assert answer.status_code == 200
    return [face["face_id"] for face in answer.json()["faces"]]


def candidates(client, photo) -> list[str]:
    (face,) = client.post("/identify", files={"photo": photo}).json()["faces"]
    return [each["identity_id"] for each in face["candidates"]]


def verify(client, photo, identity_id):
    return client.post("/verify", files={"probe": photo}, data={"identity_id": identity_id})


@pytest.fixture(autouse=True)
def _emptied(client):
    """Each test leaves an empty gallery."""
    yield
    services = client.app.state.services
    with services.database.engine.connect() as connection:
        ids = (
            connection.exec_driver_sql(
                "SELECT identity_id FROM identities JOIN collections c ON c.id = collection_id WHERE c.name = 'default'"
            )
            .scalars()
            .all()
        )
    for each in ids:
        services.gallery.remove_identity(services.gallery.require("default"), each)


def test_who_was_deleted_is_found_no_more(client, faces_of):
    enroll(client, "ada", faces_of[0], faces_of[0])
    enroll(client, "bob", faces_of[1])
    answer = client.delete("/collections/default/identities/ada")
    assert (answer.status_code, answer.json()["status"]) == (200, "complete")
    assert candidates(client, faces_of[0]) == ["bob"]
    expect(verify(client, faces_of[0], "ada"), 404, "identity_unknown")
    assert verify(client, faces_of[1], "bob").json()["verdict"] == "match"
    assert client.get("/collections/default").json()["faces"] == 1
    expect(client.delete("/collections/default/identities/ada"), 404, "identity_unknown")


def test_of_several_faces_one_can_be_deleted(client, faces_of, portrait):
    first, second = enroll(client, "ada", faces_of[0], portrait)
    assert client.delete(f"/collections/default/faces/{first}").status_code == 200
    body = verify(client, portrait, "ada").json()
    assert (body["reference_face"]["face_id"], body["reference_face"]["faces"]) == (second, 1)
    assert body["similarity"] > 0.95  # the probe is one embedding, the enrolled photo the average of two
    expect(client.delete(f"/collections/default/faces/{first}"), 404, "face_unknown")


def test_with_the_last_face_the_person_is_deleted(client, faces_of):
    (face,) = enroll(client, "ada", faces_of[0])
    assert client.delete(f"/collections/default/faces/{face}").status_code == 200
    assert candidates(client, faces_of[0]) == []
    expect(verify(client, faces_of[0], "ada"), 404, "identity_unknown")
    expect(client.delete("/collections/default/identities/ada"), 404, "identity_unknown")


def test_who_was_deleted_may_come_back(client, faces_of):
    headers = {"Idempotency-Key": "once"}
    (first,) = enroll(client, "ada", faces_of[0], headers=headers)
    client.delete("/collections/default/identities/ada")
    (second,) = enroll(client, "ada", faces_of[0], headers=headers)
    assert first != second
    assert candidates(client, faces_of[0]) == ["ada"]


@pytest.mark.parametrize("identity_id", ["a/b", "a b", "Zoë", "100%", "a?b#c", "faces/x", "🙂"])
def test_every_id_that_can_be_enrolled_can_be_deleted(client, faces_of, identity_id):
    enroll(client, identity_id, faces_of[0])
    assert client.delete(f"/collections/default/identities/{quote(identity_id, safe='')}").status_code == 200
    assert candidates(client, faces_of[0]) == []


@pytest.mark.parametrize("what", ["identities/ada", "faces/ada"])
def test_a_collection_that_does_not_exist(client, what):
    expect(client.delete(f"/collections/nowhere/{what}"), 404, "collection_unknown")


@pytest.mark.parametrize("what", ["identities/ada", "faces/ada"])
def test_a_collection_of_another_network(client, what):
    database = client.app.state.services.database
    store = IdentityStore(database.engine, database.vault)
    if "foreign" not in [each.name for each in store.collections()]:
        foreign = store.create_collection("foreign", model="another", dimension=4)
        store.enroll(foreign, Person("eve"), [new_face()])
    expect(client.delete(f"/collections/foreign/{what}"), 409, "model_mismatch")


def test_another_collections_people_stay(client, faces_of):
    client.app.state.services.gallery.ensure("other")
    (face,) = enroll(client, "ada", faces_of[0], collection="other")
    expect(client.delete("/collections/default/identities/ada"), 404, "identity_unknown")
    expect(client.delete(f"/collections/default/faces/{face}"), 404, "face_unknown")
    assert client.delete(f"/collections/other/faces/{face}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["default/identities/a%00b", "default/faces/a%00b", "no%20spaces/identities/a", "default/faces/" + 129 * "x"],
)
def test_what_cannot_be_a_name_is_refused(client, path):
    expect(client.delete(f"/collections/{path}"), 422, "request_invalid")


def test_an_engine_that_is_away_is_503(client, monkeypatch):
    def away(*_: object) -> None:
        raise IndexUnavailable("the engine does not answer")

    monkeypatch.setattr(Gallery, "remove_identity", away)
    answer = client.delete("/collections/default/identities/ada")
    expect(answer, 503, "index_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    monkeypatch.setattr(Gallery, "states", away)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["index"]["detail"]) == (503, "the engine does not answer")
