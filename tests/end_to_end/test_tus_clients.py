"""Published clients of tus, unmodified, and our own: each uploads over connections that break."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.container import Container
from arcid import Client
from tests.end_to_end.breaking import breaking
from tests.end_to_end.packages import node_modules, python_with
from tests.jobs.conftest import eventually

HERE = Path(__file__).parent
SOURCE = HERE / "tus"
CUTS = (600_000, 1, 300_000, 900_000)


@pytest.fixture(scope="module")
def service(settings):
    """Address of a service, and a key."""
    _, key = Container(settings).keys.create(NewKey("uploads", [Scope.MANAGE]))
    with serving(settings, port=0) as address:
        yield urlsplit(address), key


@pytest.fixture(scope="module")
def file(tmp_path_factory, faces_of):
    """A ZIP with a photo, of nine megabytes because of another file."""
    path = tmp_path_factory.mktemp("tus") / "staff.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("jim/1.jpg", faces_of[0])
        zipped.writestr("jim/2.bin", os.urandom(9_000_000))
    return path


@pytest.fixture(scope="module")
def with_tuspy():
    return [python_with(SOURCE / "requirements.txt", "tus-venv"), HERE / "with_tuspy.py"]


@pytest.fixture(scope="module")
def with_tus_js(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tus-js")
    (folder / "node_modules").symlink_to(node_modules(SOURCE, "tus-node"))
    for name in ("upload.mjs", "package.json"):
        shutil.copy(SOURCE / name, folder)
    return [shutil.which("node"), folder / "upload.mjs"]


def uploaded(command, *given):
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run([*command, *given], env=kept, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.network
@pytest.mark.parametrize("client", ["with_tuspy", "with_tus_js"])
@pytest.mark.parametrize("chunk", [0, 1_000_000])
def test_foreign_clients(request, service, file, client, chunk):
    address, key = service
    command = request.getfixturevalue(client)
    with breaking(address.port, *CUTS) as (port, proxy):
        made = uploaded(command, file, f"http://127.0.0.1:{port}/v1/uploads", key, str(chunk))
        assert proxy.broken == len(CUTS) if not chunk else proxy.broken > 0
    upload_id = made["url"].rpartition("/")[2]
    with httpx2.Client(base_url=address.geturl(), headers={"X-Api-Key": key}) as http:
        state = http.get(f"/uploads/{upload_id}").json()
        assert state["offset"] == state["length"] == file.stat().st_size
        job = http.post("/jobs", json={"kind": "import", "upload": upload_id}).json()
        eventually(lambda: http.get(f"/jobs/{job['job_id']}").json()["finished_at"], 60)
        result = http.get(f"/jobs/{job['job_id']}").json()["result"]
        assert (result["enrolled"] + result["known"], result["refused"]) == (1, 1)  # the ZIP arrived whole


def test_our_own_client(service, file, monkeypatch):
    address, key = service
    monkeypatch.setattr("arcid.operations.uploads._FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("arcid.operations.jobs._MOST_AT_ONCE", 1_000_000)
    seen = []
    with breaking(address.port, *CUTS) as (port, proxy), Client(f"127.0.0.1:{port}", api_key=key) as client:
        upload = client.uploads.send(file, part_bytes=4_000_000, on_progress=lambda each: seen.append(each.offset))
        assert upload.is_complete
        assert proxy.broken == len(CUTS)
        assert seen == sorted(set(seen))
        client.uploads.delete(upload.upload_id)
        begun = client.uploads.create(file.stat().st_size)
        client.uploads.append(begun.upload_id, file.read_bytes()[:1000], offset=0)
        assert client.uploads.send(file, upload_id=begun.upload_id).is_complete
        client.uploads.delete(begun.upload_id)
        with pytest.raises(ValueError, match="1 bytes"):
            client.uploads.send(file, upload_id=client.uploads.create(1).upload_id)
        job = client.jobs.wait(client.jobs.import_photos(file).job_id)
        assert job.result is not None
        assert job.result["refused"] == 1
