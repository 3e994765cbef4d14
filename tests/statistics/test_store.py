from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import CollectionUnknown
from app.gallery.store.collections import CollectionRepository
from app.statistics.counts import Count, Operation, Series
from app.statistics.store import BucketCount, Selection, StatisticsStore
from tests.statistics.conftest import NOON

DAY = NOON // 24
ALL = Selection(0, NOON * 2, 24)


def verdict(collection, label="match", *, hour=NOON, operation=Operation.IDENTIFY):
    return Count(hour, collection, Series.VERDICT, operation, label)


def test_counts_add_up_over_writes_and_replicas(engine, store, new_collection):
    new_collection("staff")
    store.add({verdict("staff"): 2, verdict(None): 1})
    StatisticsStore(engine).add({verdict("staff"): 3, verdict("staff", "unknown"): 1})
    found = {(each.label, each.count) for each in store.sums(ALL)}
    assert found == {("match", 6), ("unknown", 1)}
    of_staff = store.sums(Selection(NOON, NOON, 1, "staff"))
    assert {(each.label, each.count) for each in of_staff} == {("match", 5), ("unknown", 1)}


def test_buckets_of_hours_and_days(store):
    store.add({verdict(None, hour=hour): 1 for hour in (NOON, NOON + 1, NOON + 12)})
    days = sorted((each.bucket, each.count) for each in store.sums(Selection(NOON, NOON + 12, 24)))
    assert days == [(DAY, 2), (DAY + 1, 1)]
    hours = [each.bucket for each in store.sums(Selection(NOON + 1, NOON + 12, 1))]
    assert sorted(hours) == [NOON + 1, NOON + 12]


def test_one_operation(store):
    store.add({verdict(None): 1, verdict(None, operation=Operation.VERIFY): 2})
    found = store.sums(Selection(NOON, NOON, 1, operation="verify"))
    assert found == [BucketCount(NOON, "verdict", "verify", "match", 2)]


def test_a_collection_that_does_not_exist(store):
    store.add({verdict("nothing"): 1})
    assert store.sums(ALL) == []
    with pytest.raises(CollectionUnknown):
        store.sums(Selection(0, NOON, 1, "nothing"))


def test_counts_go_with_their_collection(engine, store, new_collection):
    staff = new_collection("staff")
    new_collection("visitors")
    store.add({verdict("staff"): 2, verdict("visitors"): 3, verdict(None): 4})
    CollectionRepository(engine).delete(staff)
    assert sum(each.count for each in store.sums(ALL)) == 7
    new_collection("staff")
    assert store.sums(Selection(0, NOON, 1, "staff")) == []


def test_old_counts_are_deleted(store):
    store.add({verdict(None, hour=NOON - 1): 1, verdict(None, hour=NOON): 1})
    assert store.forget(NOON) == 1
    assert [each.bucket for each in store.sums(Selection(0, NOON, 1))] == [NOON]


def test_many_writers_lose_nothing(store, new_collection):
    for name in ("a", "b"):
        new_collection(name)
    counts = {verdict(name, str(label)): 1 for name in ("a", "b") for label in range(50)}

    def write(number: int) -> None:
        for _ in range(5):
            store.add(counts if number % 2 else dict(reversed(counts.items())))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert {each.count for each in store.sums(Selection(NOON, NOON, 1, "a"))} == {20}
