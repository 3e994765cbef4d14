"""Batches of several callers: five guarantees, then bounds, order and counts."""

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Overloaded, ShuttingDown
from app.observability.stages import recording
from app.vision.inference.batcher import Batcher, BatchFailed, Batching
from app.vision.inference.cancellation import cancellable

FOREVER = 60.0


class Network:
    """Fake network: returns each number and its double, records batches, can wait for `go`, fails on `poison`."""

    def __init__(self, *, is_held=False, poison=None):
        self.batches, self.poison = [], poison
        self.go, self.entered = threading.Event(), threading.Semaphore(0)
        if not is_held:
            self.go.set()

    def run(self, batch):
        self.batches.append(batch[:, 0].tolist())
        self.entered.release()
        assert self.go.wait(20)
        if self.poison in self.batches[-1]:
            raise ValueError("a poisoned batch")
        return np.stack([batch[:, 0], batch[:, 0] * 2], axis=1)


def rows(*numbers):
    return np.array(numbers, np.float32)[:, None]


def answer(*numbers):
    return [[number, number * 2] for number in numbers]


class Callers:
    """Threads that each run some rows."""

    def __init__(self, batcher, pool):
        self.batcher, self._pool = batcher, pool
        self.cancellations = {}

    def ask(self, *numbers):
        """Run rows in a thread; return its future once the rows wait or the call has ended."""
        before, entered = self.batcher.state().waiting, threading.Event()

        def call():
            with cancellable() as cancellation:
                self.cancellations[numbers] = cancellation
                entered.set()
                return self.batcher.run(rows(*numbers)).tolist()

        future = self._pool.submit(call)
        entered.wait(5)
        until(lambda: future.done() or self.batcher.state().waiting != before or not self.batcher.state().waiting)
        return future


def until(is_so):
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def start():
    """Return a function from network and batching to callers. All of them are released at the end."""
    with ThreadPoolExecutor(32) as pool:
        begun = []

        def start(network, **batching):
            batcher = Batcher(network.run, Batching(**batching))
            begun.append((network, batcher))
            return Callers(batcher, pool)

        yield start
        for network, batcher in begun:
            network.go.set()
            batcher.close()


def held(start, **batching):
    """Return a network that is busy with row 0, and callers that wait for it."""
    network = Network(is_held=True)
    callers = start(network, wait_seconds=0, **batching)
    busy = callers.ask(0)
    assert network.entered.acquire(timeout=5)
    return network, callers, busy


# The five guarantees


def test_a_full_batch_goes_at_once(start):
    network = Network()
    callers = start(network, largest=4, wait_seconds=FOREVER)
    futures = [callers.ask(number) for number in range(4)]
    assert [each.result(5) for each in futures] == [answer(number) for number in range(4)]
    assert [sorted(batch) for batch in network.batches] == [[0, 1, 2, 3]]


def test_the_wait_flushes_a_batch_that_is_not_full(start):
    network = Network()
    callers = start(network, largest=100, wait_seconds=0.2)
    started = time.monotonic()
    first, second = callers.ask(1), callers.ask(2, 3)
    assert (first.result(5), second.result(5)) == (answer(1), answer(2, 3))
    assert 0.19 < time.monotonic() - started < 5
    assert network.batches == [[1, 2, 3]]


def test_a_failure_reaches_all_and_only_its_batch(start):
    network, callers, busy = held(start, largest=2)
    network.poison = 2
    futures = [callers.ask(number) for number in range(1, 6)]
    network.go.set()
    assert busy.result(5) == answer(0)
    assert network.batches == [[0], [1, 2], [3, 4], [5]]
    failures = [each.exception(5) for each in futures]
    assert [type(each) for each in failures] == [BatchFailed] * 2 + [type(None)] * 3
    assert failures[0] is not failures[1]
    assert all(isinstance(each.__cause__, ValueError) for each in failures[:2])
    assert callers.ask(9).result(5) == answer(9)


@pytest.mark.parametrize("gone", [(1,), (2, 3), (4,)])
def test_one_callers_cancellation_harms_nobody_and_its_rows_are_not_computed(start, gone):
    network, callers, busy = held(start, largest=10)
    futures = {numbers: callers.ask(*numbers) for numbers in [(1,), (2, 3), (4,)]}
    callers.cancellations[gone].cancel()
    with pytest.raises(CancelledError):
        futures.pop(gone).result(5)
    assert callers.batcher.state().waiting == 4 - len(gone)  # its place is free at once
    network.go.set()
    assert busy.result(5) == answer(0)
    assert {numbers: each.result(5) for numbers, each in futures.items()} == {
        numbers: answer(*numbers) for numbers in futures
    }
    assert network.batches == [[0], [number for numbers in futures for number in numbers]]
    assert callers.batcher.state().dropped == len(gone)


