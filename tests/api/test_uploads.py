"""Resumable uploads over HTTP: the tus protocol, keys, cut connections, and jobs that take an upload."""

import os
import socket
import time
from email.utils import parsedate_to_datetime

import httpx2
import pytest

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.cli.demo import serving
from app.cli.serve import prepare_database
from app.config import LimitSettings
from app.container import Container
from tests.api.fakes import HOST
from tests.api.test_errors import expect
from tests.api.test_jobs import ended, zipped
from tests.api.test_permissions import bearer
from tests.jobs.conftest import eventually

PART = {"Content-Type": "application/offset+octet-stream"}
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def settings(settings):
    jobs = settings.jobs.model_copy(update={"upload_bytes": 1_000_000, "uploads": 3})
    limits = settings.limits.model_copy(update={"body_bytes": 200_000})
    return settings.model_copy(update={"jobs": jobs, "limits": limits})


@pytest.fixture
def created(client):
    """Create an upload; all are deleted in the end."""
    locations = []

    def created(length, **headers):
        made = client.post("/uploads", headers={**TUS, "Upload-Length": str(length), **headers.pop("headers", {})})
        assert made.status_code == 201, made.text
        locations.append(made.headers["location"])
        return locations[-1]

    yield created
    for each in locations:
        client.delete(each)


def append(client, location, data, offset):
    return client.patch(location, content=data, headers={**TUS, **PART, "Upload-Offset": str(offset)})


def test_a_file_arrives_in_parts_and_a_job_takes_it(client, created, faces_of, faceless):
    data = zipped({"jim/1.jpg": faces_of[0], "jim/2.jpg": faceless})
    location = created(len(data), headers={"Upload-Metadata": "filename c3RhZmYuemlw"})
    first = append(client, location, data[:1000], 0)
    assert (first.status_code, first.headers["upload-offset"], first.content) == (204, "1000", b"")
    assert parsedate_to_datetime(first.headers["upload-expires"]).timestamp() > time.time() + 80_000
    head = client.head(location, headers=TUS)
    assert (head.status_code, head.headers["upload-offset"]) == (200, "1000")
    assert head.headers["upload-length"] == str(len(data))
    assert head.headers["upload-metadata"] == "filename c3RhZmYuemlw"
    assert head.headers["cache-control"] == "no-store"
    upload_id = location.rpartition("/")[2]
    assert client.get(location).json()["offset"] == 1000
    expect(client.post("/jobs", json={"kind": "import", "upload": upload_id}), 409, "upload_unfinished")
    expect(append(client, location, b"x", 0), 409, "upload_conflict")
    assert append(client, location, data[1000:], 1000).headers["upload-offset"] == str(len(data))
    made = client.post("/jobs", files={"kind": (None, "import"), "upload": (None, upload_id)}).json()
    assert ended(client, made["job_id"])["result"]["enrolled"] == 1
    expect(client.get(location), 404, "upload_unknown")
    expect(client.post("/jobs", json={"kind": "import", "upload": upload_id}), 404, "upload_unknown")
    folder = client.app.state.services.settings.data_dir / "jobs"
    eventually(lambda: not [*folder.glob("*.upload"), *(folder / "resumable").iterdir()])


def test_a_job_that_refuses_an_upload_leaves_it(client, created):
    location = created(4)
    append(client, location, b"none", 0)
    upload_id = location.rpartition("/")[2]
    expect(client.post("/jobs", json={"kind": "import", "upload": upload_id}), 422, "import_invalid")
    body = {"kind": "import", "upload": upload_id, "collection": "nobody"}
    expect(client.post("/jobs", json=body), 404, "collection_unknown")
    assert client.get(location).json()["offset"] == 4
    for body in ({"upload": upload_id, "path": "x"}, {"upload": "../x"}, {"upload": upload_id, "kind": "export"}):
        expect(client.post("/jobs", json={"kind": "import", **body}), 422, "request_invalid")


def test_discovery_and_versions(client, created):
    answer = client.options("/uploads")
    assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
    assert answer.headers["tus-extension"] == "creation,creation-with-upload,expiration,termination"
    assert answer.headers["tus-max-size"] == "1000000"
    answer = client.post("/uploads", headers={"Tus-Resumable": "0.2.2", "Upload-Length": "1"})
    expect(answer, 412, "tus_version_unsupported")
    assert answer.headers["tus-version"] == answer.headers["tus-resumable"] == "1.0.0"
    assert client.get("/uploads/nothing").headers["tus-resumable"] == "1.0.0"
    location = client.post("/v1/uploads", headers={"Upload-Length": "1"}).headers["location"]
    assert location.startswith("/v1/uploads/")
    assert client.delete(location).status_code == 204
    expect(client.delete(location), 404, "upload_unknown")


