"""Similarities as a key without `manage` gets them, on all routes that return any."""

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.api.http.permissions import scopes
from app.config import RateSettings
from app.main import create_app
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer
from tests.compreface.asking import RECOGNITION

DIMENSION = 128
BELOW = [Scope.RECOGNISE, Scope.SEARCH, Scope.ENROLL]


@pytest.fixture(scope="module")
def client(settings, faces_of):
    open_settings = settings.model_copy(
        update={"rates": RateSettings(search="none"), "open_metadata": ("site",)},
    )
    with TestClient(create_app(open_settings), raise_server_exceptions=False) as client:
        for number, photo in enumerate(faces_of[:4]):
            fields = {"identity_id": f"person-{number}", "metadata": '{"site": "Oslo", "salary": 7}'}
            assert client.post("/enroll", files={"photos": photo}, data=fields).is_success
        yield client


@pytest.fixture(scope="module")
def keys(client):
    store = KeyStore(client.app.state.services.database.engine)
    made = {"below": BELOW, "manager": [*BELOW, Scope.MANAGE]}
    created = {name: bearer(store.create(NewKey(name, scopes))[1]) for name, scopes in made.items()}
    client.app.state.services.access.refresh()  # else the first requests may still be those of a service without keys
    return created


@pytest.fixture(scope="module")
def least(client, keys):
    """The smallest similarity that is seen in /identify and /search."""
    return client.get("/calibration", headers=keys["below"]).json()["identification"]["doubt_from"]


def has_steps(number):
    return number == round(number, 3)


def scoring_of(client):
    services = client.app.state.services
    return services.registry.policy_of(services.gallery.require("default")).scoring


def reconstructed(client, headers, enrolled):
    """Ask for the similarities of each axis to everybody; return the templates that these are the numbers of."""
    found = {each: np.zeros(DIMENSION) for each in enrolled}
    for axis, vector in enumerate(np.eye(DIMENSION).tolist()):
        body = {"embedding": vector, "threshold": -1, "top_k": 100}
        for each in client.post("/search", json=body, headers=headers).json()["candidates"]:
            found[each["identity_id"]][axis] = each["similarity"]
    return found


def test_unit_vectors_do_not_tell_templates(client, keys):
    faces = client.get("/collections/default/faces", headers=keys["manager"]).json()["faces"]
    enrolled = {
        each["identity_id"]: np.array(
            client.get(f"/collections/default/faces/{each['face_id']}?embedding=true", headers=keys["manager"]).json()[
                "embedding"
            ]
        )
        for each in faces
    }
    assert len(enrolled) == 4
    scoring = scoring_of(client)
    lengths = np.linalg.norm(np.eye(DIMENSION) - scoring.mean, axis=1)
    for person, similarities in reconstructed(client, keys["manager"], enrolled).items():
        template = scoring.vector(enrolled[person])
        # All axes lack the same number, so the similarities describe the template up to one unknown.
        assert np.corrcoef(similarities * lengths, template)[0, 1] > 0.9999  # the attack is a real one
    for template in reconstructed(client, keys["below"], enrolled).values():
        assert not template.any()


@pytest.mark.parametrize("rule", [{}, {"threshold": "-1"}, {"max_fpir": "0.5"}])
def test_identify(client, keys, least, group_photo, rule):
    def ask(who):
        fields = {"top_k": "100", **rule}
        return client.post("/identify", files={"photo": group_photo}, data=fields, headers=keys[who]).json()

    below, manager = ask("below"), ask("manager")
    assert below["threshold"] >= max(least, manager["threshold"])
    assert has_steps(below["threshold"])
    assert sum(len(face["candidates"]) for face in below["faces"]) >= 4
    for seen, exact in zip(below["faces"], manager["faces"], strict=True):
        assert len(exact["candidates"]) == 4
        near = [each for each in exact["candidates"] if each["similarity"] >= least + 0.001]
        assert [each["identity_id"] for each in seen["candidates"]] == [each["identity_id"] for each in near]
        for coarse, each in zip(seen["candidates"], near, strict=True):
            assert has_steps(coarse["similarity"])
            assert 0 <= each["similarity"] - coarse["similarity"] < 0.001
            assert coarse["fpir"] >= each["fpir"]
        assert (seen["margin"] is None) == (len(near) < 2)
        if near:
            assert seen["verdict"] == exact["verdict"]
        else:
            assert seen["verdict"] == "unknown"