def test_what_is_computed_already_is_not_cancelled(start):
    network, callers, busy = held(start, largest=10)
    callers.cancellations[0,].cancel()
    network.go.set()
    assert busy.result(5) == answer(0)


def test_who_has_gone_before_asking_costs_nothing(start):
    network = Network()
    callers = start(network, wait_seconds=0.05)
    with cancellable() as cancellation:
        cancellation.cancel()
        with pytest.raises(CancelledError):
            callers.batcher.run(rows(1))
    assert callers.ask(2).result(5) == answer(2)
    assert network.batches == [[2]]


def test_a_stop_drains_what_waits_and_refuses_what_comes(start):
    network, callers, busy = held(start, largest=2)
    futures = [callers.ask(number) for number in range(1, 5)]
    closing = threading.Thread(target=callers.batcher.close)
    closing.start()
    until(lambda: callers.batcher.state().is_closed)
    with pytest.raises(ShuttingDown):
        callers.batcher.run(rows(9))
    network.go.set()
    closing.join(5)
    assert [each.result(5) for each in [busy, *futures]] == [answer(number) for number in range(5)]
    with pytest.raises(ShuttingDown):
        callers.batcher.run(rows(9))
    callers.batcher.close()


def test_a_stop_does_not_wait_for_the_wait(start):
    callers = start(Network(), largest=100, wait_seconds=FOREVER)
    future = callers.ask(1)
    callers.batcher.close()
    assert future.result(5) == answer(1)


def test_what_a_stop_cannot_drain_in_time_is_refused(start):
    network, callers, busy = held(start, largest=2)
    futures = [callers.ask(number) for number in range(1, 4)]
    callers.batcher.close(0.05)
    for each in futures:
        with pytest.raises(ShuttingDown):
            each.result(5)
    network.go.set()
    assert busy.result(5) == answer(0)
    assert network.batches == [[0]]


# Bounds and order


def test_a_full_queue_refuses_at_once(start):
    network, callers, busy = held(start, largest=2, most_waiting=3)
    waiting = [callers.ask(1, 2), callers.ask(3)]
    started = time.monotonic()
    with pytest.raises(Overloaded):
        callers.batcher.run(rows(4))
    assert time.monotonic() - started < 1
    assert callers.batcher.state().refused == 1
    network.go.set()
    assert [each.result(5) for each in [busy, *waiting]] == [answer(0), answer(1, 2), answer(3)]
    assert callers.ask(4).result(5) == answer(4)


def test_a_request_is_let_in_whole_or_not_at_all(start):
    network, callers, _ = held(start, largest=2, most_waiting=4)
    first = callers.ask(1, 2)
    with pytest.raises(Overloaded):
        callers.batcher.run(rows(3, 4, 5))
    assert callers.batcher.state().waiting == 2
    network.go.set()
    assert first.result(5) == answer(1, 2)
    assert [3] not in network.batches


def test_a_crowd_larger_than_the_queue_may_come_alone(start):
    callers = start(Network(), largest=2, wait_seconds=0, most_waiting=3)
    assert callers.ask(*range(9)).result(5) == answer(*range(9))


def test_more_rows_than_the_largest_batch_are_split_and_come_back_in_order(start):
    network = Network()
    callers = start(network, largest=4, wait_seconds=0)
    assert callers.ask(*range(11)).result(5) == answer(*range(11))
    assert [number for batch in network.batches for number in batch] == list(range(11))
    assert max(map(len, network.batches)) == 4


def test_one_failing_part_fails_its_request_and_drops_the_rest(start):
    network = Network(is_held=True, poison=0)
    callers = start(network, largest=1, wait_seconds=0)
    future = callers.ask(0, 1, 2)
    assert network.entered.acquire(timeout=5)
    network.go.set()
    assert isinstance(future.exception(5), BatchFailed)
    until(lambda: not callers.batcher.state().waiting)


