import pytest

from app.gallery.store.values import CollectionSettings, Person
from tests.api.test_errors import expect
from tests.gallery.store.enrolling import new_face


@pytest.fixture
def people(client):
    """A separate collection for each test."""
    answer = client.post("/collections", json={"name": "people"})
    assert answer.status_code == 201
    yield answer
    client.delete("/collections/people")


def enroll(client, photo, identity_id, **fields):
    body = {"collection": "people", "identity_id": identity_id, **fields}
    answer = client.post("/enroll", files={"photos": photo}, data=body)
    assert answer.status_code == 200
    return answer.json()["faces"][0]["face_id"]


def test_a_collection_is_made_shown_changed_and_deleted(client, people):
    made = people.json()
    assert people.headers["location"] == "/collections/people"
    assert made == {
        "name": "people",
        "model": "sface-2021dec",
        "dimension": 128,
        "is_usable": True,
        "flip": True,
        "enroll_quality": 0.25,
        "probe_quality": 0.2,
        "detector": None,
        "max_fmr": None,
        "max_fpir": None,
        "threshold": None,
        "on_duplicate": "flag",
        "on_mismatch": "flag",
        "index": None,
        "keep_crops": True,
        "retention_days": None,
        "remember_unknown_days": None,
        "require_consent": False,
        "adaptive": True,
        "impostors": None,
        "liveness": "off",
        "review": "off",
        "review_days": 183,
        "reviewers": 1,
        "in_force": {
            "detector": "yunet+retinaface",
            "max_fmr": 1e-4,
            "max_fpir": 0.01,
            "impostors": "any",
            "index": "auto",
        },
        "identities": 0,
        "faces": 0,
        "revision": 0,
    }
    shown = client.get("/collections/people")
    assert (shown.json(), shown.headers["etag"]) == (made, people.headers["etag"])
    changed = client.patch("/collections/people", json={"flip": False, "enroll_quality": 0})
    assert changed.json() == {**made, "flip": False, "enroll_quality": 0, "revision": 1}
    assert changed.headers["etag"] != people.headers["etag"]
    assert client.delete("/collections/people").status_code == 204
    expect(client.get("/collections/people"), 404, "collection_unknown")
    expect(client.delete("/collections/people"), 404, "collection_unknown")
    expect(client.patch("/collections/people", json={"flip": True}), 404, "collection_unknown")


def test_a_new_collection_says_what_is_not_usual(client):
    answer = client.post("/collections", json={"name": "own", "flip": False, "probe_quality": 0.5, "index": "exact"})
    body = answer.json()
    assert (body["flip"], body["enroll_quality"], body["probe_quality"], body["index"]) == (False, 0.25, 0.5, "exact")
    client.delete("/collections/own")


def test_a_name_is_taken_once(client, people):
    expect(client.post("/collections", json={"name": "people"}), 409, "collection_exists")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 7}, "name"),
        ({"name": "new", "flip": "yes"}, "flip"),
        ({"name": "new", "enroll_quality": 1.1}, "enroll_quality"),
        ({"name": "new", "probe_quality": -1}, "probe_quality"),
        ({"name": "new", "index": "magic"}, "index"),
        ({"name": "new", "index": "milvus"}, "index"),
        ({"name": "new", "model": "another"}, "model"),
    ],
)
def test_what_does_not_fit_is_named(client, body, field):
    answer = client.post("/collections", json=body)
    expect(answer, 422, "request_invalid")
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert client.get("/collections/new").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"name": "other"}, {"flip": None}, {"enroll_quality": "high"}, {"index": "exact"}]
)
def test_a_change_says_what_changes(client, people, body):
    expect(client.patch("/collections/people", json=body), 422, "request_invalid")


def test_other_bodies_are_refused(client):
    for method, path in (("post", "/collections"), ("patch", "/collections/default"), ("post", "/search")):
        call = getattr(client, method)
        expect(call(path), 400, "body_empty")
        expect(call(path, content=b"{", headers={"content-type": "application/json"}), 400, "body_malformed")
        expect(call(path, content=b"[]", headers={"content-type": "application/json"}), 422, "request_invalid")
        expect(call(path, data={"name": "form"}), 415, "content_type_unsupported")
        expect(call(path, content=b"{}"), 415, "content_type_unsupported")