def test_the_first_part_may_come_with_the_creation(client):
    answer = client.post("/uploads", content=b"0123", headers={**TUS, **PART, "Upload-Length": "6"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "4")
    assert answer.json()["offset"] == 4
    location = answer.headers["location"]
    assert append(client, location, b"45", 4).headers["upload-offset"] == "6"
    client.delete(location)


def test_what_is_refused(client, created):
    expect(client.post("/uploads", headers={"Upload-Length": "1000001"}), 413, "upload_too_large")
    for headers in ({}, {"Upload-Length": "x"}, {"Upload-Length": "-1"}, {"Upload-Defer-Length": "1"}):
        expect(client.post("/uploads", headers=headers), 422, "request_invalid")
    location = created(5)
    expect(append(client, location, b"012345", 0), 413, "upload_too_large")
    expect(client.patch(location, content=b"0", headers={"Upload-Offset": "0"}), 415, "content_type_unsupported")
    expect(client.patch(location, content=b"0", headers=PART), 422, "request_invalid")
    created(1)
    created(1)
    expect(client.post("/uploads", headers={"Upload-Length": "1"}), 503, "overloaded")
    assert client.get(location).json()["offset"] == 0


def test_a_part_may_be_larger_than_a_body(client, created):
    data = bytes(900_000)
    assert append(client, created(len(data)), data, 0).headers["upload-offset"] == "900000"
    assert client.app.state.body_budget.held == 0
    expect(client.post("/enroll", content=data, headers={"Content-Type": "application/json"}), 413, "body_too_large")


@pytest.fixture(scope="module")
def keys(settings):
    """A service with a read limit of a second: its address, and two keys for uploads and one without that scope."""
    limits = LimitSettings(read_seconds=1)
    own = settings.model_copy(update={"limits": limits, "data_dir": settings.data_dir / "keys"})
    prepare_database(own)
    with serving(own, port=0) as address, httpx2.Client(base_url=address, timeout=60) as client:
        store = KeyStore(Container(own).database.engine)
        made = {
            name: store.create(NewKey(name, [scope]))[1]
            for name, scope in (("one", Scope.MANAGE), ("two", Scope.MANAGE), ("other", Scope.RECOGNISE))
        }
        eventually(lambda: client.get("/models").status_code == 401)
        yield client, made


def test_an_upload_belongs_to_its_key(keys):
    client, made = keys
    one, two, other = (bearer(made[name]) for name in ("one", "two", "other"))
    assert client.options("/uploads").status_code == 401
    assert client.post("/uploads", headers={"Upload-Length": "3", **other}).status_code == 403
    location = client.post("/uploads", headers={"Upload-Length": "3", **one}).headers["location"]
    for method in ("GET", "HEAD", "DELETE"):
        assert client.request(method, location, headers=two).status_code == 404
    body = {"kind": "import", "upload": location.rpartition("/")[2]}
    assert client.post("/jobs", json=body, headers=two).json()["code"] == "upload_unknown"
    assert client.get(location, headers=one).json()["offset"] == 0
    assert client.delete(location, headers=one).status_code == 204


class Sender:
    """Sends parts of an upload on raw connections."""

    def __init__(self, client, key, data):
        self.client, self.key, self.data = client, bearer(key), data
        length = {"Upload-Length": str(len(data)), **self.key}
        self.location = client.post("/uploads", headers=length).headers["location"]

    def connected(self, offset, sent):
        """Announce the rest of the file, and send only some bytes of it."""
        lines = [
            f"PATCH {self.location} HTTP/1.1",
            "Host: localhost",
            f"Content-Length: {len(self.data) - offset}",
            f"Upload-Offset: {offset}",
            *(f"{name}: {value}" for name, value in {**PART, **self.key}.items()),
        ]
        connection = socket.create_connection((HOST, self.client.base_url.port), timeout=20)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + self.data[offset : offset + sent])
        return connection

    def offset(self):
        return self.client.get(self.location, headers=self.key).json()["offset"]

    def finish(self):
        """Send the rest."""
        offset = self.offset()
        headers = {**PART, **self.key, "Upload-Offset": str(offset)}
        answer = self.client.patch(self.location, content=self.data[offset:], headers=headers)
        assert answer.headers["upload-offset"] == str(len(self.data)), answer.text


@pytest.fixture
def sender(keys):
    client, made = keys
    sender = Sender(client, made["one"], os.urandom(900_000))
    yield sender
    client.delete(sender.location, headers=sender.key)


def stored(settings, sender):
    name = sender.location.rpartition("/")[2]
    return (settings.data_dir / "keys" / "jobs" / "resumable" / f"{name}.part").read_bytes()


def test_a_broken_connection_keeps_what_arrived(settings, sender):
    offset = 0
    for sent in (100_000, 1, 250_000, 70_000):
        with sender.connected(offset, sent):
            eventually(lambda: len(stored(settings, sender)) >= offset + sent)  # noqa: B023 - called here
        offset += sent
        assert sender.offset() == offset
    sender.finish()
    assert stored(settings, sender) == sender.data


def test_a_newer_request_ends_a_connection_that_hangs(settings, sender):
    with sender.connected(0, 100_000) as hanging:
        eventually(lambda: len(stored(settings, sender)) == 100_000)
        sender.finish()
        assert b"409 Conflict" in hanging.recv(65_536)
    assert stored(settings, sender) == sender.data


def test_a_part_that_stalls_is_ended_and_kept(settings, sender):
    with sender.connected(0, 100_000) as stalled:
        assert b"408 Request Timeout" in stalled.recv(65_536)
    assert sender.offset() == 100_000
    with sender.connected(100_000, 50_000) as slow:  # longer than the read limit in total, but never silent for long
        for at in range(150_000, 900_000, 150_000):
            time.sleep(0.4)
            slow.sendall(sender.data[at : at + 150_000])
        assert b"204 No Content" in slow.recv(65_536)
    assert stored(settings, sender) == sender.data
