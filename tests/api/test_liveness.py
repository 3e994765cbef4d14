"""Liveness in requests and collections, with a detector for which dim photos are attacks."""

import base64

import pytest

from app.access.keys import ANONYMOUS, NewKey, Scope
from app.access.trail import Trail
from app.errors import NetworkMissing
from tests.api.dim_photos import Brightness, dimmed
from tests.api.test_errors import expect

ATTACK = {"score": 0.05, "verdict": "attack", "reasons": ["regular_pattern"], "calibration": "uncalibrated"}
LIVE = {"score": 0.95, "verdict": "live", "reasons": [], "calibration": "uncalibrated"}


@pytest.fixture(scope="module")
def detector():
    return Brightness()


@pytest.fixture(scope="module", autouse=True)
def _detector(detector):
    with detector.installed():
        yield


@pytest.fixture(scope="module")
def dim(portrait):
    return dimmed(portrait)


@pytest.fixture(scope="module", autouse=True)
def _enrolled(client, portrait):
    for name in ("default", "gate"):
        if name != "default":
            client.post("/collections", json={"name": name}).raise_for_status()
        data = {"identity_id": "eileen", "collection": name}
        client.post("/enroll", files={"photos": portrait}, data=data).raise_for_status()


def set_mode(client, mode):
    answer = client.patch("/collections/gate", json={"liveness": mode})
    assert answer.json()["liveness"] == mode


def verify(client, probe, **data):
    return client.post("/verify", files={"probe": probe}, data={"identity_id": "eileen", **data})


def faces(client, path, photo, **data):
    answer = client.post(path, files={"photo": photo}, data=data)
    assert answer.status_code == 200, answer.text
    return answer.json()["faces"]


def test_by_default_nothing_is_checked(client, dim, detector):
    before = detector.photos
    assert verify(client, dim).json()["probe_face"]["liveness"] is None
    assert [each["liveness"] for path in ("/identify", "/detect") for each in faces(client, path, dim)] == [None] * 2
    assert "arcid_liveness_total{" not in client.get("/metrics").text
    assert "liveness" not in client.get("/readyz").json()["checks"]
    assert detector.photos == before


@pytest.mark.parametrize("path", ["/identify", "/detect"])
def test_a_request_can_ask_for_verdicts(client, portrait, dim, path):
    for photo, expected in ((portrait, LIVE), (dim, ATTACK)):
        (face,) = faces(client, path, photo, liveness="observe")
        assert face["liveness"] == expected
    body = {"photo": base64.b64encode(dim).decode(), "liveness": "enforce"}
    (face,) = client.post(path, json=body).json()["faces"]
    assert face["liveness"] == ATTACK


def test_many_photos_have_their_own_verdicts(client, portrait, dim):
    files = [("photo", portrait), ("photo", dim)]
    for path in ("/identify", "/detect"):
        answer = client.post(path, files=files, data={"photos_of": "many", "liveness": "observe"}).json()
        assert [each["faces"][0]["liveness"] for each in answer["answers"]] == [LIVE, ATTACK]
    answer = client.post("/identify", files=files, data={"photos_of": "one_person", "liveness": "observe"}).json()
    assert [each["face"]["liveness"] for each in answer["photos"]] == [LIVE, ATTACK]
    assert answer["faces"][0]["liveness"] == ATTACK


def test_observed_attacks_still_match(client, portrait, dim):
    set_mode(client, "observe")
    body = verify(client, dim, collection="gate").json()
    assert (body["verdict"], body["probe_face"]["liveness"]) == ("match", ATTACK)
    files = {"probe": portrait, "reference": dim}
    body = client.post("/verify", files=files, data={"collection": "gate"}).json()
    assert (body["probe_face"]["liveness"], body["reference_face"].get("liveness")) == (LIVE, None)


