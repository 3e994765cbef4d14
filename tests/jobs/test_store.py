from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.access.trail import Trail
from app.database.audit import Actor, acting
from app.database.event_table import EventTable
from app.database.tables import JobTable
from app.errors import ArcidError, JobFinished, JobUnknown, Overloaded
from app.jobs import store as store_module
from app.jobs.job import Failure, JobProgress, JobState, Refusal
from tests.jobs.conftest import new_job


def pass_time(engine, seconds):
    """Let every lease be that much older."""
    with engine.begin() as connection:
        moved = datetime.now(UTC) - timedelta(seconds=seconds)
        connection.execute(update(JobTable).where(JobTable.leased_until.is_not(None)).values(leased_until=moved))


def test_a_job_is_asked_for_shown_and_in_the_trail(jobs, engine):
    new = new_job(face="only")
    with acting(Actor("door", "abc", "request-1")):
        made = jobs.create(new)
    found = jobs.get(new.job_id)
    assert found == made
    assert (found.kind, found.state, found.done, found.total, found.errors) == ("count", JobState.QUEUED, 0, None, 0)
    assert (found.parameters, found.actor) == ({"face": "only"}, Actor("door", "abc", "request-1"))
    (line,) = Trail(engine).lines()
    assert (line.entry.action, line.entry.subject, line.entry.actor) == ("job.created", new.job_id, "door")


def test_a_job_of_another_collection_is_not_seen(jobs):
    mine, other, of_none = (jobs.create(new_job(collection=name)) for name in ("mine", "other", None))
    page = jobs.page(after=0, limit=9, collections={"mine"})
    assert [each.job_id for each in page.items] == [mine.job_id]
    for each in (other, of_none):
        for use in (jobs.get, jobs.cancel):
            with pytest.raises(JobUnknown):
                use(each.job_id, {"mine"})
        assert jobs.get(each.job_id).state is JobState.QUEUED


def test_pages_and_states(jobs):
    made = [jobs.create(new_job()).job_id for _ in range(5)]
    jobs.cancel(made[1])
    first = jobs.page(after=0, limit=3)
    second = jobs.page(after=first.after, limit=3)
    assert [each.job_id for each in (*first.items, *second.items)] == made
    assert second.after is None
    cancelled = jobs.page(after=0, limit=3, state=JobState.CANCELLED)
    assert [each.job_id for each in cancelled.items] == [made[1]]


