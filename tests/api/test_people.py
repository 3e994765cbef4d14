import pytest

from app.api.routes.identity_routes import ACTIONS
from tests.api.test_collections import enroll
from tests.api.test_errors import expect
from tests.test_names import COMPOSED, DECOMPOSED

ROOT = "/collections/people"
ODD = "a/b c?#%é/merge"


@pytest.fixture
def people(client, faces_of):
    """Ada with two faces and Bob with one: their face ids."""
    client.post("/collections", json={"name": "people"})
    ada = [enroll(client, faces_of[0], "ada", name="Ada", metadata='{"site": "Oslo", "badge": 7}') for _ in range(2)]
    yield {"ada": ada, "bob": [enroll(client, faces_of[1], "bob", metadata='{"site": "Rome"}')]}
    client.delete(ROOT)


def counts(client):
    shown = client.get(ROOT).json()
    return shown["identities"], shown["faces"]


def candidates(client, photo, **fields):
    answer = client.post("/identify", files={"photo": photo}, data={"collection": "people", **fields})
    assert answer.status_code == 200
    return [each["identity_id"] for each in answer.json()["faces"][0]["candidates"]]


# People


def test_people_are_listed_and_searched(client, people):
    first = client.get(f"{ROOT}/identities", params={"limit": 1}).json()
    second = client.get(f"{ROOT}/identities", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [each["identity_id"] for page in (first, second) for each in page["identities"]] == ["ada", "bob"]
    assert second["next_cursor"] is None
    assert (first["identities"][0]["faces"], first["identities"][0]["metadata"]["badge"]) == (2, 7)
    for text, found in {"AD": ["ada"], "b": ["bob"], "nobody": []}.items():
        page = client.get(f"{ROOT}/identities", params={"q": text}).json()
        assert [each["identity_id"] for each in page["identities"]] == found
    for text in ("", "\0", "x" * 129):
        expect(client.get(f"{ROOT}/identities", params={"q": text}), 422, "request_invalid")
    expect(client.get("/collections/nowhere/identities"), 404, "collection_unknown")


def test_people_are_found_by_the_beginnings_of_words(client, people, faces_of):
    enroll(client, faces_of[2], "Angela_Merkel")
    enroll(client, faces_of[3], "p-17", name="Zoë Ångström-O'Neil")
    for text, found in {
        "angela m": ["Angela_Merkel"],
        "MERKEL-angela": ["Angela_Merkel"],
        "angela n": [],
        "gela": [],
        "zoe o": ["p-17"],
        "angstr": ["p-17"],
        "an": ["Angela_Merkel", "p-17"],
        "17": ["p-17"],
        "-": ["p-17"],
        "%": [],
        "a_m": ["Angela_Merkel"],
    }.items():
        page = client.get(f"{ROOT}/identities", params={"q": text}).json()
        assert [each["identity_id"] for each in page["identities"]] == found, text
        assert page["total"] == len(found)
    client.patch(f"{ROOT}/identities/p-17", json={"name": "Bea"}).raise_for_status()
    assert client.get(f"{ROOT}/identities", params={"q": "zoe"}).json()["total"] == 0
    assert client.get(f"{ROOT}/identities", params={"q": "bea"}).json()["total"] == 1


def test_people_are_listed_in_orders(client, people, faces_of):
    enroll(client, faces_of[2], "zoe", name="ärnold")
    qualities = {
        each: max(face["quality"]["score"] for face in client.get(f"{ROOT}/identities/{each}").json()["first_faces"])
        for each in ("ada", "bob", "zoe")
    }
    for order, expected in {
        "oldest": ["ada", "bob", "zoe"],
        "newest": ["zoe", "bob", "ada"],
        "name": ["ada", "zoe", "bob"],
        "faces": ["ada", "bob", "zoe"],
        "quality": sorted(qualities, key=qualities.__getitem__, reverse=True),
    }.items():
        listed, cursor = [], None
        for _ in range(3):
            page = client.get(
                f"{ROOT}/identities", params={"order": order, "limit": 1, **({"cursor": cursor} if cursor else {})}
            ).json()
            assert page["total"] == 3
            listed += [each["identity_id"] for each in page["identities"]]
            cursor = page["next_cursor"]
        assert (listed, cursor) == (expected, None), order
    expect(client.get(f"{ROOT}/identities", params={"order": "random"}), 422, "request_invalid")


def test_a_person_is_shown_with_faces_and_no_vectors(client, people):
    answer = client.get(f"{ROOT}/identities/ada")
    body = answer.json()
    assert (body["identity_id"], body["name"], body["faces"]) == ("ada", "Ada", 2)
    assert [each["face_id"] for each in body["first_faces"]] == people["ada"]
    assert all(each["embedding"] is None for each in body["first_faces"])
    assert answer.headers["etag"].startswith('"')
    expect(client.get(f"{ROOT}/identities/nobody"), 404, "identity_unknown")


def test_a_person_is_renamed(client, people):
    seen = client.get(f"{ROOT}/identities/ada").headers["etag"]
    changed = client.patch(f"{ROOT}/identities/ada", json={"name": "Ada L."}, headers={"if-match": seen})
    assert (changed.status_code, changed.json()["name"], changed.json()["metadata"]["badge"]) == (200, "Ada L.", 7)
    late = client.patch(f"{ROOT}/identities/ada", json={"name": "X"}, headers={"if-match": seen})
    expect(late, 412, "precondition_failed")
    emptied = client.patch(f"{ROOT}/identities/ada", json={"name": None, "metadata": None}).json()
    assert (emptied["name"], emptied["metadata"]) == (None, {})
    expect(client.patch(f"{ROOT}/identities/nobody", json={"name": "X"}), 404, "identity_unknown")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "body"),
        (b'{"name": 7}', "name"),
        (b'{"name": "a\\u0000"}', "name"),
        (b'{"metadata": []}', "metadata"),
        (b'{"metadata": {"a": NaN}}', "metadata"),
        (b'{"metadata": {"a": "' + b"x" * 17_000 + b'"}}', "metadata"),
        (b'{"identity_id": "eve"}', "identity_id"),
    ],
)
def test_a_change_that_does_not_fit(client, people, body, field):
    answer = client.patch(f"{ROOT}/identities/ada", content=body, headers={"content-type": "application/json"})
    expect(answer, 422, "request_invalid")
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert client.get(f"{ROOT}/identities/ada").json()["name"] == "Ada"


