"""CPU time of two functions in comparison."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

_ROUNDS, _WARM_UP = 42, 2
_LEAST_ROUNDS = _WARM_UP + 5


def time_ratio(
    old: Callable[[Item], object],
    new: Callable[[Item], object],
    items: Sequence[Item],
    *,
    most_seconds: float = math.inf,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Return the median CPU time of `new` as a multiple of that of `old`, one item at a time and in turns.

    Args:
        old: Called with each item first.
        new: Called with each item second.
        items: Their arguments, which are repeated in this order.
        most_seconds: CPU time after which no further turn starts; at least seven turns are made.
        clock: CPU time of the process in seconds.
    """
    times: list[tuple[float, float]] = []
    began = clock()
    for turn in range(_ROUNDS):
        item = items[turn % len(items)]
        marks = [clock()]
        for work in (old, new):
            work(item)
            marks.append(clock())
        times.append((marks[1] - marks[0], marks[2] - marks[1]))
        if len(times) >= _LEAST_ROUNDS and marks[2] - began >= most_seconds:
            break
    before, after = (statistics.median(each) for each in zip(*times[_WARM_UP:], strict=True))
    return float(after / before)
