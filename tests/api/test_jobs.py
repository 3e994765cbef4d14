"""Jobs through HTTP: with real networks, and their events over a real server."""

import asyncio
import io
import json
import os
import threading
import zipfile
from contextlib import contextmanager, suppress
from socket import create_server

import pytest
from starlette.testclient import TestClient

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.access.trail import Trail
from app.cli.serve import configured_server
from app.jobs.job import NewJob
from app.jobs.store import JobStore
from app.main import create_app
from tests.api.fakes import HOST, answer, request, started
from tests.api.test_errors import expect
from tests.api.test_permissions import bearer
from tests.jobs.conftest import eventually
from tests.test_names import COMPOSED, DECOMPOSED
from tests.transfer.test_photo_sources import raw_archive


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data.getvalue()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("import")


@pytest.fixture(scope="module")
def settings(settings, root):
    return settings.model_copy(update={"jobs": settings.jobs.model_copy(update={"import_dir": root})})


def ended(client, job_id, **options):
    def is_final():
        return client.get(f"/jobs/{job_id}", **options).json()["finished_at"] is not None

    eventually(is_final, 60)
    return client.get(f"/jobs/{job_id}", **options).json()


def uploads(client):
    folder = client.app.state.services.jobs._uploads._folder
    return list(folder.glob("*.upload"))


def test_an_upload_is_imported_and_removed(client, faces_of, faceless, portrait):
    files = {"jim/1.jpg": faces_of[0], "jim/2.jpg": faceless, "pam/1.jpg": faces_of[1], "pam/x.txt": b"text"}
    answer = client.post("/jobs", data={"kind": "import"}, files={"file": zipped(files)})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/jobs/{made['job_id']}"
    assert (made["state"], made["kind"], made["collection"]) in {
        ("queued", "import", "default"),
        ("running", "import", "default"),
    }
    done = ended(client, made["job_id"])
    assert done["state"] == "succeeded", done
    assert done["result"] == {"photos": 4, "enrolled": 2, "known": 0, "refused": 2, "new_people": 2}
    assert (done["done"], done["total"], done["errors"], done["created_by"]) == (4, 4, 2, "anonymous")
    errors = client.get(f"/jobs/{made['job_id']}/errors?limit=1").json()
    (first,) = errors["errors"]
    assert (first["number"], first["item"], first["code"]) == (1, "jim/2.jpg", "no_face")
    (second,) = client.get(f"/jobs/{made['job_id']}/errors?cursor={errors['next_cursor']}").json()["errors"]
    assert (second["item"], second["code"]) == ("pam/x.txt", "not_an_image")
    found = client.post("/identify", files={"photo": faces_of[0]}).json()
    assert found["faces"][0]["candidates"][0]["identity_id"] == "jim"
    eventually(lambda: not uploads(client))
    again = client.post("/jobs", data={"kind": "import"}, files={"file": zipped(files)}).json()
    assert ended(client, again["job_id"])["result"]["known"] == 2
    listed = client.get("/jobs?limit=1&state=succeeded").json()
    assert [each["job_id"] for each in listed["jobs"]] == [made["job_id"]]
    assert listed["next_cursor"]
    expect(client.post(f"/jobs/{made['job_id']}/cancel"), 409, "job_finished")


def test_a_folder_of_the_server(client, root, faces_of, tmp_path):
    (root / "staff" / "dwight").mkdir(parents=True)
    (root / "staff" / "dwight" / "1.jpg").write_bytes(faces_of[2])
    (root / "out").symlink_to(tmp_path)
    made = client.post("/jobs", json={"kind": "import", "path": "staff"}).json()
    assert ended(client, made["job_id"])["result"]["enrolled"] == 1
    for path in ("../", "/etc", "out", "nothing", "staff/../../x", str(tmp_path), "a\u0000b"):
        answer = client.post("/jobs", json={"kind": "import", "path": path})
        assert answer.status_code in {403, 422}, path
        if "\0" not in path:
            expect(answer, 403, "import_folder_forbidden")


