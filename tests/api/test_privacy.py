"""Receipts, a person's own data, consent and retention over the API."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.test_errors import expect

ROOT = "/collections/people"


@pytest.fixture
def people(client):
    client.post("/collections", json={"name": "people"})
    yield ROOT
    client.delete(ROOT)


def enroll(client, photo, identity_id, **fields):
    return client.post(
        "/enroll", files={"photos": photo}, data={"collection": "people", "identity_id": identity_id, **fields}
    )


def test_a_receipt_says_what_was_removed(client, people, portrait):
    faces = [enroll(client, portrait, "ada").json()["faces"][0]["face_id"] for _ in range(2)]
    one = client.delete(f"{ROOT}/faces/{faces[0]}").json()
    assert (one["faces"], one["identity_removed"], one["identity_id"]) == (faces[:1], False, "ada")
    whole = client.delete(f"{ROOT}/identities/ada").json()
    assert (whole["faces"], whole["identity_removed"], whole["index"]["kind"]) == (faces[1:], True, "exact")
    assert whole["revision"] == one["revision"] + 1
    assert len(whole["audit"]["sha256"]) == 64
    assert (whole["status"], whole["pending"]) == ("complete", [])
    assert {"backups", "replicas"} <= {each["where"] for each in whole["left"]}


@pytest.mark.parametrize("identity_id", ["ada", "a/b c?#%é"])
def test_a_person_gets_all_that_is_stored(client, people, portrait, identity_id):
    from urllib.parse import quote  # noqa: PLC0415 - for this test

    consent = '{"basis": "consent", "given_at": "2026-05-04T09:30:00+02:00", "reference": "F-17"}'
    face = enroll(client, portrait, identity_id, name="Ada", consent=consent).json()["faces"][0]["face_id"]
    path = f"{ROOT}/identities/{quote(identity_id)}"
    export = client.get(f"{path}/export").json()
    assert export["identity"]["name"] == "Ada"
    assert export["identity"]["consent"]["reference"] == "F-17"
    assert datetime.fromisoformat(export["identity"]["consent"]["given_at"]).hour == 9
    assert [each["face_id"] for each in export["faces"]] == [face]
    assert len(export["faces"][0]["embedding"]) == 128
    assert [each["action"] for each in export["audit"]][-2:] == ["identity.enrolled", "identity.exported"]
    expect(client.get(f"{ROOT}/identities/nobody/export"), 404, "identity_unknown")


@pytest.mark.parametrize(
    "detail", ["[1]", "{bad", '{"a": "\\ud800"}', '{"a": NaN}', '{"a": ' + "[" * 252 + "]" * 252 + "}"]
)
def test_an_export_leaves_out_lines_that_cannot_be_read(client, settings, people, portrait, detail):
    enroll(client, portrait, "ada")
    with sqlite3.connect(settings.data_dir / "arcid.db") as database:
        database.execute("DROP TRIGGER IF EXISTS audit_no_update")
        database.execute("UPDATE audit SET detail = ? WHERE subject = 'ada'", [detail])
    answer = client.get(f"{ROOT}/identities/ada/export")
    assert answer.status_code == 200
    assert [each["action"] for each in answer.json()["audit"]] == ["identity.exported"]


def test_an_id_that_ends_like_the_route(client, people, portrait):
    enroll(client, portrait, "a/export")
    assert client.get(f"{ROOT}/identities/a%2Fexport").json()["identity_id"] == "a/export"
    assert client.get(f"{ROOT}/identities/a/export/export").json()["identity"]["identity_id"] == "a/export"
    expect(client.get(f"{ROOT}/identities/a/export"), 404, "identity_unknown")


def test_a_collection_that_asks_for_consent(client, people, portrait):
    assert client.patch(ROOT, json={"require_consent": True}).json()["require_consent"] is True
    expect(enroll(client, portrait, "ada"), 422, "consent_missing")
    ended = '{"basis": "consent", "given_at": "2020-01-01T00:00:00Z", "expires_at": "2021-01-01T00:00:00Z"}'
    expect(enroll(client, portrait, "ada", consent=ended), 422, "consent_missing")
    given = '{"basis": "consent", "given_at": "2020-01-01T00:00:00Z"}'
    assert enroll(client, portrait, "ada", consent=given).status_code == 200
    face = enroll(client, portrait, "ada").json()["faces"][0]["face_id"]
    expect(client.post(f"{ROOT}/faces/{face}/move", json={"identity_id": "eve"}), 422, "consent_missing")
    assert client.patch(f"{ROOT}/identities/ada", json={"consent": None}).json()["consent"] is None
    expect(enroll(client, portrait, "ada"), 422, "consent_missing")


@pytest.mark.parametrize(
    "consent",
    ["[]", "x", "{}", '{"basis": "", "given_at": "2020-01-01T00:00:00Z"}', '{"basis": "c", "given_at": "2020-01-01"}',
     '{"basis": "c", "given_at": "2020-01-01T00:00:00"}', '{"basis": "c", "given_at": "0001-01-01T00:00:00+14:00"}',
     '{"basis": "c", "given_at": "2020-01-01T00:00:00Z", "more": 1}',
     '{"basis": "\\ud800", "given_at": "2020-01-01T00:00:00Z"}'],
)  # fmt: skip
def test_consent_that_does_not_fit(client, people, portrait, consent):
    answer = enroll(client, portrait, "ada", consent=consent)
    expect(answer, 422, "request_invalid")
    assert answer.json()["errors"][0]["field"].startswith("consent")


def test_who_has_expired_is_found_no_more(client, people, portrait):
    soon = datetime.now(UTC) + timedelta(days=2)
    enroll(client, portrait, "ada", expires_at=soon.isoformat())
    assert datetime.fromisoformat(client.get(f"{ROOT}/identities/ada").json()["ends_at"]) == soon
    assert client.patch(ROOT, json={"retention_days": 1}).json()["retention_days"] == 1
    assert datetime.fromisoformat(client.get(f"{ROOT}/identities/ada").json()["ends_at"]) < soon
    assert client.patch(ROOT, json={"retention_days": None}).json()["retention_days"] is None
    found = client.post("/identify", files={"photo": portrait}, data={"collection": "people"}).json()
    assert found["faces"][0]["verdict"] == "match"
    client.patch(f"{ROOT}/identities/ada", json={"expires_at": "2020-01-01T00:00:00Z"})
    found = client.post("/identify", files={"photo": portrait}, data={"collection": "people"}).json()
    assert found["faces"][0]["candidates"] == []
    for days in (0, 40_000, "7", 1.5):
        expect(client.patch(ROOT, json={"retention_days": days}), 422, "request_invalid")
