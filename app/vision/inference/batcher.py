"""Micro-batching: concurrent callers share one run of a network, because a larger run costs little more.

The future of each row is queued with it (there is no table from ids to futures), so a caller that leaves removes only
its own rows.
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

_DRAIN_S = 1  # rows still wait at the end only if the grace period was too short


class BatchFailed(RuntimeError):
    """The run that contained these rows failed; the cause is the network's own error."""


@dataclass(frozen=True, slots=True)
class Batching:
    """Options of micro-batching.

    `largest`: most rows in a run. `wait_seconds`: longest time that a row waits for others. `most_waiting`: most rows
    in the queue. `is_padded`: pad a run to 1, 2, 4, 8 ... or `largest` rows, because a GPU's libraries prepare for each
    size.
    """

    largest: int = 32
    wait_seconds: float = 0.002
    most_waiting: int = 1024
    is_padded: bool = False


@dataclass(frozen=True, slots=True)
class BatcherState:
    """State of the queue: rows waiting, number of runs by size (without padding), rows refused and dropped so far."""

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
    """Queue in front of a network, for many threads. During a run the next batch is collected."""

    def __init__(self, run: Callable[[Floats], Floats], batching: Batching) -> None:
        """`run` maps (n, ...) to (n, d). It is called in a single thread, which starts with the first call."""
        self._run = run
        self._batching = batching
        self._changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._waiting = self._refused = self._dropped = 0
        self._sizes: Counter[int] = Counter()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def run(self, rows: Floats) -> Floats:
        """Return the network's output (n, d) for `rows` (n, ...), n at least 1. Notes the stages `queue` and `infer`.

        Raises:
            Overloaded: At once, if too many rows wait.
            ShuttingDown: If the batcher is closed.
            BatchFailed: If the network failed.
            CancelledError: If the caller's work was cancelled (`cancellation`) before its run.
        """
        items = self._enqueue(rows)

        def cancel() -> None:
            for item in items:
                item.answer.cancel()

        try:
            with on_cancel(cancel):
                answers = [item.answer.result() for item in items]
        finally:
            cancel()  # has an effect only if one failed; the others are then not needed
        started = answers[0].started
        add_stage("queue", items[0].since, started)
        for run in {answer.started: answer for answer in answers}.values():
            add_stage("infer", run.started, run.ended)
        return answers[0].rows if len(answers) == 1 else np.concatenate([answer.rows for answer in answers])

    def state(self) -> BatcherState:
        """Return the state of the queue."""
        with self._changed:
            return BatcherState(
                waiting=self._waiting,
                most_waiting=self._batching.most_waiting,
                sizes=dict(self._sizes),
                refused=self._refused,
                dropped=self._dropped,
                is_closed=self._is_closed,
            )

    def close(self, seconds: float = _DRAIN_S) -> None:
        """Refuse new rows, run the waiting ones at once, and refuse the rest after `seconds`."""
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
        for item in items:
            item.answer.add_done_callback(partial(self._forget, item))
        return items

    def _forget(self, item: _Item, answer: "Future[_Answer]") -> None:
        """Remove rows that were cancelled while they waited."""
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
        """Wait for the next batch and return it; [] once closed and drained."""
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
        """Return the first items that fit in one run, without those of callers that have left."""
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
        size = sum(len(item.rows) for item in batch)
        with self._changed:
            self._sizes[size] += 1
        started = time.perf_counter()
        try:
            results = self._run(self._together(batch, size))
            if len(results) < size:
                raise ValueError(f"the network gave {len(results)} rows for {size}")  # noqa: TRY301 - counts as its error
        except Exception as error:  # noqa: BLE001 - the border: every failure is that of this batch alone
            for item in batch:
                failure = BatchFailed("the network failed")
                failure.__cause__ = error
                item.answer.set_exception(failure)
            return
        ended, first = time.perf_counter(), 0
        for item in batch:
            item.answer.set_result(_Answer(results[first : first + len(item.rows)], started, ended))
            first += len(item.rows)

    def _together(self, batch: list[_Item], size: int) -> Floats:
        rows = [item.rows for item in batch]
        if self._batching.is_padded:
            run = min(1 << (size - 1).bit_length(), self._batching.largest)
            rows.append(np.zeros((run - size, *rows[0].shape[1:]), rows[0].dtype))
        return np.concatenate(rows)

    def _refuse_all(self) -> None:
        with self._changed:
            left = list(self._items)
            self._items.clear()
            self._waiting = 0
        for item in left:
            if item.answer.set_running_or_notify_cancel():
                item.answer.set_exception(ShuttingDown("the service stopped before this was done; try again"))