def test_as_many_wait_as_may(jobs, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_UNFINISHED", 2)
    first = jobs.create(new_job())
    jobs.create(new_job())
    with pytest.raises(Overloaded):
        jobs.create(new_job())
    jobs.cancel(first.job_id)
    jobs.create(new_job())


def test_the_limits_hold_for_jobs_that_are_asked_for_at_once(jobs, monkeypatch):
    def code_of(collection, is_alone):
        try:
            jobs.create(new_job(collection=collection), is_alone=is_alone)
        except ArcidError as error:
            return error.code
        return "created"

    with ThreadPoolExecutor(8) as pool:
        alone = list(pool.map(lambda _: code_of("people", is_alone=True), range(8)))
        assert sorted(alone) == ["created"] + 7 * ["job_under_way"]
        assert code_of("others", is_alone=True) == "created"
        monkeypatch.setattr(store_module, "MOST_UNFINISHED", 5)
        many = list(pool.map(lambda _: code_of("people", is_alone=False), range(8)))
    assert sorted(many) == 3 * ["created"] + 5 * ["overloaded"]


def test_a_job_is_claimed_once_the_oldest_first(jobs, leases):
    first, second = jobs.create(new_job()), jobs.create(new_job())
    one, two = leases("one"), leases("two")
    claims = [each.claim({"count"}) for each in (one, two, one)]
    assert [each and each.job.job_id for each in claims] == [first.job_id, second.job_id, None]
    assert jobs.get(first.job_id).state is JobState.RUNNING


def test_kinds_and_places_that_are_not_ones_own_are_left_alone(jobs, leases):
    jobs.create(new_job("other"))
    jobs.create(new_job(place="there"))
    assert leases().claim({"count"}) is None
    assert leases(place="there").claim({"count"}) is not None


def test_a_dead_process_job_goes_on_from_its_checkpoint(jobs, leases, engine):
    made = jobs.create(new_job())
    one, two = leases("one"), leases("two")
    claim = one.claim({"count"})
    one.note(claim, JobProgress(5, 9, 1, (Refusal(1, "a", "no_face", "none"),), {"at": 5}))
    one.note(claim, JobProgress(7, 9, 2, (Refusal(2, "b", "no_face", "none"),)))
    assert two.claim({"count"}) is None
    pass_time(engine, 1)
    again = two.claim({"count"})
    assert (again.checkpoint, again.deaths, again.job.attempts) == ({"at": 5}, 1, 2)
    assert jobs.get(made.job_id).errors == 1
    assert [each.item for each in jobs.errors(made, after=0, limit=9).items] == ["a"]
    # The first one lives after all: it changes nothing any more.
    assert one.heartbeat(claim) is one.state(claim) is one.note(claim, JobProgress(8, 9, 0)) is None
    assert not one.finish(claim, JobProgress(9, 9, 0), JobState.SUCCEEDED)
    assert not one.release(claim)
    two.note(again, JobProgress(6, 9, 1, (), {"at": 6}))
    pass_time(engine, 1)
    assert one.claim({"count"}).deaths == 1  # it made progress, so the deaths are not consecutive


def test_a_lease_from_before_the_clock_was_set_back_is_over(jobs, leases, engine):
    jobs.create(new_job())
    assert leases("one").claim({"count"}) is not None
    assert leases("two").claim({"count"}) is None
    pass_time(engine, -3600)
    assert leases("two").claim({"count"}) is not None


def test_what_is_released_is_taken_up_at_once(jobs, leases):
    jobs.create(new_job())
    one, two = leases("one"), leases("two")
    assert one.release(one.claim({"count"}))
    claim = two.claim({"count"})
    assert (claim.deaths, claim.job.attempts) == (0, 2)
    assert two.release(claim, timedelta(seconds=60))
    assert one.claim({"count"}) is None


def test_a_lease_that_is_renewed_lasts(jobs, leases):
    jobs.create(new_job())
    one = leases("one")
    claim = one.claim({"count"})
    for _ in range(3):
        assert one.heartbeat(claim) is JobState.RUNNING
    assert leases("two").claim({"count"}) is None


def test_cancelling(jobs, leases, engine):
    waiting, running = jobs.create(new_job()), jobs.create(new_job())
    assert jobs.cancel(waiting.job_id).state is JobState.CANCELLED
    one = leases()
    claim = one.claim({"count"})
    assert claim.job.job_id == running.job_id
    assert jobs.cancel(running.job_id).state is JobState.CANCELLING
    assert jobs.cancel(running.job_id).state is JobState.CANCELLING
    assert one.state(claim) is one.heartbeat(claim) is JobState.CANCELLING
    assert one.finish(claim, JobProgress(1, 2, 0), JobState.CANCELLED)
    for each in (waiting, running):
        with pytest.raises(JobFinished, match="cancelled"):
            jobs.cancel(each.job_id)
    with pytest.raises(JobUnknown):
        jobs.cancel("nothing")
    actions = [each.entry.action for each in Trail(engine).lines()]
    assert actions == ["job.created"] * 2 + ["job.cancelled"] * 2 + ["job.finished"]
    assert Trail(engine).verify().breaks == []


def test_what_came_of_it(jobs, leases, engine):
    good, bad = jobs.create(new_job()), jobs.create(new_job())
    one = leases()
    assert one.finish(one.claim({"count"}), JobProgress(2, 2, 0), JobState.SUCCEEDED, result={"n": 2})
    assert one.finish(
        one.claim({"count"}), JobProgress(1, 2, 0), JobState.FAILED, failure=Failure("no_face", "x" * 2000)
    )
    good, bad = jobs.get(good.job_id), jobs.get(bad.job_id)
    assert (good.state, good.result, good.failure) == (JobState.SUCCEEDED, {"n": 2}, None)
    assert bad.failure == Failure("no_face", "x" * 1024)
    assert good.started_at <= good.finished_at
    assert [each.entry.detail.get("code") for each in Trail(engine).lines()][-2:] == [None, "no_face"]


def test_what_ended_long_ago_is_forgotten(jobs, leases):
    ended, running = jobs.create(new_job()), jobs.create(new_job())
    one = leases()
    one.finish(one.claim({"count"}), JobProgress(1, 1, 1, (Refusal(1, "a", "c", "d"),)), JobState.SUCCEEDED)
    jobs.forget(timedelta(days=1))
    assert jobs.get(ended.job_id)
    jobs.forget(timedelta(seconds=-5))
    with pytest.raises(JobUnknown):
        jobs.get(ended.job_id)
    assert jobs.unfinished() == {running.job_id}


def test_the_end_of_a_job_is_an_event(jobs, leases, engine):
    succeeded, failed, cancelled = (jobs.create(new_job()) for _ in range(3))
    jobs.cancel(cancelled.job_id)
    one = leases()
    for state, failure in ((JobState.SUCCEEDED, None), (JobState.FAILED, Failure("internal_error", "Ada"))):
        one.finish(one.claim({"count"}), JobProgress(7, 7, 0), state, result={"name": "Ada"}, failure=failure)
    with engine.connect() as connection:
        found = connection.execute(select(EventTable.__table__).order_by(EventTable.id)).all()
    assert [(each.kind, each.key, each.data["state"]) for each in found] == [
        ("job.finished", f"job:{cancelled.job_id}", "cancelled"),
        ("job.finished", f"job:{succeeded.job_id}", "succeeded"),
        ("job.finished", f"job:{failed.job_id}", "failed"),
    ]
    data = {
        "job_id": failed.job_id,
        "kind": "count",
        "state": "failed",
        "done": 7,
        "errors": 0,
        "code": "internal_error",
    }
    assert found[2].data == data