def test_names_in_an_encoding_that_cannot_be_known_are_asked_about(client, faces_of, tmp_path):
    photo = faces_of[3]
    data = raw_archive(tmp_path / "in.zip", {f"{COMPOSED}/1.jpg".encode("cp437"): photo}).read_bytes()
    expect(client.post("/jobs", data={"kind": "import"}, files={"file": data}), 422, "encoding_unknown")
    fields = {"kind": "import", "encoding": "cp437"}
    made = client.post("/jobs", data=fields, files={"file": data}).json()
    assert made["parameters"]["encoding"] == "cp437"
    assert ended(client, made["job_id"])["result"]["enrolled"] == 1
    assert client.get(f"/collections/default/identities/{DECOMPOSED}").json()["faces"] == 1
    expect(client.post("/jobs", data={**fields, "encoding": "rot13"}, files={"file": data}), 422, "request_invalid")


def test_what_is_refused_at_once(client):
    for content in (b"identity_id,photo\n", b"PK", b""):
        expect(client.post("/jobs", data={"kind": "import"}, files={"file": content}), 422, "import_invalid")
    for body in (
        {"kind": "import"},
        {"kind": "import", "path": "a", "file": "A" * 32},
        {"kind": "calibrate", "path": "a"},
        {"kind": "x"},
        {"kind": "export", "file": "A" * 32},
        {"kind": "import_archive"},
        {"kind": "import_embeddings", "file": "A" * 32},
        {"kind": "import", "file": "A" * 32, "model": "sface"},
    ):
        expect(client.post("/jobs", json=body), 422, "request_invalid")
    answer = client.post("/jobs", data={"kind": "import", "collection": "nobody"}, files={"file": zipped({})})
    expect(answer, 404, "collection_unknown")
    for path in ("", "/errors", "/events"):
        expect(client.get(f"/jobs/nothing{path}"), 404, "job_unknown")
    expect(client.post("/jobs/nothing/cancel"), 404, "job_unknown")
    assert uploads(client) == []


def test_a_gallery_leaves_and_comes_back_elsewhere(client, root, faces_of):
    assert client.post("/collections", json={"name": "leaving"}).status_code == 201
    for name, place in (("stanley", 3), ("kevin", 4)):
        fields = {"identity_id": name, "collection": "leaving"}
        assert client.post("/enroll", files={"photos": faces_of[place]}, data=fields).status_code == 200
    made = client.post("/jobs", json={"kind": "export", "collection": "leaving"}).json()
    done = ended(client, made["job_id"])
    assert (done["state"], done["result"]["faces"], done["result"]["identities"]) == ("succeeded", 2, 2), done
    got = client.get(f"/jobs/{made['job_id']}/archive")
    assert (got.status_code, got.headers["content-type"]) == (200, "application/zip")
    assert got.headers["content-disposition"] == 'attachment; filename="leaving.zip"'
    trail = [each.entry for each in Trail(client.app.state.services.database.engine).lines()]
    assert [each.action for each in trail if each.subject == made["job_id"]][-1] == "job.downloaded"

    receipt = client.delete("/collections/leaving/identities/kevin").json()
    assert "exports" in {each["where"] for each in receipt["left"]}

    fields = {"kind": "import_archive", "collection": "arrived", "new_face_ids": "true"}
    sent = client.post("/jobs", data=fields, files={"file": got.content})
    assert sent.status_code == 202, sent.text
    done = ended(client, sent.json()["job_id"])
    assert done["result"] == {"faces": 2, "identities": 2, "skipped": 0}, done
    fields = {"collection": "arrived"}
    found = client.post("/identify", files={"photo": faces_of[4]}, data=fields).json()["faces"][0]
    assert found["candidates"][0]["identity_id"] == "kevin"

    (root / "leaving.zip").write_bytes(got.content)
    body = {"kind": "import_archive", "collection": "arrived", "path": "leaving.zip", "new_face_ids": True}
    done = ended(client, client.post("/jobs", json=body).json()["job_id"])
    assert done["result"] == {"faces": 0, "identities": 0, "skipped": 2}, done
    eventually(lambda: not uploads(client))


