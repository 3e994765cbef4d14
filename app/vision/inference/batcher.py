"""Micro-batching: rows of concurrent callers share one run of a network, where a larger run costs little more.

Each row's future travels with it (no table from ids to futures), so that whoever leaves takes only their own along.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np

from app.errors import Overloaded, ShuttingDown
from app.observability.stages import add_stage
from app.types import Floats
from app.vision.inference.cancellation import on_cancel

_DRAIN_S = 1  # nobody waits any more when the services are closed, unless the grace was too short


class BatchFailed(RuntimeError):
    """The run that these rows were part of failed; its cause is the network's own error."""


@dataclass(frozen=True, slots=True)
class Batching:
    """At most `largest` rows a run; a row waits `wait_seconds` for company, and at most `most_waiting` rows wait.

    With `is_padded` a run has 1, 2, 4, 8 ... or `largest` rows: a GPU's libraries prepare themselves for each size.
    """

    largest: int = 32
    wait_seconds: float = 0.002
    most_waiting: int = 1024
    is_padded: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Rows that wait, runs so far by their rows (without padding), rows refused and rows dropped since the start."""

    waiting: int
    most_waiting: int
    sizes: Mapping[int, int]
    refused: int
    dropped: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: Floats
    started: float
    ended: float


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    rows: Floats
    since: float
    answer: "Future[_Answer]"


class Batcher:
    """Runs a network for many threads, one run at a time; while one is under way the next batch gathers."""

    def __init__(self, run: Callable[[Floats], Floats], batching: Batching) -> None:
        """`run` takes (n, ...) and gives (n, d); it is called by one thread, which starts with the first call."""
        self._run = run
        self._batching = batching
        self._changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._waiting = self._refused = self._dropped = 0
        self._sizes: Counter[int] = Counter()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def run(self, rows: Floats) -> Floats:
        """Return the network's (n, d) for `rows` (n, ...), n at least 1, in order; notes the stages `queue`, `infer`.

        Raises Overloaded at once when too many rows wait, ShuttingDown once closed, BatchFailed when the network
        failed, and CancelledError when the caller's work was cancelled (`cancellation`) before its turn.
        """
        items = self._enqueue(rows)

        def cancel() -> None:
            for each in items:
                each.answer.cancel()

        try:
            with on_cancel(cancel):
                answers = [each.answer.result() for each in items]
        finally:
            cancel()  # nothing, unless one failed: then the others are not wanted
        started = answers[0].started
        add_stage("queue", items[0].since, started)
        for each in {answer.started: answer for answer in answers}.values():
            add_stage("infer", each.started, each.ended)
        return answers[0].rows if len(answers) == 1 else np.concatenate([each.rows for each in answers])

    def state(self) -> State:
        """Return how it stands."""
        with self._changed:
            return State(
                waiting=self._waiting,
                most_waiting=self._batching.most_waiting,
                sizes=dict(self._sizes),
                refused=self._refused,
                dropped=self._dropped,
                is_closed=self._is_closed,
            )

    def close(self, seconds: float = _DRAIN_S) -> None:
        """Refuse new rows, run those that wait at once, and refuse what is left of them after `seconds`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)
        self._refuse_all()

    def _enqueue(self, rows: Floats) -> list[_Item]:
        if not len(rows):
            raise ValueError("a batch needs rows")
        largest, now = self._batching.largest, time.perf_counter()
        items = [_Item(rows[first : first + largest], now, Future()) for first in range(0, len(rows), largest)]
        with self._changed:
            if self._is_closed:
                raise ShuttingDown
            if self._waiting and self._waiting + len(rows) > self._batching.most_waiting:
                self._refused += len(rows)
                raise Overloaded(f"{self._waiting} faces wait for the network, the most allowed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
                self._thread.start()
            self._items.extend(items)
            self._waiting += len(rows)
            self._changed.notify()
        for each in items:
            each.answer.add_done_callback(partial(self._forget, each))
        return items

    def _forget(self, item: _Item, answer: "Future[_Answer]") -> None:
        """Free the place of rows that were cancelled while they waited."""
        if answer.cancelled():
            with self._changed:
                if item in self._items:
                    self._items.remove(item)
                    self._left(item)

    def _left(self, item: _Item) -> None:
        self._waiting -= len(item.rows)
        self._dropped += len(item.rows)

    def _work(self) -> None:
        try:
            while batch := self._next():
                self._compute(batch)
        finally:  # closed; or this thread dies, and nobody may wait for it
            with self._changed:
                self._is_closed = True
            self._refuse_all()

    def _next(self) -> list[_Item]:
        """Wait for a batch and take it; none once closed and drained."""
        with self._changed:
            while True:
                if self._items:
                    due = self._items[0].since + self._batching.wait_seconds - time.perf_counter()
                    if self._is_closed or self._waiting >= self._batching.largest or due <= 0:
                        if batch := self._take():
                            return batch
                    else:
                        self._changed.wait(due)
                elif self._is_closed:
                    return []
                else:
                    self._changed.wait()

    def _take(self) -> list[_Item]:
        """Take the first items that fit together, without those whose caller has gone."""
        batch: list[_Item] = []
        size = 0
        while self._items and size + len(self._items[0].rows) <= self._batching.largest:
            if batch and self._items[0].rows.shape[1:] != batch[0].rows.shape[1:]:
                break
            item = self._items.popleft()
            if item.answer.set_running_or_notify_cancel():
                batch.append(item)
                size += len(item.rows)
                self._waiting -= len(item.rows)
            else:
                self._left(item)
        return batch

    def _compute(self, batch: list[_Item]) -> None:
        size = sum(len(each.rows) for each in batch)
        with self._changed:
            self._sizes[size] += 1
        started = time.perf_counter()
        try:
            found = self._run(self._together(batch, size))
            if len(found) < size:
                raise ValueError(f"the network gave {len(found)} rows for {size}")  # noqa: TRY301 - told as the network's
        except Exception as error:  # noqa: BLE001 - the border: whatever failed, it is this batch's, and only its
            for each in batch:
                failure = BatchFailed("the network failed")
                failure.__cause__ = error
                each.answer.set_exception(failure)
            return
        ended, first = time.perf_counter(), 0
        for each in batch:
            each.answer.set_result(_Answer(found[first : first + len(each.rows)], started, ended))
            first += len(each.rows)

    def _together(self, batch: list[_Item], size: int) -> Floats:
        rows = [each.rows for each in batch]
        if self._batching.is_padded:
            run = min(1 << (size - 1).bit_length(), self._batching.largest)
            rows.append(np.zeros((run - size, *rows[0].shape[1:]), rows[0].dtype))
        return np.concatenate(rows)

    def _refuse_all(self) -> None:
        with self._changed:
            left = list(self._items)
            self._items.clear()
            self._waiting = 0
        for each in left:
            if each.answer.set_running_or_notify_cancel():
                each.answer.set_exception(ShuttingDown("the service stopped before this was done; try again"))