@pytest.mark.parametrize("against", ["person-0", "person-1", None])
def test_verify(client, keys, faces_of, against):
    fields = {"threshold": "-1", **({"identity_id": against} if against else {})}
    files = {"probe": faces_of[0], **({} if against else {"reference": faces_of[1]})}
    seen, exact = (
        client.post("/verify", files=files, data=fields, headers=keys[who]).json() for who in ("below", "manager")
    )
    assert exact["verdict"] == "match"
    if against == "person-0":
        assert seen["verdict"] == "match"
        assert has_steps(seen["similarity"])
        assert seen["reference_face"]["face_id"] == exact["reference_face"]["face_id"]
    else:
        assert exact["similarity"] < 0.3
        assert (seen["verdict"], seen["similarity"], seen["fmr"], seen["fmr_range"]) == ("no_match", None, None, None)
        assert seen["reference_face"]["face_id"] is None  # it would reveal the nearest face
    assert seen["threshold"] > 0.3


def test_enroll(client, keys, faces_of):
    fields = {"identity_id": "person-9", "on_duplicate": "reject"}
    answer = client.post("/enroll", files={"photos": faces_of[0]}, data=fields, headers=keys["below"])
    expect(answer, 409, "duplicate_identity")
    (duplicate,) = answer.json()["duplicates"]
    assert has_steps(duplicate["similarity"])
    fields = {"identity_id": "person-0", "on_mismatch": "reject", "on_duplicate": "allow"}
    answer = client.post("/enroll", files={"photos": faces_of[1]}, data=fields, headers=keys["below"])
    assert "similarity" not in answer.text
    fields["on_mismatch"] = "flag"
    headers = {**keys["below"], "Idempotency-Key": "once"}
    answer = client.post("/enroll", files={"photos": faces_of[1]}, data=fields, headers=headers)
    (mismatch,) = answer.json()["mismatches"]
    assert (mismatch["similarity"], mismatch["fmr"], mismatch["fmr_range"]) == (None, None, None)
    headers = {**keys["manager"], "Idempotency-Key": "once"}  # an answer of another view is nobody else's
    expect(
        client.post("/enroll", files={"photos": faces_of[1]}, data=fields, headers=headers), 422, "idempotency_conflict"
    )
    face_id = answer.json()["faces"][0]["face_id"]
    assert client.delete(f"/collections/default/faces/{face_id}", headers=keys["manager"]).is_success


def test_compreface(client, keys, faces_of, portrait):
    """`similarity` follows the rounded one; hidden people are omitted, or have the lowest value."""

    def ask(path, who="below", **files):
        answer = client.post(f"{RECOGNITION}/{path}", files=files, headers=keys[who])
        assert answer.is_success, answer.text
        return answer.json()["result"]

    (seen,), (exact,) = (ask("recognize?prediction_count=4", who, file=faces_of[0]) for who in ("below", "manager"))
    assert [each["subject"] for each in seen["subjects"]] == ["person-0"]
    assert len(exact["subjects"]) == 4
    assert 0 <= exact["subjects"][0]["similarity"] - seen["subjects"][0]["similarity"] < 0.01
    assert ask("recognize", file=portrait)[0]["subjects"] == []
    embedding = client.post("/embed", files={"photo": portrait}, headers=keys["below"]).json()["faces"][0]["embedding"]
    path = f"{RECOGNITION}/embeddings/recognize"
    (found,) = client.post(path, json={"embeddings": [embedding]}, headers=keys["below"]).json()["result"]
    assert found["similarities"] == []
    faces = client.get(f"{RECOGNITION}/faces", headers=keys["manager"]).json()["faces"]
    of_other = next(each["image_id"] for each in faces if each["subject"] == "person-1")
    assert ask(f"faces/{of_other}/verify", file=portrait)[0]["similarity"] == 0
    assert ask(f"faces/{of_other}/verify", "manager", file=portrait)[0]["similarity"] > 0
    path = f"{RECOGNITION}/embeddings/faces/{of_other}/verify"
    (found,) = client.post(path, json={"embeddings": [embedding]}, headers=keys["below"]).json()["result"]
    assert found["similarity"] == 0


