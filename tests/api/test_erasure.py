"""After an erasure nothing names the person but the audit trail, and nothing that lies about enrolls them again."""

import sqlite3
import unicodedata
from contextlib import closing

import pytest
from sqlalchemy import text

from app.wiring.storage import embedded_file
from tests.api.test_jobs import ended, uploads, zipped
from tests.api.test_privacy import enroll
from tests.jobs.conftest import eventually

ROOT = "/collections/people"


@pytest.fixture
def people(client):
    client.post("/collections", json={"name": "people"})
    yield ROOT
    client.delete(ROOT)


@pytest.fixture
def held(client, monkeypatch):
    """Let jobs wait until this is called."""
    leases = client.app.state.services.jobs.runner._leases
    claim = leases.claim
    monkeypatch.setattr(leases, "claim", lambda _: None)

    def go_on():
        monkeypatch.setattr(leases, "claim", claim)
        client.app.state.services.jobs.runner.wake()

    return go_on


def ask(client, **files):
    answer = client.post(
        "/jobs", data={"kind": "import", "collection": "people"}, files={"file": zipped(files["files"])}
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


def naming(settings, *words):
    """Return which tables and files hold any of the words."""
    found = set()
    with closing(sqlite3.connect(embedded_file(settings))) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - its own tables
                found |= {table for cell in row if any(word in str(cell) for word in words)}
    for path in settings.data_dir.rglob("*"):
        if path.is_file() and not path.name.startswith("arcid.db"):
            found |= {path.suffix for word in words if word.encode() in path.read_bytes()}
    return found


def test_a_waiting_import_enrolls_nobody_who_was_erased(client, people, held, portrait, faces_of):
    enroll(client, portrait, "ada.lovelace")
    enroll(client, portrait, "merged.before")
    job = ask(client, files={"ada.lovelace/1.jpg": faces_of[0], "old.id/1.jpg": faces_of[1], "bob/1.jpg": faces_of[2]})
    receipt = client.delete(f"{ROOT}/identities/ada.lovelace").json()
    assert receipt["status"] == "pending"
    (pending,) = receipt["pending"]
    assert pending["where"] == "jobs"
    assert job in pending["what"]
    assert len(uploads(client)) == 1
    # Under another id as well: whom a face was merged into is erased with all that came of it.
    enroll(client, faces_of[1], "old.id")
    client.post(f"{ROOT}/identities/old.id/merge", json={"into": "merged.before"})
    client.delete(f"{ROOT}/identities/merged.before")
    held()
    done = ended(client, job)
    assert done["result"] == {"photos": 3, "enrolled": 1, "known": 0, "refused": 2, "new_people": 1}
    assert [each["identity_id"] for each in client.get(f"{ROOT}/identities").json()["identities"]] == ["bob"]
    errors = client.get(f"/jobs/{job}/errors")
    assert [each["code"] for each in errors.json()["errors"]] == ["identity_erased"] * 2
    assert "ada" not in errors.text
    assert "old.id" not in errors.text
    assert uploads(client) == []
    # Asked for after the erasure: that is a new decision.
    done = ended(client, ask(client, files={"ada.lovelace/1.jpg": faces_of[0]}))
    assert done["result"]["enrolled"] == 1
    assert client.delete(f"{ROOT}/identities/ada.lovelace").json()["status"] == "complete"


def test_only_the_trail_and_one_event_name_somebody_who_was_erased(client, settings, people, faces_of, faceless):
    words = ("ada.lovelace", "Augusta Ada", "Room 1815")
    kept = {"collection": "people", "identity_id": "ada.lovelace", "name": "Augusta Ada"}
    answer = client.post(
        "/enroll",
        files={"photos": faces_of[0]},
        data={**kept, "metadata": '{"at": "Room 1815"}'},
        headers={"Idempotency-Key": "erasure-1"},
    )
    assert answer.status_code == 200, answer.text
    other = client.post(
        "/enroll",
        files={"photos": faces_of[0]},
        data={"collection": "people", "identity_id": "bob"},
        headers={"Idempotency-Key": "erasure-2"},
    )
    assert other.json()["duplicates"][0]["identity_id"] == "ada.lovelace"  # an answer about somebody else
    job = ask(client, files={"ada.lovelace/1.jpg": faceless, "ada.lovelaces/1.jpg": faceless})
    ended(client, job)
    assert naming(settings, *words) >= {"audit", "identities", "enrolments", "job_errors"}
    client.delete(f"{ROOT}/identities/ada.lovelace")
    items = [each["item"] for each in client.get(f"/jobs/{job}/errors").json()["errors"]]
    assert items == ["erased", "ada.lovelaces/1.jpg"]  # its id only has the same start
    assert naming(settings, "ada.lovelace/", '"ada.lovelace"', *words[1:]) == {"events"}  # that it was erased
    with closing(sqlite3.connect(embedded_file(settings))) as database:
        assert database.execute("SELECT count(*) FROM audit WHERE subject = 'ada.lovelace'").fetchone()[0] >= 2


NAMING = [
    "zoe-k/a.jpg",
    "ZOE-K/a.jpg",
    "x/zoe-k_photo.jpg",
    "x/zoe_k_0001.jpg",
    unicodedata.normalize("NFD", "Zoë Kravitz/a.jpg"),
    "ZOË KRAVITZ/b.jpg",
    "Zoë_Kravitz/x.jpg",
    "x/zoë.kravitz-0001.jpg",
    "x/IMG_Zoë - Kravitz (2).jpg",
]
OTHERS = ["zoe-kim/a.jpg", "jzoe-k/a.jpg", "Zoë/a.jpg", "Zoé Kravitz/a.jpg", "Zoë Kravitzová/a.jpg", "ZoëKravitz/a.jpg"]


def test_items_that_spell_an_erased_person_in_another_way_are_redacted(client, people, portrait):
    enroll(client, portrait, "zoe-k", name="Zoë Kravitz")
    job = ask(client, files=dict.fromkeys([*NAMING, *OTHERS], b"no photo"))
    ended(client, job)
    stored = [each["item"] for each in client.get(f"/jobs/{job}/errors").json()["errors"]]
    assert sorted(stored) == sorted([unicodedata.normalize("NFC", each) for each in NAMING] + OTHERS)
    # As an earlier version stored it.
    with client.app.state.services.database.engine.begin() as database:
        old = {"old": unicodedata.normalize("NFD", "Zoë Kravitz/a.jpg"), "new": "Zoë Kravitz/a.jpg"}
        assert database.execute(text("UPDATE job_errors SET item = :old WHERE item = :new"), old).rowcount == 1
    client.delete(f"{ROOT}/identities/zoe-k")
    left = [each["item"] for each in client.get(f"/jobs/{job}/errors").json()["errors"]]
    assert sorted(left) == sorted(["erased"] * len(NAMING) + OTHERS)


def test_an_import_that_waited_redacts_the_id_in_every_spelling(client, people, portrait, held):
    enroll(client, portrait, "zoe-k")
    job = ask(client, files=dict.fromkeys([*NAMING[:4], *OTHERS], b"no photo"))
    client.delete(f"{ROOT}/identities/zoe-k")
    held()
    ended(client, job)

    def items():
        return sorted(each["item"] for each in client.get(f"/jobs/{job}/errors").json()["errors"])

    eventually(lambda: items() == sorted(["erased"] * 4 + OTHERS), 10)  # right after the end


def test_an_upload_without_a_job_goes_at_the_next_look(client):
    files = client.app.state.services.jobs._uploads
    files.keep("coming", b"x")
    files.tidy()
    assert files.path("coming").exists()  # its job is about to be made
    files.is_made("coming")
    files.tidy()
    assert not files.path("coming").exists()
