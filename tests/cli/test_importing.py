"""`arcid import` with real networks, and `arcid jobs`."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.cli.importing import CANCELLED, SOME_REFUSED
from app.container import Container
from app.jobs.job import JobState
from app.jobs.store import JobStore
from app.wiring.storage import open_database
from tests.conftest import DATA
from tests.gallery.store.enrolling import enroll
from tests.jobs.conftest import new_job


@pytest.fixture
def run(settings, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    return lambda *arguments: CliRunner().invoke(cli, [str(each) for each in arguments])


def test_a_folder_is_imported_and_again(run, settings, tmp_path, faces_of, faceless):
    for name, data in {"jim": faces_of[0], "pam": faces_of[1], "[bold]": faceless}.items():
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "1.jpg").write_bytes(data)
    done = run("import", tmp_path / "in", "--errors", tmp_path / "errors.csv")
    assert done.exit_code == SOME_REFUSED, done.output
    assert "2 enrolled (2 new people), 0 skipped" in done.output
    assert "[bold]/1.jpg" in done.output
    with (tmp_path / "errors.csv").open(newline="") as file:
        assert [row[:2] for row in csv.reader(file)] == [["file", "code"], ["[bold]/1.jpg", "no_face"]]
    assert "0 enrolled (0 new people), 2 skipped" in run("import", tmp_path / "in").output
    assert Container(settings).store.collection("default").faces == 2
    (tmp_path / "in" / "[bold]" / "1.jpg").unlink()
    assert run("import", tmp_path / "in").exit_code == 0


def test_what_cannot_be_imported(run, tmp_path):
    assert type(run("import", tmp_path / "nothing").exception).__name__ == "ImportInvalid"
    assert type(run("import", tmp_path, "--collection", "nobody").exception).__name__ == "CollectionUnknown"


def test_ctrl_c_stops_cleanly_and_the_rest_comes_later(settings, tmp_path, faces_of, run):
    for number in range(240):
        (tmp_path / f"p{number:03}").mkdir()
        (tmp_path / f"p{number:03}" / "1.jpg").write_bytes(faces_of[number % 6] + bytes([number]))
    assert run("collections", "create", "many").exit_code == 0
    command = [
        sys.executable,
        "-c",
        "from app.cli import main; main()",
        "import",
        str(tmp_path),
        "--collection",
        "many",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ))
    store = Container(settings).store
    until = time.monotonic() + 60
    while store.collection("many").faces < 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == CANCELLED, output
    assert b"run the same command again" in output
    assert b"Traceback" not in output
    there = store.collection("many").faces
    assert 3 <= there < 240
    assert f"{240 - there} enrolled" in run("import", tmp_path, "--collection", "many").output
    assert store.collection("many").faces == 240


def test_jobs_are_listed_shown_and_cancelled(run, settings):
    jobs = JobStore(open_database(settings).engine)
    made = jobs.create(new_job(collection="people"))
    assert made.job_id in run("jobs", "list", "--collection", "people").output
    assert made.job_id not in run("jobs", "list", "--state", "failed").output
    assert "queued" in run("jobs", "show", made.job_id).output
    assert "cancelled" in run("jobs", "cancel", made.job_id).output
    assert jobs.get(made.job_id).state is JobState.CANCELLED
    assert type(run("jobs", "cancel", made.job_id).exception).__name__ == "JobFinished"
    assert type(run("jobs", "show", "nothing").exception).__name__ == "JobUnknown"
    assert run("jobs", "list", "--collection", "people", "--state", "failed").exit_code == 0
    assert type(run("jobs", "list", "--collection", "zz").exception).__name__ == "CollectionUnknown"
    jobs.forget(timedelta(seconds=-5))


@pytest.mark.parametrize("canceller", ["command", "service"])
def test_a_waiting_job_that_is_cancelled_no_longer_names_who_was_erased(run, settings, canceller):
    with Container(settings) as container:
        people = container.store.create_collection(f"by-{canceller}", model="net", dimension=4)
        enroll(container.store, people, "ada")
        made = container.job_store.create(replace(new_job(collection=people.name), parameters={"path": "new/ada.zip"}))
        container.store.remove_identity(people, "ada")
        if canceller == "service":
            container.jobs.cancel(made.job_id, None)
        else:
            assert run("jobs", "cancel", made.job_id).exit_code == 0
        assert container.job_store.get(made.job_id).parameters["path"] == "erased"
