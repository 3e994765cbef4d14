from collections.abc import Iterable

import pytest

from app.statistics import counts
from app.statistics.counts import Count, Observation, Operation, Recorder, Series
from tests.statistics.conftest import NOON


def labels(recorder: Recorder) -> dict[tuple[Series, str], int]:
    return {(each.series, each.label): count for each, count in recorder.take().items()}


def test_a_request_counts_with_its_outcomes(recorder):
    outcomes = [
        Observation(Series.VERDICT, "match"),
        Observation(Series.VERDICT, "match"),
        Observation.of_quality(0.71),
    ]
    recorder.count(Operation.IDENTIFY, "staff", 0.005, outcomes)
    assert recorder.take() == {
        Count(NOON, "staff", Series.REQUEST, Operation.IDENTIFY, "0"): 1,
        Count(NOON, "staff", Series.VERDICT, Operation.IDENTIFY, "match"): 2,
        Count(NOON, "staff", Series.QUALITY, Operation.IDENTIFY, "14"): 1,
    }
    assert recorder.take() == {}


def test_hours_collections_and_operations_are_apart(recorder, clock):
    for hour, collection, operation in (
        (NOON, "staff", Operation.VERIFY),
        (NOON + 0.99, "staff", Operation.VERIFY),
        (NOON + 1, "staff", Operation.VERIFY),
        (NOON + 1, None, Operation.DETECT),
    ):
        clock.hour = hour
        recorder.count(operation, collection, 0.1)
    assert sorted(recorder.take().values()) == [1, 1, 2]


@pytest.mark.parametrize(("seconds", "place"), [(0, "0"), (0.005, "0"), (0.0051, "1"), (37.4, "22"), (1000, "23")])
def test_ranges_of_latency(recorder, seconds, place):
    recorder.count(Operation.EMBED, None, seconds)
    assert labels(recorder) == {(Series.REQUEST, place): 1}


@pytest.mark.parametrize(("score", "place"), [(0, "0"), (0.049, "0"), (0.05, "1"), (0.999, "19"), (1, "19")])
def test_ranges_of_quality(score, place):
    assert Observation.of_quality(score).label == place


def test_memory_is_bounded(recorder, monkeypatch):
    monkeypatch.setattr(counts, "_MOST", 10)

    def count(names: Iterable[int]) -> None:
        for number in names:
            recorder.count(Operation.SEARCH, f"c{number}", 0.1)

    count(range(100))
    count(range(5))
    taken = recorder.take()
    assert len(taken) == 10
    assert sum(taken.values()) == 15  # known ones still count


def test_what_could_not_be_written_counts_later(recorder):
    recorder.count(Operation.VERIFY, "staff", 0.1)
    taken = recorder.take()
    recorder.count(Operation.VERIFY, "staff", 0.1)
    recorder.give_back(taken)
    assert list(recorder.take().values()) == [2]