def test_deepface(client, keys, faces_of, portrait):
    """`distance` follows the rounded similarity; that of a hidden one is the largest."""

    def ask(other, who):
        answer = client.post("/deepface/verify", files={"img1": faces_of[0], "img2": other}, headers=keys[who])
        return answer.json()

    seen, exact = (ask(faces_of[0], who) for who in ("below", "manager"))
    assert seen["verified"]
    assert exact["verified"]
    assert has_steps(seen["distance"])
    assert has_steps(seen["threshold"])
    assert 0 <= seen["distance"] - exact["distance"] < 0.001
    hidden, shown = (ask(portrait, who) for who in ("below", "manager"))
    assert (hidden["verified"], hidden["distance"]) == (False, 2.0)
    assert 0 < shown["distance"] < 2


def test_filters_need_manage_or_an_open_member(client, keys, portrait):
    def ask(where, who="below"):
        return client.post("/identify", files={"photo": portrait}, data={"where": where}, headers=keys[who])

    assert ask('{"site": "Oslo"}').status_code == ask("{}").status_code == 200
    expect(ask('{"salary": 7}'), 403, "where_forbidden")
    expect(ask('{"site": "Oslo", "salary": 7}'), 403, "where_forbidden")
    body = {"embedding": [1.0] * DIMENSION, "where": {"salary": 7}}
    expect(client.post("/search", json=body, headers=keys["below"]), 403, "where_forbidden")
    assert ask('{"salary": 7}', "manager").status_code == 200


def test_every_route_that_tells_similarities_is_tested(client):
    """A new answer with a `similarity` is listed here, and looked at above unless it needs `manage`."""
    document, needed = client.app.openapi(), scopes(client.app.routes)
    told = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if needed.get((method.upper(), path)) is not Scope.MANAGE and "similarity" in schemas_below(
                document, operation
            ):
                told.add(path)
    assert told == {
        "/enroll",
        "/identify",
        "/search",
        "/verify",
        "/calibration",  # a curve, of nobody
        "/liveness/challenges/{challenge_id}/answers",  # tested in test_challenges.py
        "/watch/{camera_id}/frames",  # of a match or a possible match, in the steps of the view
        "/api/v1/recognition/recognize",
        "/api/v1/recognition/faces/{image_id}/verify",
        "/api/v1/recognition/embeddings/recognize",
        "/api/v1/recognition/embeddings/faces/{image_id}/verify",
        "/api/v1/verification/verify",
        "/api/v1/verification/embeddings/verify",
    }


def schemas_below(document, operation):
    """Return the names of all members of an operation's answer."""
    names, seen, waiting = set(), set(), [operation["responses"]]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            names |= set(each.get("properties", ()))
            waiting.extend(each.values())
            reference = each.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                waiting.append(document["components"]["schemas"][reference.rpartition("/")[2]])
    return names


def test_embeddings_are_counted_for_keys_without_manage(settings, client, keys):
    limited = settings.model_copy(update={"rates": RateSettings(search="5/hour")})
    one = np.eye(DIMENSION)[0].tolist()
    with TestClient(create_app(limited), raise_server_exceptions=False) as other:

        def search(who="below"):
            return other.post("/search", json={"embedding": one}, headers=keys[who])

        def recognise(count, who="below"):
            body = {"embeddings": [one] * count}
            return other.post(f"{RECOGNITION}/embeddings/recognize", json=body, headers=keys[who])

        assert search().headers["ratelimit"].startswith('"search";r=4;')
        assert [search().status_code for _ in range(2)] == [200, 200]
        assert recognise(3).json()["arcid_code"] == "rate_exceeded"
        assert recognise(6).json()["arcid_code"] == "request_invalid"  # would never fit
        assert recognise(2).status_code == 200
        path = f"{RECOGNITION}/embeddings/faces/x/verify"
        assert other.post(path, json={"embeddings": [one]}, headers=keys["below"]).status_code == 429
        expect(search(), 429, "rate_exceeded")
        assert int(search().headers["retry-after"]) > 60
        assert [search("manager").status_code for _ in range(6)] == [200] * 6
        assert recognise(6, "manager").status_code == 200
