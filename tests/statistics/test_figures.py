import random

import pytest

from app.statistics.counts import Observation, Operation, Recorder, Series
from app.statistics.figures import distribution, figures_of
from app.statistics.store import BucketCount

EDGES = (0.0, 1.0, 2.0, 4.0)


def test_nothing_counted():
    figures = figures_of([])
    assert (figures.requests, figures.verdicts, figures.refusals) == ({}, {}, {})
    assert figures.quality is figures.latency is None


def test_sums_by_name():
    figures = figures_of(
        [
            BucketCount(1, "request", "identify", "3", 2),
            BucketCount(2, "request", "identify", "4", 1),
            BucketCount(2, "request", "verify", "4", 5),
            BucketCount(1, "verdict", "identify", "match", 2),
            BucketCount(2, "verdict", "verify", "match", 3),
            BucketCount(2, "refusal", "verify", "no_face", 1),
        ]
    )
    assert figures.requests == {"identify": 3, "verify": 5}
    assert (figures.verdicts, figures.refusals) == ({"match": 5}, {"no_face": 1})
    assert figures.latency is not None
    assert figures.latency.count == 8


@pytest.mark.parametrize(
    ("counts", "mean", "median"),
    [({"0": 1}, 0.5, 0.5), ({"0": 1, "1": 1}, 1.0, 1.0), ({"1": 4}, 1.5, 1.5), ({"2": 2, "0": 2}, 1.75, 1.0)],
)
def test_inside_a_range_values_are_evenly_distributed(counts, mean, median):
    found = distribution(counts, EDGES, [0.5])
    assert found is not None
    assert (found.mean, found.percentiles) == (mean, [median])


def test_a_label_of_a_later_version_counts_in_the_last_range():
    found = distribution({"99": 1}, EDGES, [1.0])
    assert found is not None
    assert found.percentiles == [4.0]


@pytest.mark.parametrize("median_s", [0.02, 0.2, 2.0])
def test_percentiles_are_near_those_of_the_values(median_s):
    dice = random.Random(7)
    values = sorted(dice.lognormvariate(0, 0.6) * median_s for _ in range(5000))
    recorder = Recorder()
    for each in values:
        recorder.count(Operation.IDENTIFY, None, each)
    counted = [
        BucketCount(0, each.series, each.operation, each.label, count) for each, count in recorder.take().items()
    ]
    latency = figures_of(counted).latency
    assert latency is not None
    true = [values[int(share * len(values))] for share in (0.5, 0.95, 0.99)]
    assert latency.percentiles == pytest.approx(true, rel=0.15)
    assert latency.mean == pytest.approx(sum(values) / len(values), rel=0.05)


def test_the_mean_quality_is_near_that_of_the_values():
    dice = random.Random(7)
    values = [dice.betavariate(5, 2) for _ in range(2000)]
    recorder = Recorder()
    recorder.count(Operation.ENROLL, None, 0.1, [Observation.of_quality(each) for each in values])
    counted = [
        BucketCount(0, each.series, each.operation, each.label, count)
        for each, count in recorder.take().items()
        if each.series is Series.QUALITY
    ]
    quality = figures_of(counted).quality
    assert quality is not None
    assert quality.mean == pytest.approx(sum(values) / len(values), abs=0.01)
