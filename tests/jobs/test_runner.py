import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest

from app.access.trail import Trail
from app.database.audit import Actor, acting
from app.errors import DatabaseUnavailable, JobCancelled, NoFace
from app.jobs import runner as runner_module
from app.jobs.job import JobState
from app.jobs.job_run import MOST_KEPT
from app.jobs.runner import MOST_DEATHS, JobRunner
from tests.clocks import Jumps
from tests.jobs.conftest import eventually, new_job
from tests.jobs.test_store import pass_time


def ended(jobs, job):
    eventually(lambda: jobs.get(job.job_id).state.is_final)
    return jobs.get(job.job_id)


def test_a_job_is_done_in_the_name_of_who_asked(jobs, started, engine):
    def work(parameters, progress):
        progress.refuse("b\0\udcff.jpg", "no_face", "none")
        progress.advance(3, total=parameters["n"], checkpoint={"at": 3})
        assert progress.checkpoint == {"at": 3}
        return {"n": 3}

    tidied: list[str | None] = []
    started({"count": work}, tidied=tidied)
    with acting(Actor("door", "abc", "request-1")):
        job = jobs.create(new_job(n=4))
    done = ended(jobs, job)
    assert (done.state, done.result, done.done, done.total, done.errors) == (JobState.SUCCEEDED, {"n": 3}, 3, 4, 1)
    assert [each.item for each in jobs.errors(done, after=0, limit=9).items] == ["b??.jpg"]
    assert [each.entry.actor for each in Trail(engine).lines()] == ["door", "door"]
    eventually(lambda: tidied == [None, job.job_id])


def test_a_jump_of_the_clock_tidies_nothing(jobs, leases, monkeypatch):
    monkeypatch.setattr(runner_module, "_TIDY_EVERY_S", 0.01)
    jumps, tidied = Jumps(), list[str | None]()
    keep = timedelta(days=1)
    runner = JobRunner(
        jobs, leases(), {}, lease_seconds=2, keep=keep, tidy=tidied.append, clock=jumps.clock, every=0.01
    )
    runner.start()
    eventually(lambda: len(tidied) > 1)
    jumps.ahead = 40 * 86_400
    time.sleep(0.2)
    before = len(tidied)
    time.sleep(0.2)
    runner.stop()
    assert len(tidied) == before


def test_failures_are_the_jobs_own(jobs, started):
    def work(parameters, progress):
        raise {"domain": NoFace("nobody"), "bug": ZeroDivisionError("secret")}[parameters["how"]]

    started({"count": work, "good": lambda *_: {}})
    domain, bug, good = (
        jobs.create(new_job(how="domain")),
        jobs.create(new_job(how="bug")),
        jobs.create(new_job("good")),
    )
    assert ended(jobs, domain).failure.code == "no_face"
    failure = ended(jobs, bug).failure
    assert failure.code == "internal_error"
    assert "secret" not in failure.detail
    assert ended(jobs, good).state is JobState.SUCCEEDED


def test_what_passes_is_waited_for(jobs, started, monkeypatch):
    monkeypatch.setattr(runner_module, "_PAUSE", timedelta())
    tries = []

    def work(parameters, progress):
        tries.append(dict(progress.checkpoint))
        if len(tries) < 3:
            progress.advance(len(tries), checkpoint={"at": len(tries)})
            raise DatabaseUnavailable("away")
        return {}

    started({"count": work})
    assert ended(jobs, jobs.create(new_job())).attempts == 3
    assert tries == [{}, {"at": 1}, {"at": 2}]


def forever(parameters, progress):
    """Run until the test ends it."""
    done = progress.checkpoint.get("at", 0)
    while True:
        done += 1
        progress.advance(done, checkpoint={"at": done, "counts": {"photos": done}})
        threading.Event().wait(0.02)


def test_a_running_job_is_cancelled(jobs, started):
    started({"count": forever})
    job = jobs.create(new_job())
    eventually(lambda: jobs.get(job.job_id).done > 2)
    jobs.cancel(job.job_id)
    cancelled = ended(jobs, job)
    assert cancelled.state is JobState.CANCELLED
    assert cancelled.result == {"photos": cancelled.done}


def test_a_stop_gives_the_job_to_others_at_once(jobs, started):
    job = jobs.create(new_job())
    first = started({"count": forever})
    eventually(lambda: jobs.get(job.job_id).done > 2)
    first.stop()
    left = jobs.get(job.job_id)
    assert left.state is JobState.RUNNING
    started({"count": lambda _, progress: {"from": progress.checkpoint["at"]}}, "two")
    done = ended(jobs, job)
    assert done.result["from"] >= left.done
    assert done.attempts == 2