def test_rows_of_another_shape_never_share_a_run(start):
    network, callers, _ = held(start, largest=10)
    pool = ThreadPoolExecutor(2)
    narrow = callers.ask(1)
    wide = pool.submit(callers.batcher.run, np.ones((1, 3), np.float32))
    until(lambda: callers.batcher.state().waiting == 2)
    network.go.set()
    assert narrow.result(5) == answer(1)
    assert wide.result(5).tolist() == answer(1)
    pool.shutdown()


def test_a_network_that_answers_too_few_rows_fails_its_callers():
    batcher = Batcher(lambda batch: batch[:1], Batching(largest=4, wait_seconds=0))
    with pytest.raises(BatchFailed):
        batcher.run(rows(1, 2))
    batcher.close()


def test_no_rows_are_refused_by_name():
    batcher = Batcher(Network().run, Batching())
    with pytest.raises(ValueError, match="rows"):
        batcher.run(rows(1)[:0])


@pytest.mark.parametrize(("count", "run"), [(1, 1), (2, 2), (3, 4), (5, 8), (9, 12), (12, 12)])
def test_padded_batches_have_few_sizes(count, run):
    network = Network()
    batcher = Batcher(network.run, Batching(largest=12, wait_seconds=0, is_padded=True))
    assert batcher.run(rows(*range(1, count + 1))).tolist() == answer(*range(1, count + 1))
    assert network.batches == [[*range(1, count + 1), *[0] * (run - count)]]
    assert batcher.state().sizes == {count: 1}
    batcher.close()


# State and stages


def test_a_callers_stages_have_its_wait_and_its_run():
    def slow(batch):
        time.sleep(0.02)
        return batch

    batcher = Batcher(slow, Batching(largest=10, wait_seconds=0.05))
    with recording() as stages:
        batcher.run(rows(1))
    batcher.close()
    assert list(stages) == ["queue", "infer"]
    assert 0.045 < stages["queue"] < 5
    assert 0.019 < stages["infer"] < 5


def test_the_state_counts_batches_by_size(start):
    network, callers, _ = held(start, largest=2)
    futures = [callers.ask(number) for number in range(1, 4)]
    assert callers.batcher.state().waiting == 3
    network.go.set()
    for each in futures:
        each.result(5)
    until(lambda: sum(callers.batcher.state().sizes.values()) == 3)
    assert callers.batcher.state().sizes == {1: 2, 2: 1}


def test_nothing_runs_before_the_first_call():
    before = threading.active_count()
    batcher = Batcher(Network().run, Batching())
    assert threading.active_count() == before
    batcher.close()


# Each caller gets exactly its own rows


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    largest=st.integers(1, 8),
    wait_ms=st.sampled_from([0, 1, 3]),
    is_padded=st.booleans(),
    threads=st.integers(1, 12),
)
def test_each_caller_gets_exactly_its_own_rows(sizes, largest, wait_ms, is_padded, threads):
    network = Network()
    batcher = Batcher(network.run, Batching(largest, wait_ms / 1000, most_waiting=1000, is_padded=is_padded))
    starts = np.cumsum([1, *sizes]).tolist()
    asked = [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=False)]
    with ThreadPoolExecutor(threads) as pool:
        got = list(pool.map(lambda numbers: batcher.run(rows(*numbers)).tolist(), asked))
    batcher.close()
    assert got == [answer(*numbers) for numbers in asked]
    assert sorted(number for batch in network.batches for number in batch if number) == list(range(1, starts[-1]))
    assert max(map(len, network.batches)) <= largest


def test_a_storm_of_calls_departures_and_failures_leaves_nobody_waiting(start):
    network = Network(poison=7)
    callers = start(network, largest=4, wait_seconds=0.001, most_waiting=60)
    rng = np.random.default_rng(5)

    def call(number):
        wanted = [1000 + number * 10 + k for k in range(number % 6 + 1)]
        if number % 17 == 0:
            wanted[0] = 7
        with cancellable() as cancellation:
            if number % 5 == 0:
                threading.Timer(delays[number], cancellation.cancel).start()
            try:
                assert callers.batcher.run(rows(*wanted)).tolist() == answer(*wanted)
            except (BatchFailed, CancelledError, Overloaded) as error:
                return type(error)
            return None

    delays = rng.random(400) * 0.005
    with ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(call, range(400), timeout=30))
    assert {None, BatchFailed} <= set(outcomes)
    assert all(outcomes[number] is not CancelledError for number in range(400) if number % 5)
    assert callers.batcher.state().waiting == 0