def test_pages_are_walked_by_cursors(client, people):
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        client.post("/collections", json={"name": name})
    listed, cursor = [], None
    while True:
        page = client.get("/collections", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        listed += [each["name"] for each in page["collections"]]
        assert len(page["collections"]) <= 2
        if (cursor := page["next_cursor"]) is None:
            break
    assert [name for name in listed if name.startswith("page")] == names
    assert len(set(listed)) == len(listed)
    for name in names:
        client.delete(f"/collections/{name}")


@pytest.mark.parametrize("path", ["/collections", "/collections/default/identities", "/collections/default/faces"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=many", "query.limit"),
        ("cursor=", "query.cursor"),
        ("cursor=abc", "query.cursor"),
        ("cursor=%00", "query.cursor"),
        ("cursor=é", "query.cursor"),
        ("cursor=YWZ0ZXI6LTE", "query.cursor"),  # after:-1
        ("cursor=YWZ0ZXI6OTIyMzM3MjAzNjg1NDc3NTgwOA", "query.cursor"),  # after:2**63
        (f"cursor={'a' * 65}", "query.cursor"),
    ],
)
def test_cursors_and_limits_are_checked(client, path, query, field):
    answer = client.get(f"{path}?{query}")
    expect(answer, 422, "request_invalid")
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_change_can_ask_for_the_version_that_was_seen(client, people):
    seen = people.headers["etag"]
    change = {"probe_quality": 0.3}
    changed = client.patch("/collections/people", json=change, headers={"if-match": f'"other", {seen}'})
    assert changed.status_code == 200
    for tags in (seen, f"W/{changed.headers['etag']}", "nonsense", '"'):
        expect(client.patch("/collections/people", json=change, headers={"if-match": tags}), 412, "precondition_failed")
    assert client.patch("/collections/people", json=change, headers={"if-match": "*"}).status_code == 200


def test_flip_averaging_is_fixed_by_the_first_face(client, people, portrait):
    enroll(client, portrait, "eileen")
    expect(client.patch("/collections/people", json={"flip": False}), 409, "collection_not_empty")


def test_a_collection_goes_with_its_faces(client, people, portrait):
    face_id = enroll(client, portrait, "eileen")
    assert client.get("/collections/people").json()["faces"] == 1
    client.delete("/collections/people")
    expect(client.get(f"/collections/people/faces/{face_id}"), 404, "collection_unknown")
    expect(
        client.post("/identify", files={"photo": portrait}, data={"collection": "people"}), 404, "collection_unknown"
    )
    client.post("/collections", json={"name": "people"})
    assert (
        client.post("/identify", files={"photo": portrait}, data={"collection": "people"}).json()["faces"][0][
            "candidates"
        ]
        == []
    )


def test_the_default_collection_comes_back_empty(client, portrait):
    client.post("/enroll", files={"photos": portrait}, data={"identity_id": "eileen"})
    before = client.get("/collections/default")
    assert before.json()["faces"] == 1
    assert client.delete("/collections/default").status_code == 204
    after = client.get("/collections/default")
    assert (after.json()["faces"], after.json()["revision"]) == (0, 0)
    assert after.headers["etag"] != before.headers["etag"]


def test_a_collection_of_another_network_is_shown_but_not_used(client, portrait):
    store = client.app.state.services.gallery._store
    store.enroll(store.create_collection("foreign", model="another", dimension=4), Person("ada"), [new_face()])
    shown = client.get("/collections/foreign").json()
    assert (shown["model"], shown["is_usable"]) == ("another", False)
    assert "foreign" in [each["name"] for each in client.get("/collections").json()["collections"]]
    for use in (
        lambda: client.get("/collections/foreign/identities"),
        lambda: client.get("/collections/foreign/faces/1"),
        lambda: client.post("/search", json={"embedding": [1, 0, 0, 0], "collection": "foreign"}),
        lambda: client.post("/enroll", files={"photos": portrait}, data={"collection": "foreign"}),
    ):
        expect(use(), 409, "model_mismatch")
    detail = use().json()["detail"]
    assert detail.endswith("(arcid reembed start foreign --model open)")
    check = client.get("/readyz").json()["checks"]["collections"]
    assert check["detail"].startswith("1 collection has faces of a network that is not served (another): arcid doctor")
    store.create_collection("bound", model="third", dimension=4, settings=CollectionSettings(threshold=0.4))
    expect(client.get("/collections/bound/identities"), 409, "model_mismatch")
    check = client.get("/readyz").json()["checks"]["collections"]
    assert check["detail"].startswith("1 collection has faces of a network that is not served (another), ")
    assert "1 empty collection is of a network that is not served (third): arcid doctor names" in check["detail"]
    assert client.patch("/collections/bound", json={"threshold": None}).status_code == 200
    check = client.get("/readyz").json()["checks"]["collections"]
    assert "empty" not in check["detail"]  # the next request gives it a network
    assert client.get("/collections/bound/identities").status_code == 200
    assert client.delete("/collections/bound").status_code == 204
    assert client.patch("/collections/foreign", json={"probe_quality": 0.3}).status_code == 200
    assert client.delete("/collections/foreign").status_code == 204


def test_the_old_spelling_of_a_field_is_accepted(client, people):
    changed = client.patch("/collections/people", json={"enrol_quality": 0.5})  # the old spelling
    assert (changed.status_code, changed.json()["enroll_quality"]) == (200, 0.5)
    assert client.patch("/collections/people", json={"entry_quality": 0.5}).status_code == 422


def test_the_settings_in_force(client):
    usual = client.post("/collections", json={"name": "usual"}).json()
    own = {"max_fpir": 0.001, "impostors": "similar"}
    assert client.patch("/collections/usual", json=own).json()["in_force"] == usual["in_force"] | own
    fixed = client.patch("/collections/usual", json={"max_fpir": None, "threshold": 0.4}).json()["in_force"]
    assert (fixed["max_fmr"], fixed["max_fpir"]) == (None, None)
    assert client.delete("/collections/usual").status_code == 204


def test_an_empty_collection_of_another_network_takes_the_served_one(client, portrait):
    store = client.app.state.services.gallery._store
    store.create_collection("emptied", model="another", dimension=4)
    answer = client.post("/enroll", files={"photos": portrait}, data={"collection": "emptied", "identity_id": "ada"})
    assert answer.status_code == 200, answer.text
    shown = client.get("/collections/emptied").json()
    assert (shown["model"], shown["is_usable"], shown["faces"]) == ("sface-2021dec", True, 1)
    found = client.post("/identify", files={"photo": portrait}, data={"collection": "emptied"}).json()
    assert found["faces"][0]["candidates"][0]["identity_id"] == "ada"
    client.delete("/collections/emptied")