def test_many_refusals_are_counted_and_the_first_kept(jobs, started):
    def work(parameters, progress):
        for number in range(MOST_KEPT + 5):
            progress.refuse(str(number), "no_face", "none")
        return {}

    started({"count": work})
    done = ended(jobs, jobs.create(new_job()))
    assert done.errors == MOST_KEPT + 5
    last = jobs.errors(done, after=MOST_KEPT - 1, limit=9).items
    assert [each.number for each in last] == [MOST_KEPT]


def test_two_runners_never_do_one_job_together(jobs, started):
    now, most, seen, lock = Counter[int](), Counter[int](), Counter[int](), threading.Lock()

    def work(parameters, progress):
        with lock:
            now[parameters["n"]] += 1
            seen[parameters["n"]] += 1
            most[parameters["n"]] = max(most[parameters["n"]], now[parameters["n"]])
        threading.Event().wait(0.05)
        progress.advance(1)
        with lock:
            now[parameters["n"]] -= 1
        return {}

    made = [jobs.create(new_job(n=number)) for number in range(8)]
    for owner in ("one", "two", "three"):
        started({"count": work}, owner)
    assert all(ended(jobs, each).attempts == 1 for each in made)
    assert set(seen.values()) == set(most.values()) == {1}


def test_a_process_that_lost_its_lease_does_no_more(jobs, leases, started, engine):
    """It was held up for longer than its lease, and another one has the job."""
    held, go, raised = threading.Event(), threading.Event(), []

    def slow(parameters, progress):
        progress.advance(1, checkpoint={"at": 1})
        held.set()
        go.wait(20)
        try:
            progress.advance(2, checkpoint={"at": 2})
        except JobCancelled as error:
            raised.append(error)
            raise
        return {"by": "one"}

    started({"count": slow})
    job = jobs.create(new_job())
    assert held.wait(20)
    pass_time(engine, 1)
    assert leases("two").claim({"count"}).checkpoint == {"at": 1}
    go.set()
    eventually(lambda: bool(raised))
    assert (jobs.get(job.job_id).state, jobs.get(job.job_id).done) == (JobState.RUNNING, 1)


def test_a_job_that_kills_every_process_fails(jobs, leases, started, engine):
    job = jobs.create(new_job())
    for number in range(MOST_DEATHS):
        assert leases(f"dead-{number}").claim({"count"})
        pass_time(engine, 1)
    started({"count": lambda *_: {}}, "alive")
    assert ended(jobs, job).failure.code == "job_interrupted"


_DOOMED = """
import sys, time
from datetime import timedelta
from app.database.engine import open_engine
from app.jobs.leases import Leases
from app.jobs.runner import JobRunner
from app.jobs.store import JobStore

def work(parameters, progress):
    progress.refuse("kept", "no_face", "")
    progress.advance(7, total=9, checkpoint={"at": 7})
    progress.refuse("forgotten", "no_face", "")
    print("working", flush=True)
    time.sleep(600)

engine = open_engine(sys.argv[1])
leases = Leases(engine, owner="doomed", place="here", lease=timedelta(seconds=2))
JobRunner(JobStore(engine), leases, {"count": work}, lease_seconds=2, keep=timedelta(days=1)).start()
time.sleep(600)
"""


@pytest.fixture
def doomed(engine):
    """A separate process that runs the job until it is killed."""
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-c", _DOOMED, url], stdout=subprocess.PIPE, env=dict(os.environ))
    yield process
    process.kill()
    process.communicate()


def test_after_a_kill_another_process_goes_on(jobs, started, doomed_job, doomed):
    assert any(line == b"working\n" for line in doomed.stdout)  # the log's lines come too
    started({"count": lambda _, progress: dict(progress.checkpoint)}, "two")
    threading.Event().wait(3)  # longer than the lease: the living keep theirs
    assert jobs.get(doomed_job.job_id).state is JobState.RUNNING
    doomed.send_signal(signal.SIGKILL)
    done = ended(jobs, doomed_job)
    assert (done.state, done.result, done.attempts, done.errors) == (JobState.SUCCEEDED, {"at": 7}, 2, 1)
    assert [each.item for each in jobs.errors(done, after=0, limit=9).items] == ["kept"]


@pytest.fixture
def doomed_job(jobs):
    return jobs.create(new_job())
