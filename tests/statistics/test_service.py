from datetime import UTC, datetime, timedelta

import pytest

from app.statistics.counts import Operation
from app.statistics.service import BucketSize, StatisticsService
from tests.statistics.conftest import NOON

NOON_AT = datetime.fromtimestamp(NOON * 3600, UTC)
MIDNIGHT = NOON_AT.replace(hour=0)


@pytest.fixture
def service(store, clock):
    clock.hour = NOON + 0.5
    return StatisticsService(store, keep_days=90, clock=clock)


@pytest.fixture
def counted(store, recorder, clock):
    """Count requests: how many hours before half past noon."""

    def count(*hours_ago):
        now = clock.hour
        for each in hours_ago:
            clock.hour = now - each
            recorder.count(Operation.IDENTIFY, None, 0.1)
        clock.hour = now
        store.add(recorder.take())

    return count


def requests(report):
    return {start: sum(each.requests.values()) for start, each in report.buckets.items()}


def test_by_default_the_last_week_in_days(service, counted):
    counted(0, 1, 30, 24 * 7, 24 * 9)
    report = service.report(BucketSize.DAY)
    assert (report.since, report.until) == (MIDNIGHT - timedelta(days=7), MIDNIGHT + timedelta(days=1))
    assert requests(report) == {MIDNIGHT: 2, MIDNIGHT - timedelta(days=1): 1, MIDNIGHT - timedelta(days=7): 1}
    assert sum(report.total.requests.values()) == 4


def test_by_default_the_last_day_in_hours(service, counted):
    counted(0, 1, 1, 30)
    report = service.report(BucketSize.HOUR)
    assert (report.since, report.until) == (NOON_AT - timedelta(hours=24), NOON_AT + timedelta(hours=1))
    assert requests(report) == {NOON_AT: 1, NOON_AT - timedelta(hours=1): 2}


def test_buckets_are_oldest_first(service, counted):
    counted(0, 50, 100)
    assert list(service.report(BucketSize.DAY).buckets) == sorted(service.report(BucketSize.DAY).buckets)


def test_whole_buckets_of_a_time(service, counted):
    counted(0, 5, 24)
    since, until = NOON_AT - timedelta(hours=5), NOON_AT - timedelta(hours=1)
    assert requests(service.report(BucketSize.HOUR, since=since, until=until)) == {since: 1}
    assert requests(service.report(BucketSize.DAY, since=since, until=until)) == {MIDNIGHT: 2}


def test_not_before_what_is_kept(service):
    report = service.report(BucketSize.DAY, since=datetime(1970, 1, 1, tzinfo=UTC))
    assert report.since == MIDNIGHT - timedelta(days=90)
    assert report.is_truncated


def test_a_time_that_is_kept_is_answered_whole(service):
    assert not service.report(BucketSize.DAY).is_truncated
    assert not service.report(BucketSize.DAY, since=MIDNIGHT - timedelta(days=90)).is_truncated
    assert not service.report(BucketSize.HOUR, since=NOON_AT + timedelta(days=2)).is_truncated


def test_not_after_now(service):
    assert service.report(BucketSize.HOUR, until=datetime(2100, 1, 1, tzinfo=UTC)).until == NOON_AT + timedelta(hours=1)


@pytest.mark.parametrize("since", [NOON_AT + timedelta(days=2), NOON_AT + timedelta(days=9000)])
def test_a_time_that_has_not_begun_is_empty(service, counted, since):
    counted(0)
    report = service.report(BucketSize.DAY, since=since)
    assert (report.since, report.buckets, report.total.requests) == (report.until, {}, {})


def test_a_time_before_its_start_is_empty(service, counted):
    counted(0)
    report = service.report(BucketSize.HOUR, since=NOON_AT, until=NOON_AT - timedelta(days=1))
    assert (report.since, report.until, report.buckets) == (NOON_AT, NOON_AT, {})
