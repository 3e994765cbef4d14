"""A full or read-only disk: clear answers, no leftovers, reads still work; and the permissions of files."""

import io
import os
import stat
import subprocess
import tempfile
import time
import zipfile

import pytest
from starlette.testclient import TestClient

from app.cli.serve import prepare_database
from app.main import create_app
from tests.disks import fill
from tests.end_to_end.test_commands import ARCID


@pytest.fixture
def small(disk, settings):
    """A disk of 24 MB, and settings with a data folder on it."""
    folder = disk(24)
    return folder, settings.model_copy(update={"data_dir": folder / "data"})


@pytest.fixture
def service(small, portrait):
    folder, settings = small
    prepare_database(settings)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        enrolled = client.post("/enroll", files={"photos": portrait}, data={"identity_id": "eileen"})
        assert enrolled.status_code == 200
        yield client, folder


def archive_of(photo, copies):
    """Return a ZIP of one person with many different photos."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for number in range(copies):
            written.writestr(f"ada/{number}.png", photo + bytes([number]))
    return file.getvalue()


def refused(answer, code="storage_not_writable"):
    assert (answer.status_code, answer.json()["code"]) == (507, code), answer.text
    assert "full" in answer.json()["detail"]


def finished(client, job):
    deadline = time.monotonic() + 30
    while (shown := client.get(f"/jobs/{job['job_id']}").json())["state"] in {"queued", "running"}:
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)
    return shown


def test_an_upload_on_a_full_disk(service, portrait):
    client, folder = service
    upload = {"files": {"file": archive_of(portrait, 10)}, "data": {"kind": "import"}}
    jobs = folder / "data" / "jobs"
    before = sorted(jobs.iterdir())
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(20_000_000))  # part of the upload fits
    refused(client.post("/jobs", **upload))
    assert sorted(jobs.iterdir()) == before
    assert client.post("/identify", files={"photo": portrait}).json()["faces"][0]["verdict"] == "match"
    ballast.unlink()
    answer = client.post("/jobs", **upload)
    assert answer.status_code == 202, answer.text
    assert finished(client, answer.json())["state"] == "succeeded"


def test_an_export_on_a_full_disk(settings, disk, tmp_path, portrait):
    """The disk of the jobs is full; the disk of the database is not."""
    jobs = disk(1)
    data = tmp_path / "data"
    data.mkdir()
    (data / "jobs").symlink_to(jobs)
    changed = settings.model_copy(update={"data_dir": data})
    prepare_database(changed)
    with TestClient(create_app(changed)) as client:
        client.post("/enroll", files={"photos": portrait}, data={"identity_id": "eileen"}).raise_for_status()
        assert finished(client, client.post("/jobs", json={"kind": "export"}).json())["state"] == "succeeded"
        ballast, before = fill(jobs), sorted(jobs.iterdir())
        failed = finished(client, client.post("/jobs", json={"kind": "export"}).json())
        assert (failed["state"], failed["failure"]["code"]) == ("failed", "storage_not_writable")
        assert "full" in failed["failure"]["detail"]
        assert sorted(jobs.iterdir()) == before
        ballast.unlink()
        assert finished(client, client.post("/jobs", json={"kind": "export"}).json())["state"] == "succeeded"


def test_a_photo_that_waits_in_a_full_temporary_folder(service, disk, portrait, monkeypatch):
    client, _ = service
    folder = disk(1)
    fill(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    large = portrait + bytes(2_000_000)
    refused(client.post("/identify", files={"photo": large}))
    assert client.post("/identify", files={"photo": portrait}).status_code == 200
    monkeypatch.undo()
    assert client.post("/identify", files={"photo": large}).status_code == 200


def start(settings):
    """Start the service on an unusable disk; return its message."""
    variables = {"ARCID_DATA_DIR": str(settings.data_dir), "ARCID_MODELS_DIR": str(settings.models_dir)}
    command = [ARCID, "serve", "--port", "0"]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_start_on_a_full_disk(small):
    folder, settings = small
    ballast = fill(folder)
    assert "disk is full; make room" in start(settings)
    ballast.unlink()
    prepare_database(settings)
    fill(folder)
    assert "disk is full; make room" in start(settings)


def test_a_start_on_a_read_only_disk(small):
    folder, settings = small
    subprocess.run(["/bin/mount", "-o", "remount,ro", folder], check=True)
    assert "read-only" in start(settings).lower()
    subprocess.run(["/bin/mount", "-o", "remount,rw", folder], check=True)
    prepare_database(settings)
    subprocess.run(["/bin/mount", "-o", "remount,ro", folder], check=True)
    assert "read-only" in start(settings).lower()


def readable_by_others(folder):
    return [path for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def test_only_the_owner_reads_what_lies_in_the_data_folder(settings, tmp_path, portrait):
    """A start restricts the permissions of an earlier version's files, and does not change other files."""
    data = tmp_path / "data"
    (data / "jobs").mkdir(parents=True)
    for name in ("arcid.db.before-restore", "jobs/x.upload", "note.txt"):
        (data / name).write_text("")
        (data / name).chmod(0o644)
    data.chmod(0o755)
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o644)
    (data / "jobs" / "link").symlink_to(outside)
    variables = {**os.environ, "ARCID_DATA_DIR": str(data), "ARCID_MODELS_DIR": str(settings.models_dir)}

    def arcid(*arguments):
        command = [ARCID, *arguments]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, umask=0o022)
        assert done.returncode == 0, done.stderr

    photos = tmp_path / "photos" / "eileen"
    photos.mkdir(parents=True)
    (photos / "1.png").write_bytes(portrait)
    arcid("import", str(photos.parent))
    arcid("index", "rebuild")
    assert readable_by_others(data) == [data / "note.txt", data / "jobs" / "link"]
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    arcid("backup", str(tmp_path / "backup.zip"))
    arcid("export", "default", str(tmp_path / "export.zip"))
    arcid("restore", "--yes", str(tmp_path / "backup.zip"))
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("backup.zip", "export.zip")} == {0o600}
    assert readable_by_others(data) == [data / "note.txt", data / "jobs" / "link"]
