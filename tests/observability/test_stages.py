import contextvars
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.observability.stages import add_stage, recording, server_timing, stage, traced


def test_a_stage_is_timed():
    with recording() as stages, stage("decode"):
        time.sleep(0.01)
    assert list(stages) == ["decode"]
    assert 0.01 <= stages["decode"] < 5


def test_a_stage_that_runs_again_is_summed():
    with recording() as stages:
        for _ in range(3):
            with stage("embed"):
                time.sleep(0.002)
        with stage("search"):
            pass
    assert list(stages) == ["embed", "search"]
    assert stages["embed"] >= 0.006


def test_a_stage_that_fails_is_timed_too():
    def fail() -> None:
        with stage("detect"):
            raise ValueError("no")

    with recording() as stages, pytest.raises(ValueError, match="no"):
        fail()
    assert "detect" in stages


def test_nobody_needs_to_record():
    with stage("decode"):
        pass
    with recording() as stages:
        pass
    with stage("decode"):
        pass
    assert stages == {}


def test_a_recording_inside_another_is_its_own():
    with recording() as outer:
        with recording() as inner, stage("inner"):
            pass
        with stage("outer"):
            pass
    assert (list(outer), list(inner)) == (["outer"], ["inner"])


def test_threads_belong_to_the_recording_whose_context_they_carry():
    def work(name: str) -> None:
        with stage(name):
            pass

    with recording() as stages, ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, work, "ours").result()
        pool.submit(work, "somebody's").result()
    assert list(stages) == ["ours"]


def test_server_timing_is_in_milliseconds():
    assert server_timing({"decode": 0.0015, "embed": 1.25}) == "decode;dur=1.50, embed;dur=1250.00"
    assert server_timing({}) == ""


class Span:
    """A fake span that records its children."""

    def __init__(self, name="request"):
        self.name, self.children, self.ended, self.error = name, [], None, None

    def child(self, name, started):
        assert started <= time.perf_counter()
        self.children.append(Span(name))
        return self.children[-1]

    def end(self, ended, error=None):
        assert self.ended is None
        self.ended, self.error = ended, error

    def tree(self):
        assert all(each.ended is not None for each in self.children)
        return {each.name: each.tree() for each in self.children}


def test_a_stage_that_is_over_may_be_noted():
    with recording() as stages:
        add_stage("queue", 1.0, 1.5)
        add_stage("queue", 2.0, 2.25)
    assert stages == {"queue": 0.75}
    add_stage("queue", 1, 2)


def test_stages_are_spans_within_each_other_also_in_threads():
    def work() -> None:
        with stage("embed"):
            add_stage("queue", time.perf_counter(), time.perf_counter())
            with stage("infer"):
                pass

    span = Span()
    with recording() as stages, traced(span), ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, work).result()
        with stage("search"):
            pass
    with stage("afterwards"):
        pass
    assert span.tree() == {"embed": {"queue": {}, "infer": {}}, "search": {}}
    assert list(stages) == ["queue", "infer", "embed", "search"]


def test_the_span_of_a_stage_that_fails_knows_the_errors_class_only():
    span = Span()
    with traced(span):
        with pytest.raises(ValueError, match="secret"), stage("decode"):
            raise ValueError("secret")
        with stage("detect"):
            pass
    assert [each.error for each in span.children] == [ValueError, None]
