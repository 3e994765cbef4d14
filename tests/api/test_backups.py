"""Backups by the API: a job writes one, which is listed, downloaded, restored and deleted."""

import pytest

from app.access.keys import NewKey, Scope
from app.transfer.restore import Restore
from tests.api.test_errors import expect
from tests.api.test_jobs import ended
from tests.api.test_permissions import bearer
from tests.databases import MIGRATIONS
from tests.transfer.fakes import Recorded


@pytest.fixture
def written(client):
    """Write a backup by a job, and return its name."""
    job = client.post("/jobs", json={"kind": "backup"}).json()
    assert (job["kind"], job["collection"]) == ("backup", None)
    done = ended(client, job["job_id"])
    assert done["state"] == "succeeded", done
    return done["result"]["name"]


def test_a_backup_is_listed(client, settings, written):
    answer = client.get("/backups").json()
    assert answer["folder"] == str(settings.data_dir / "backups")
    (backup,) = [each for each in answer["backups"] if each["name"] == written]
    assert backup["size"] == (settings.data_dir / "backups" / written).stat().st_size
    assert backup["revision"] == client.app.state.services.database.schema.head()


def test_a_download_can_be_restored(client, written, tmp_path, portrait):
    client.post("/enroll", files={"photos": portrait}, data={"identity_id": "later"})
    answer = client.get(f"/backups/{written}")
    assert answer.headers["Content-Type"] == "application/zip"
    assert written in answer.headers["Content-Disposition"]
    file = tmp_path / "downloaded.backup"
    file.write_bytes(answer.content)
    restored = Restore(tmp_path / "arcid.db", tmp_path, MIGRATIONS).run(file, Recorded())
    assert restored.collections == 1


def test_a_deleted_backup_is_gone(client, written):
    assert client.delete(f"/backups/{written}").status_code == 204
    expect(client.get(f"/backups/{written}"), 404, "backup_unknown")
    expect(client.delete(f"/backups/{written}"), 404, "backup_unknown")
    assert written not in client.get("/backups").text


def test_the_trail_records_all_of_it(client, written):
    client.get(f"/backups/{written}")
    client.delete(f"/backups/{written}")
    newest = [each["action"] for each in client.get("/audit?limit=5").json()["lines"]]
    assert newest[:2] == ["database.backup_deleted", "database.backup_downloaded"]
    assert {"job.created", "database.backed_up", "job.finished"} == set(newest[2:])


def test_a_backup_needs_no_source(client):
    expect(client.post("/jobs", json={"kind": "backup", "path": "x"}), 422, "request_invalid")


def test_who_may_back_up(client, settings):
    keys = client.app.state.services.keys
    made = {
        name: bearer(keys.create(NewKey(name, scopes, among))[1])
        for name, scopes, among in (
            ("manager", [Scope.MANAGE], None),
            ("own", [Scope.ADMIN], ["default"]),
            ("root", [Scope.ADMIN], None),
        )
    }
    client.app.state.services.access.refresh()
    expect(client.post("/jobs", json={"kind": "backup"}, headers=made["manager"]), 403, "scope_missing")
    expect(client.post("/jobs", json={"kind": "backup"}, headers=made["own"]), 403, "collection_forbidden")
    for path in ("/backups", "/backups/x"):
        expect(client.get(path, headers=made["own"]), 403, "collection_forbidden")
    job = client.post("/jobs", json={"kind": "backup"}, headers=made["root"]).json()
    assert ended(client, job["job_id"], headers=made["root"])["state"] == "succeeded"
    expect(client.get(f"/jobs/{job['job_id']}", headers=made["own"]), 404, "job_unknown")