def test_embeddings_that_were_made_elsewhere(client, faces_of):
    answer = client.post("/embed", files={"photo": faces_of[5]}).json()
    (embedded,) = answer["faces"]
    lines = [
        {"identity_id": "creed", "embedding": embedded["embedding"]},
        {"identity_id": "creed", "embedding": [1, 2]},
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    fields = {"kind": "import_embeddings", "model": answer["model"]}
    done = ended(client, client.post("/jobs", data=fields, files={"file": data}).json()["job_id"])
    assert done["result"] == {"faces": 1, "identities": 1, "skipped": 0, "refused": 1}, done
    (error,) = client.get(f"/jobs/{done['job_id']}/errors").json()["errors"]
    assert (error["item"], error["code"]) == ("line 2", "embedding_invalid")
    found = client.post("/identify", files={"photo": faces_of[5]}).json()["faces"][0]
    assert found["candidates"][0]["identity_id"] == "creed"
    other = client.post("/jobs", data={"kind": "import_embeddings", "model": "other"}, files={"file": data}).json()
    assert ended(client, other["job_id"])["failure"]["code"] == "model_mismatch"


def test_an_archive_that_is_none_or_gone(client, root):
    for content in (b"no archive", zipped({"x": b"y"})):
        answer = client.post("/jobs", data={"kind": "import_archive"}, files={"file": content})
        expect(answer, 422, "archive_invalid")
    (root / "folder").mkdir()
    body = {"kind": "import_embeddings", "model": "sface", "path": "folder"}
    expect(client.post("/jobs", json=body), 422, "import_invalid")
    expect(client.post("/jobs", json={"kind": "export", "collection": "nobody"}), 404, "collection_unknown")
    expect(client.get("/jobs/nothing/archive"), 404, "job_unknown")
    calibration = client.post("/jobs", json={"kind": "calibrate"}).json()
    expect(client.get(f"/jobs/{calibration['job_id']}/archive"), 404, "archive_unknown")
    made = client.post("/jobs", json={"kind": "export"}).json()
    ended(client, made["job_id"])
    jobs = client.app.state.services.jobs
    path = jobs._uploads.archive(made["job_id"])
    half = path.with_name(f".{path.name}-left")
    half.write_bytes(b"half")
    jobs._uploads.tidy()
    assert path.stat().st_mode & 0o077 == 0
    for old in (path, half):
        os.utime(old, (0, 0))
    jobs._uploads.tidy()
    assert not path.exists()
    assert not half.exists()
    expect(client.get(f"/jobs/{made['job_id']}/archive"), 410, "export_gone")
    store = JobStore(client.app.state.services.database.engine)
    store.create(NewJob("waiting", "export", "default", {}, place="elsewhere"))
    expect(client.get("/jobs/waiting/archive"), 409, "job_unfinished")


def test_a_calibration_that_cannot_be(client):
    made = client.post("/jobs", json={"kind": "calibrate"}).json()
    done = ended(client, made["job_id"])
    assert (done["state"], done["failure"]["code"]) == ("failed", "calibration_too_small")


def test_without_a_folder_there_is_none(settings, databases):
    bare = settings.model_copy(update={"jobs": settings.jobs.model_copy(update={"import_dir": None})})
    with databases.url() as url, TestClient(create_app(bare.model_copy(update={"database_url": url}))) as client:
        expect(client.post("/jobs", json={"kind": "import", "path": "staff"}), 403, "import_folder_forbidden")


def test_a_key_sees_the_jobs_of_its_collections(settings, databases):
    with databases.url() as url:
        app = create_app(settings.model_copy(update={"database_url": url}))
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.post("/collections", json={"name": "other"}).status_code == 201
            made = {
                name: client.post("/jobs", json={"kind": "calibrate", "collection": name}).json()["job_id"]
                for name in ("default", "other")
            }
            store = KeyStore(app.state.services.database.engine)
            secret = store.create(NewKey("own", [Scope.MANAGE], ["other"]))[1]
            eventually(lambda: client.get("/jobs").status_code == 401)  # from then on the key counts
            headers = bearer(secret)
            assert [each["job_id"] for each in client.get("/jobs", headers=headers).json()["jobs"]] == [made["other"]]
            assert ended(client, made["other"], headers=headers)["state"] == "failed"
            for path in ("", "/errors", "/events"):
                expect(client.get(f"/jobs/{made['default']}{path}", headers=headers), 404, "job_unknown")
            expect(client.post(f"/jobs/{made['default']}/cancel", headers=headers), 404, "job_unknown")
            expect(client.get("/jobs?collection=default", headers=headers), 403, "collection_forbidden")


# Events, over a real server


@contextmanager
def serving(settings):
    services = started(settings)
    with create_server((HOST, 0)) as listener:
        server = configured_server(settings, services)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        eventually(lambda: server.started)
        try:
            yield listener.getsockname()[1], services, server
        finally:
            server.should_exit = True
            thread.join()


async def watch(port, job_id, *, most=1000):
    """Return the events' names and data, until the server ends them or there are as many as wanted."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request("GET", f"/jobs/{job_id}/events"))
        assert b"text/event-stream" in (await reader.readuntil(b"\r\n\r\n")).lower()
        return await events_of(reader, most)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def events_of(reader, most):
    events: list[tuple[str, dict[str, object]]] = []
    name = ""
    while len(events) < most and (line := (await reader.readline()).decode()) not in {"", "0\r\n"}:
        if line.startswith("event: "):
            name = line.removeprefix("event: ").strip()
        elif line.startswith("data: "):
            events.append((name, json.loads(line.removeprefix("data: "))))
    return events


def test_events(settings, databases):
    go, seen = threading.Event(), threading.Event()

    def work(parameters, progress):
        for number in range(1, 4):
            progress.advance(number, total=3, checkpoint={"at": number})
            seen.set()
            go.wait(20)
        return {"n": 3}

    with databases.url() as url, serving(settings.model_copy(update={"database_url": url})) as (port, services, _):
        services.jobs.runner._kinds = {"calibrate": work}
        job = services.job_requests.calibrate("default")
        assert seen.wait(20)

        async def two_watch():
            gone = await watch(port, job.job_id, most=1)
            watching = asyncio.create_task(watch(port, job.job_id))
            await asyncio.sleep(1)
            go.set()
            return gone, await asyncio.wait_for(watching, 20)

        gone, events = asyncio.run(two_watch())
        assert [name for name, _ in gone] == ["progress"]
        names = [name for name, _ in events]
        assert set(names[:-1]) == {"progress"}
        assert names[-1] == "end"
        assert (events[-1][1]["state"], events[-1][1]["result"]) == ("succeeded", {"n": 3})
        (after,) = asyncio.run(watch(port, job.job_id))  # one that has ended is shown once
        assert after[0] == "end"


def test_who_watches_takes_no_turn_and_leaves_nothing_behind(settings, databases):
    go = threading.Event()

    def work(parameters, progress):
        while not go.wait(0.05):
            progress.advance(1, total=3)
        return {}

    with databases.url() as url, serving(settings.model_copy(update={"database_url": url})) as (port, services, server):
        services.jobs.runner._kinds = {"calibrate": work}
        job = services.job_requests.calibrate("default")

        async def many():
            watching = [asyncio.create_task(watch(port, job.job_id)) for _ in range(20)]
            await asyncio.sleep(1)
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request("GET", "/collections"))
            status, *_ = await answer(reader)  # 20 watch, two work at once
            writer.close()
            await writer.wait_closed()
            assert len(server.server_state.tasks) >= 20
            for each in watching:
                each.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            return status

        assert asyncio.run(many()) == 200
        eventually(lambda: not server.server_state.tasks, 5)
        stopping = threading.Thread(target=asyncio.run, args=(watch(port, job.job_id),), daemon=True)
        stopping.start()
        eventually(lambda: bool(server.server_state.tasks))
        server.should_exit = True  # a stop does not wait for who watches
        stopping.join(5)
        assert not stopping.is_alive()
        go.set()