@pytest.mark.parametrize("body", [b'{"name": "\\ud800"}', b'{"metadata": {"a": "\\ud800"}}', b'{"name": "\xff"}', b"{"])
def test_a_change_that_is_no_json(client, people, body):
    answer = client.patch(f"{ROOT}/identities/ada", content=body, headers={"content-type": "application/json"})
    expect(answer, 400, "body_malformed")


def test_odd_metadata_comes_back_as_it_went(client, people):
    odd = {"nul": "\0", "big": 10**300, "deep": [[[{}]]], "é": "\U0001f600", "float": 0.1}
    assert client.patch(f"{ROOT}/identities/ada", json={"metadata": odd}).json()["metadata"] == odd


def test_an_id_may_be_odd(client, people, faces_of):
    from urllib.parse import quote  # noqa: PLC0415 - for this test

    enroll(client, faces_of[2], ODD)
    path = f"{ROOT}/identities/{quote(ODD, safe='')}"
    assert client.get(path).json()["identity_id"] == ODD
    assert client.patch(path, json={"name": "Odd"}).json()["name"] == "Odd"
    assert client.post(f"{path}/merge", json={"into": "ada"}).json()["faces"] == 3
    expect(client.get(path), 404, "identity_unknown")


def test_what_is_done_with_a_person_is_told_from_an_id(client, people, faces_of):
    enroll(client, faces_of[2], "x/merge")
    enroll(client, faces_of[2], "merge")
    for method in ("GET", "PATCH", "DELETE", "OPTIONS"):
        answer = client.request(method, f"{ROOT}/identities/x/merge")
        expect(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
    expect(client.post(f"{ROOT}/identities/x%2Fmerge", json={"into": "ada"}), 405, "method_not_allowed")
    for name in ("x%2Fmerge", "merge"):
        assert client.get(f"{ROOT}/identities/{name}").status_code == 200
        assert client.options(f"{ROOT}/identities/{name}").headers["allow"] == "DELETE, GET, HEAD, PATCH"
        assert client.delete(f"{ROOT}/identities/{name}").status_code == 200
    expect(client.post(f"{ROOT}/identities/x/merge", json={"into": "ada"}), 404, "identity_unknown")


def test_every_word_after_a_person_is_reserved(client):
    paths = client.get("/openapi.json").json()["paths"]
    after = {each.partition("{identity_id}/")[2] for each in paths if "/identities/{identity_id}/" in each}
    assert after == ACTIONS


def test_two_people_are_made_one(client, people, faces_of):
    assert candidates(client, faces_of[1])[0] == "bob"
    answer = client.post(f"{ROOT}/identities/bob/merge", json={"into": "ada"})
    assert (answer.status_code, answer.json()["faces"]) == (200, 3)
    assert answer.headers["etag"] == client.get(f"{ROOT}/identities/ada").headers["etag"]
    assert counts(client) == (1, 3)
    assert candidates(client, faces_of[1]) == ["ada"]
    expect(client.get(f"{ROOT}/identities/bob"), 404, "identity_unknown")
    expect(client.post(f"{ROOT}/identities/bob/merge", json={"into": "ada"}), 404, "identity_unknown")
    expect(client.post(f"{ROOT}/identities/ada/merge", json={"into": "bob"}), 404, "identity_unknown")
    expect(client.post(f"{ROOT}/identities/ada/merge", json={"into": "ada"}), 422, "request_invalid")
    expect(client.post(f"{ROOT}/identities/ada/merge", json={"into": ""}), 422, "request_invalid")


# Faces


def test_faces_are_listed(client, people):
    def listed(**query):
        page = client.get(f"{ROOT}/faces", params=query).json()
        return [each["face_id"] for each in page["faces"]], page["next_cursor"]

    everybody = people["ada"] + people["bob"]
    assert listed() == (everybody, None)
    first, cursor = listed(limit=2)
    assert first + listed(limit=2, cursor=cursor)[0] == everybody
    assert listed(identity_id="bob") == (people["bob"], None)
    expect(client.get(f"{ROOT}/faces", params={"identity_id": "nobody"}), 404, "identity_unknown")


def test_a_face_shows_its_vector_only_on_demand(client, people):
    path = f"{ROOT}/faces/{people['bob'][0]}"
    face = client.get(path).json()
    assert face["embedding"] is None
    assert (face["identity_id"], face["model"], len(face["image_sha256"])) == ("bob", "sface-2021dec", 64)
    assert len(face["box"]) == 4
    assert len(face["landmarks"]) == 5
    assert face["norm"] > 1
    assert 0 < face["quality"]["score"] <= 1
    assert all(0 <= value <= 100 for value in face["quality"]["components"].values())
    assert face["quality"]["worst"] == min(face["quality"]["components"], key=face["quality"]["components"].get)
    embedding = client.get(path, params={"embedding": "true"}).json()["embedding"]
    assert sum(each * each for each in embedding) == pytest.approx(1, abs=1e-3)
    found = client.post("/search", json={"embedding": embedding, "collection": "people", "top_k": 1}).json()
    assert (found["verdict"], found["candidates"][0]["identity_id"]) == ("match", "bob")
    assert found["candidates"][0]["fmr"] < 1e-6
    assert found["candidates"][0]["fpir"] < 1e-5
    expect(client.get(path, params={"embedding": "maybe"}), 422, "request_invalid")
    expect(client.get(f"{ROOT}/faces/nothing"), 404, "face_unknown")


def test_a_face_is_given_to_somebody_else(client, people, faces_of):
    path = f"{ROOT}/faces/{people['bob'][0]}/move"
    assert client.post(path, json={"identity_id": "eve"}).json()["identity_id"] == "eve"
    assert counts(client) == (2, 3)
    assert candidates(client, faces_of[1])[0] == "eve"
    expect(client.get(f"{ROOT}/identities/bob"), 404, "identity_unknown")
    for body in ({}, {"identity_id": ""}, {"identity_id": "a\0"}, {"identity_id": "eve", "name": "Eve"}):
        expect(client.post(path, json=body), 422, "request_invalid")
    expect(client.post(f"{ROOT}/faces/nothing/move", json={"identity_id": "eve"}), 404, "face_unknown")


def test_a_merge_is_undone(client, people, faces_of):
    before = client.get(f"{ROOT}/identities/ada").json()
    client.post(f"{ROOT}/identities/ada/merge", json={"into": "bob"}).raise_for_status()
    back = {"face_ids": people["ada"], "identity_id": "ada", "name": "Ada", "metadata": before["metadata"]}
    answer = client.post(f"{ROOT}/faces/move", json=back)
    assert (answer.status_code, answer.json()["faces"], answer.json()["name"]) == (200, 2, "Ada")
    assert answer.headers["etag"] == client.get(f"{ROOT}/identities/ada").headers["etag"]
    assert answer.json()["metadata"] == before["metadata"]
    assert counts(client) == (2, 3)
    assert candidates(client, faces_of[0])[0] == "ada"
    assert candidates(client, faces_of[1])[0] == "bob"
    refused: list[dict[str, object]] = [
        {"face_ids": [], "identity_id": "ada"},
        {"face_ids": ["f"] * 1001, "identity_id": "ada"},
        {"face_ids": people["ada"]},
        {"face_ids": people["ada"], "identity_id": "a/.."},
    ]
    for body in refused:
        expect(client.post(f"{ROOT}/faces/move", json=body), 422, "request_invalid")
    unknown = {"face_ids": [*people["bob"], "nothing"], "identity_id": "ada"}
    expect(client.post(f"{ROOT}/faces/move", json=unknown), 404, "face_unknown")
    assert counts(client) == (2, 3)


# A part of the collection


def test_a_search_in_a_part_of_the_collection(client, people, faces_of):
    assert candidates(client, faces_of[0]) == ["ada", "bob"]
    assert candidates(client, faces_of[0], where='{"site": "Rome"}') == ["bob"]
    assert candidates(client, faces_of[0], where='{"site": "Oslo", "badge": 7}') == ["ada"]
    assert candidates(client, faces_of[0], where='{"site": "Oslo", "badge": "7"}') == []
    assert candidates(client, faces_of[0], where="{}") == ["ada", "bob"]


@pytest.mark.parametrize(
    "where", ["[]", "x", '{"a": []}', '{"a": {"b": 1}}', '{"a": NaN}', '{"a": "' + "x" * 5000 + '"}']
)
def test_a_restriction_that_does_not_fit(client, portrait, where):
    answer = client.post("/identify", files={"photo": portrait}, data={"where": where})
    expect(answer, 422, "request_invalid")
    (error,) = answer.json()["errors"]
    assert error["field"].startswith("where")


def test_no_id_leads_out_of_its_path(client, people):
    """In all places where ids enter. For a client that resolves paths, `..` would be the collection itself."""
    face = people["bob"][0]
    for unsafe in (".", "..", "a/..", "%2e%2e", "a//b", "ada "):
        expect(client.post(f"{ROOT}/identities/bob/merge", json={"into": unsafe}), 422, "request_invalid")
        expect(client.post(f"{ROOT}/faces/{face}/move", json={"identity_id": unsafe}), 422, "request_invalid")
        expect(client.get(f"{ROOT}/faces", params={"identity_id": unsafe}), 422, "request_invalid")
    for path in ("identities/%2E%2E", "identities/%252e%252e", "identities/a%2F%2E%2E%2Fb", "faces/%2E%2E"):
        expect(client.delete(f"{ROOT}/{path}"), 422, "request_invalid")
    assert counts(client) == (2, 3)


def test_a_name_is_the_same_in_every_spelling(client, people, faces_of):
    """As typed (composed) and as macOS sends it: in a body, a path, a search, metadata and `where`."""
    enroll(client, faces_of[2], DECOMPOSED, name=DECOMPOSED, metadata=f'{{"{DECOMPOSED}": "{DECOMPOSED}"}}')
    for spelling in (DECOMPOSED, COMPOSED):
        shown = client.get(f"{ROOT}/identities/{spelling}").json()
        assert (shown["identity_id"], shown["name"], shown["metadata"]) == (COMPOSED, COMPOSED, {COMPOSED: COMPOSED})
        (found,) = client.get(f"{ROOT}/identities", params={"q": spelling}).json()["identities"]
        assert found["identity_id"] == COMPOSED
        assert candidates(client, faces_of[2], where=f'{{"{spelling}": "{spelling}"}}') == [COMPOSED]
        assert len(client.get(f"{ROOT}/faces", params={"identity_id": spelling}).json()["faces"]) == 1
    client.patch(f"{ROOT}/identities/{DECOMPOSED}", json={"name": f"{DECOMPOSED} L."})
    assert client.get(f"{ROOT}/identities/{COMPOSED}").json()["name"] == f"{COMPOSED} L."
    both = {"metadata": {DECOMPOSED: 1, COMPOSED: 2}}
    expect(client.patch(f"{ROOT}/identities/{COMPOSED}", json=both), 422, "request_invalid")