def test_enforced_attacks_are_refused(client, portrait, dim):
    set_mode(client, "enforce")
    expect(verify(client, dim, collection="gate"), 422, "presentation_attack")
    assert verify(client, portrait, collection="gate").json()["verdict"] == "match"
    (face,) = faces(client, "/identify", dim, collection="gate")
    assert (face["verdict"], face["candidates"], face["liveness"]) == ("unknown", [], ATTACK)
    refused = client.post("/enroll", files={"photos": dim}, data={"collection": "gate", "identity_id": "eve"})
    expect(refused, 422, "nothing_enrolled")
    assert [each["code"] for each in refused.json()["rejected"]] == ["presentation_attack"]
    enrolled = client.post("/enroll", files={"photos": portrait}, data={"collection": "gate", "identity_id": "eileen"})
    assert [each["liveness"] for each in enrolled.json()["faces"]] == [LIVE]
    lines = [each.entry for each in Trail(client.app.state.services.database.engine).lines()][-4:]
    assert [(each.action, each.collection, each.subject) for each in lines] == [
        *[("presentation.refused", "gate", None)] * 3,
        ("identity.enrolled", "gate", "eileen"),
    ]
    assert [each.detail.get("operation") for each in lines[:3]] == ["verify", "identify", "enroll"]
    assert lines[3].detail["liveness"] == ["enforce"]


def test_repeated_enrollments_state_no_verdict(client, portrait):
    data = {"collection": "gate", "identity_id": "eileen", "liveness": "observe"}
    asked = {"data": data, "headers": {"Idempotency-Key": "again"}}
    first, second = (client.post("/enroll", files={"photos": portrait}, **asked).json() for _ in range(2))
    assert [each["faces"][0]["liveness"] for each in (first, second)] == [LIVE, None]


def test_verdicts_are_counted_without_names(client, portrait, dim):
    def value(**labels):
        registry = client.get("/metrics").text.splitlines()
        wanted = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
        return sum(float(line.split()[-1]) for line in registry if line.startswith(f"arcid_liveness_total{{{wanted}}}"))

    labels = {"operation": "verify", "mode": "observe", "verdict": "attack"}
    before = value(**labels)
    verify(client, dim, liveness="observe").raise_for_status()
    assert value(**labels) == before + 1


def test_a_missing_detector_is_never_taken_for_off(client, dim, monkeypatch):
    def missing():
        raise NetworkMissing("minifas-fused is not pulled; run: arcid models pull minifas-fused")

    set_mode(client, "enforce")
    ready = client.get("/readyz")
    assert ready.json()["checks"]["liveness"] == {
        "is_ready": True,
        "detail": "1 collection checked for presentation attacks",
    }
    monkeypatch.setattr(client.app.state.services.liveness_gate, "_detector", missing)
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["liveness"]["is_ready"]) == (503, False)
    for answer in (
        verify(client, dim, collection="gate"),
        client.post("/detect", files={"photo": dim}, data={"liveness": "observe"}),
        client.patch("/collections/default", json={"liveness": "observe"}),
        client.post("/collections", json={"name": "new", "liveness": "enforce"}),
    ):
        expect(answer, 409, "liveness_unavailable")
        assert "arcid doctor" in answer.json()["detail"]
    assert client.patch("/collections/gate", json={"liveness": "off"}).is_success


def test_less_than_the_collections_mode_needs_scope_manage(client, portrait, dim):
    """Last: from here on the service needs keys."""
    set_mode(client, "enforce")
    keys = client.app.state.services.key_service
    wanted = (("admin",), ("recognise",), ("enroll",), ("recognise", "manage"), ("enroll", "manage"))
    secrets = {
        scopes: keys.create(ANONYMOUS, NewKey("-".join(scopes), [Scope(each) for each in scopes]))[1]
        for scopes in wanted
    }

    def headers(*scopes):
        return {"Authorization": f"Bearer {secrets[scopes]}"}

    def ask(mode, *scopes):
        data = {"identity_id": "eileen", "collection": "gate", "liveness": mode}
        return client.post("/verify", files={"probe": dim}, data=data, headers=headers(*scopes))

    for mode in ("off", "observe"):
        expect(ask(mode, "recognise"), 403, "liveness_forbidden")
        assert ask(mode, "recognise", "manage").json()["verdict"] == "match"
    expect(ask("enforce", "recognise"), 422, "presentation_attack")
    for path, files in (("/identify", {"photo": dim}), ("/enroll", {"photos": dim})):
        scope = "enroll" if path == "/enroll" else "recognise"
        data = {"collection": "gate", "liveness": "off"}
        answer = client.post(path, files=files, data=data, headers=headers(scope))
        expect(answer, 403, "liveness_forbidden")
        assert client.post(path, files=files, data=data, headers=headers(scope, "manage")).is_success
    answer = client.post("/detect", files={"photo": dim}, data={"liveness": "off"}, headers=headers("recognise"))
    assert answer.is_success  # it has no collection
