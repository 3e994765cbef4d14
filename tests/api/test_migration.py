"""From one network to another through HTTP and on the command line, with two real networks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.cli import cli, reembed
from app.cli.importing import SOME_REFUSED
from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.jobs.job_run import JobRun
from app.jobs.leases import Leases
from app.main import create_app
from tests.api.fakes import started
from tests.api.test_errors import expect
from tests.api.test_jobs import ended
from tests.conftest import DATA
from tests.jobs.conftest import new_job
from tests.sealing import FakeSealer

OPEN, OTHER = "sface-2021dec", "arcface-mobilefacenet-192"
PACK = "arcface-mobilefacenet"


@pytest.fixture(scope="module")
def settings(packs, tmp_path_factory):
    for pack in ("open", PACK):
        if not all(packs.has(each) for each in packs.required_by(pack)):
            pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")
    settings = read_settings(
        server={"hosts": ["testserver"]},
        data_dir=tmp_path_factory.mktemp("data"),
        models_dir=DATA,
        packs=PACK,
        gallery={"follow_seconds": 0.2},
        encryption={"own_key": False},  # crops are sealed by a fake
    )
    prepare_database(settings)
    return settings


@pytest.fixture(scope="module")
def services(settings):
    return started(settings, FakeSealer())


@pytest.fixture(scope="module")
def client(settings, services):
    with TestClient(create_app(settings, services), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def enroll(client, faces_of):
    def enroll(collection, *numbers):
        for number in numbers:
            said = {"collection": collection, "identity_id": f"person {number}", "face": "largest"}
            answer = client.post("/enroll", files={"photos": faces_of[number]}, data=said)
            assert answer.status_code == 200, answer.text

    return enroll


@pytest.fixture
def made(client, enroll):
    """A collection of two people with crops: made("name")."""

    def made(name):
        assert client.post("/collections", json={"name": name, "keep_crops": True}).status_code == 201
        enroll(name, 0, 1)
        return f"/collections/{name}/reembed"

    return made


def seen(client, collection, photo):
    found = client.post("/identify", files={"photo": photo}, data={"collection": collection}).json()
    first = found["faces"][0]["candidates"][0]
    return found["model"], first["identity_id"], first["similarity"]


def faces(client, collection):
    listed = client.get(f"/collections/{collection}/faces").json()["faces"]
    return {each["face_id"]: each["identity_id"] for each in listed}


def test_there_and_back(client, made, enroll, faces_of):
    path = made("moving")
    before = faces(client, "moving")
    standing = client.get(path).json()
    assert (standing["model"], standing["before"], standing["crops_missing"]) == (OPEN, None, 0)
    answer = client.post(path, json={"model": PACK})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['job_id']}"
    job = ended(client, answer.json()["job_id"])
    assert job["state"] == "succeeded", job
    assert job["result"] == {
        "from": OPEN,
        "to": OTHER,
        "faces": 2,
        "is_switched": True,
        "missing": 0,
        "dropped": 0,
        "missing_faces": [],
    }
    assert (job["kind"], job["done"], job["total"], job["errors"]) == ("reembed", 2, 2, 0)
    assert faces(client, "moving") == before
    for number in (0, 1):
        model, who, similarity = seen(client, "moving", faces_of[number])
        assert (model, who) == (OTHER, f"person {number}")
        assert similarity > 0.9999
    standing = client.get(path).json()
    assert (standing["model"], standing["before"]) == (OTHER, OPEN)
    assert {each["model"]: each["templates"] for each in standing["networks"]} == {OTHER: 2, OPEN: 2}
    enroll("moving", 2)
    back = client.post(f"{path}/rollback", json={})
    assert (back.status_code, back.json()["model"], back.json()["dimension"]) == (200, OPEN, 128)
    assert seen(client, "moving", faces_of[2])[:2] == (OPEN, "person 2")
    assert client.post(f"{path}/discard").json() == {"discarded": 3}
    expect(client.post(f"{path}/rollback", json={}), 409, "no_way_back")


def test_prepared_first_and_switched_later(client, made, enroll, faces_of):
    path = made("later")
    job = ended(client, client.post(path, json={"model": OTHER, "switch": False}).json()["job_id"])
    assert (job["result"]["is_switched"], job["result"]["missing"]) == (False, 0)
    assert seen(client, "later", faces_of[0])[0] == OPEN
    enroll("later", 2)
    done = client.post(f"{path}/switch", json={"model": PACK}).json()
    assert (done["model"], done["faces"], done["dropped"]) == (OTHER, 3, 0)
    assert seen(client, "later", faces_of[2])[:2] == (OTHER, "person 2")


def test_faces_without_a_crop_are_named_and_then_dropped(client, made, enroll, faces_of):
    path = made("bare")
    client.patch("/collections/bare", json={"keep_crops": False})
    enroll("bare", 2, 3)
    made_job = client.post(path, json={"model": PACK}).json()
    job = ended(client, made_job["job_id"])
    assert (job["state"], job["errors"]) == ("succeeded", 2)
    assert (job["result"]["is_switched"], job["result"]["missing"]) == (False, 2)
    assert [each["identity_id"] for each in job["result"]["missing_faces"]] == ["person 2", "person 3"]
    errors = client.get(f"/jobs/{job['job_id']}/errors").json()["errors"]
    assert [each["code"] for each in errors] == ["crop_missing"] * 2
    first = client.get(f"{path}?limit=1").json()
    second = client.get(f"{path}?limit=1&model={PACK}&cursor={first['next_cursor']}").json()
    assert [each["without_crop"][0]["identity_id"] for each in (first, second)] == ["person 2", "person 3"]
    assert (first["crops_missing"], second["next_cursor"]) == (2, None)
    refused = client.post(f"{path}/switch", json={"model": PACK})
    expect(refused, 409, "templates_missing")
    assert [each["identity_id"] for each in refused.json()["faces"]] == ["person 2", "person 3"]
    done = client.post(f"{path}/switch", json={"model": PACK, "on_missing": "drop"}).json()
    assert (done["faces"], done["dropped"], len(done["dropped_faces"])) == (2, 2, 2)
    assert seen(client, "bare", faces_of[0])[:2] == (OTHER, "person 0")


def test_what_is_refused(client, services, made):
    path = made("refused")
    expect(client.post(path, json={"model": OPEN}), 422, "request_invalid")
    expect(client.post(path, json={"model": "buffalo_l"}), 422, "request_invalid")
    expect(client.post(path, json={}), 422, "request_invalid")
    expect(client.post(path, json={"model": PACK, "on_missing": "x"}), 422, "request_invalid")
    expect(client.post("/collections/nothing/reembed", json={"model": PACK}), 404, "collection_unknown")
    expect(client.get("/collections/nothing/reembed"), 404, "collection_unknown")
    expect(client.post(f"{path}/rollback", json={}), 409, "no_way_back")
    job = services.jobs._store.create(new_job("reembed", collection="refused", place="elsewhere"))
    expect(client.post(path, json={"model": PACK}), 409, "job_under_way")
    expect(client.post(f"{path}/discard"), 409, "job_under_way")
    services.jobs._store.cancel(job.job_id)


def test_another_process_goes_on_with_the_job_of_one_that_was_killed(client, services, made, faces_of):
    """It had the job and had put one template when it died; its lease ends, and the service takes over."""
    path = made("killed")
    services.jobs.runner.stop()
    store, kinds = services.jobs._store, services.jobs.runner._kinds
    job = client.post(path, json={"model": PACK}).json()
    dead = Leases(services.database.engine, owner="dead", place="elsewhere", lease=timedelta(seconds=-1))
    assert dead.claim(kinds.keys())
    collection = services.gallery.collection("killed")
    (block,) = list(services.migration_repository.blocks(collection, OTHER))[:1]
    assert len(block.keys) == 2
    one = type(block)(block.keys[:1], block.crops[:1], block.detections[:1])
    change, network = services.migration, services.registry.named(PACK)
    with ThreadPoolExecutor(1) as pool:
        made_one = change._made(pool, change._coming(collection, network), one)
    services.migration_repository.put(collection, OTHER, made_one)
    told: list[int] = []
    alive = Leases(services.database.engine, owner="alive", place="here", lease=timedelta(seconds=30))
    claim = alive.claim(["reembed"])
    assert claim is not None
    assert (claim.job.job_id, claim.deaths) == (job["job_id"], 1)
    running = JobRun(claim, alive, lease_seconds=30, stopping=threading.Event())
    advance = running.advance
    running.advance = lambda done, **said: told.append(done) or advance(done, **said)  # type: ignore[method-assign, func-returns-value]
    result = kinds["reembed"](claim.job.parameters, running)
    assert told[0] == 1
    assert result["is_switched"]
    assert seen(client, "killed", faces_of[1])[:2] == (OTHER, "person 1")
    assert store.get(job["job_id"]).attempts == 2


# The command line, while the service runs


@pytest.fixture
def run(settings, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    monkeypatch.setenv("ARCID_PACKS", PACK)
    monkeypatch.setattr(reembed, "Container", partial(Container, sealer=FakeSealer()))
    return lambda *arguments: CliRunner().invoke(cli, ["reembed", *arguments])


def test_the_command_does_it_and_a_running_service_follows(client, made, enroll, run, faces_of):
    made("line")
    done = run("start", "line", "--model", PACK)
    assert done.exit_code == 0, done.output
    assert f"line: 2 faces, from {OPEN} to {OTHER}" in done.output
    assert seen(client, "line", faces_of[0])[:2] == (OTHER, "person 0")
    assert f"{OPEN}" in run("status", "line").output
    assert f"now uses {OPEN}" in run("rollback", "line").output
    assert seen(client, "line", faces_of[0])[:2] == (OPEN, "person 0")
    assert f"now uses {OTHER}" in run("switch", "line", "--model", PACK).output
    assert "line: 2 templates deleted" in run("discard", "line").output
    assert type(run("rollback", "line").exception).__name__ == "NoWayBack"


def test_the_command_names_who_needs_a_new_photo(client, made, enroll, run):
    made("line-2")
    client.patch("/collections/line-2", json={"keep_crops": False})
    enroll("line-2", 2)
    done = run("start", "line-2", "--model", PACK)
    assert done.exit_code == SOME_REFUSED, done.output
    assert "1 of 3 faces needs a new photo" in done.output
    assert "person 2" in run("status", "line-2").output
    assert "1 deleted" in run("start", "line-2", "--model", PACK, "--on-missing", "drop").output
    assert type(run("start", "line-2", "--model", PACK).exception).__name__ == "RequestInvalid"
