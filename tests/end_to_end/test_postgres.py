"""The service on PostgreSQL: answers of replicas while the server is stopped, and afterwards."""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster import Cluster, running
from tests.databases import migrate
from tests.end_to_end.test_commands import ARCID, environment


@pytest.fixture(scope="module")
def cluster():
    with running() as cluster:
        migrate(cluster.url)
        yield cluster


def enroll(client, photo, identity_id, **headers):
    return client.post("/enroll", files={"photos": photo}, data={"identity_id": identity_id}, headers=headers)


def expect_away(answer) -> None:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "database_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert "arcid-cluster" not in answer.text  # nor anything else of the address


@pytest.mark.parametrize("how", ["fast", "immediate", "pause"])
def test_an_outage_is_survived_without_a_restart(served, cluster: Cluster, portrait, how):
    with served(database_url=f"{cluster.url}&connect_timeout=2") as client:  # to hang for no longer than it must
        assert enroll(client, portrait, "eileen").status_code == 200
        if how == "pause":
            cluster.pause()
        else:
            cluster.stop(how)
        try:
            for _ in range(2):
                expect_away(enroll(client, portrait, "nobody"))
                expect_away(client.post("/identify", files={"photo": portrait}))
                ready = client.get("/readyz")
                assert (ready.status_code, ready.json()["checks"]["database"]["is_ready"]) == (503, False)
                assert client.get("/healthz").status_code == 200
        finally:
            if how == "pause":
                cluster.resume()
            else:
                cluster.start()
        assert client.get("/readyz").status_code == 200
        assert enroll(client, portrait, "amelia").status_code == 200
        (face,) = client.post("/identify", files={"photo": portrait}).json()["faces"]
        assert {each["identity_id"] for each in face["candidates"]} == {"eileen", "amelia"}


def test_what_was_acknowledged_is_kept_and_a_retry_enrolls_once(served, cluster: Cluster, portrait):
    """The server crashes repeatedly; each client repeats its request with its key until it is acknowledged."""
    done = threading.Event()

    def crash() -> int:
        times = 0
        while not done.wait(0.7):
            cluster.stop("immediate")
            time.sleep(0.3)
            cluster.start()
            times += 1
        return times

    with served(database_url=cluster.url) as client, ThreadPoolExecutor(5) as pool:

        def persist(number: int) -> list[str]:
            while (answer := enroll(client, portrait, f"p{number}", **{"Idempotency-Key": f"k{number}"})).is_error:
                expect_away(answer)
            return [face["face_id"] for face in answer.json()["faces"]]

        crashing = pool.submit(crash)
        try:
            acknowledged = list(pool.map(persist, range(60)))
        finally:
            done.set()
        assert crashing.result(30) > 1
        for number, face_ids in enumerate(acknowledged):
            again = enroll(client, portrait, f"p{number}", **{"Idempotency-Key": f"k{number}"})
            assert [face["face_id"] for face in again.json()["faces"]] == face_ids
    with served(database_url=cluster.url) as client:  # a new replica has all of them, each once
        answer = client.post("/identify", files={"photo": portrait}, data={"top_k": "100"})
        found = [each["identity_id"] for each in answer.json()["faces"][0]["candidates"]]
        assert {f"p{number}" for number in range(60)} <= set(found)
        assert len(found) == len(set(found))


def test_a_start_without_the_database_is_one_line(settings, tmp_path):
    url = "postgresql://user:secret@127.0.0.1:1/arcid"
    variables = {**environment(settings, tmp_path), "ARCID_DATABASE_URL": url}
    for command in (["serve", "--port", "0"], ["db", "upgrade"], ["db", "status"]):
        done = subprocess.run([ARCID, *command], env=variables, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        errors = [line for line in done.stderr.splitlines() if "[info" not in line]
        assert len(errors) == 1, done.stderr
        assert errors[0].startswith("arcid: the database does not answer")
        assert "127.0.0.1" in errors[0]
        assert "secret" not in done.stderr


def test_a_start_before_the_upgrade_says_so(settings, tmp_path, cluster: Cluster):
    url = cluster.url.replace("/postgres?", "/template1?")
    variables = {**environment(settings, tmp_path), "ARCID_DATABASE_URL": url}
    done = subprocess.run([ARCID, "serve"], env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "run: arcid db upgrade" in done.stderr
    assert "Traceback" not in done.stderr
