"""From counts to figures: totals, and percentiles of quality and latency. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.statistics.counts import QUALITIES, SECONDS, Series
from app.statistics.store import BucketCount

_LATENCIES = (0.0, *SECONDS, SECONDS[-1] * 2)
_SCORES = tuple(step / QUALITIES for step in range(QUALITIES + 1))


@dataclass(frozen=True, slots=True)
class Distribution:
    """A number of values, their mean, and the percentiles that were asked for."""

    count: int
    mean: float
    percentiles: Sequence[float]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a bucket. `quality` is of faces (0..1), `latency` of requests (seconds); None without any."""

    requests: Mapping[str, int]
    verdicts: Mapping[str, int]
    refusals: Mapping[str, int]
    quality: Distribution | None
    latency: Distribution | None


def figures_of(counts: Iterable[BucketCount]) -> Figures:
    """Return the figures of counts, over all their buckets."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    requests: Counter[str] = Counter()
    for each in counts:
        sums[each.series][each.label] += each.count
        if each.series == Series.REQUEST:
            requests[each.operation] += each.count
    return Figures(
        requests=dict(requests),
        verdicts=dict(sums[Series.VERDICT]),
        refusals=dict(sums[Series.REFUSAL]),
        quality=distribution(sums[Series.QUALITY], _SCORES, (0.1, 0.5, 0.9)),
        latency=distribution(sums[Series.REQUEST], _LATENCIES, (0.5, 0.95, 0.99)),
    )


def distribution(counts: Mapping[str, int], edges: Sequence[float], shares: Sequence[float]) -> Distribution | None:
    """Return the distribution of counts by range; None without any.

    Args:
        counts: The number of values in each range, by its place in the order.
        edges: The bounds of the ranges, one more than ranges.
        shares: The percentiles to return, 0..1. Inside a range, values are taken as evenly distributed.
    """
    sizes = [0] * (len(edges) - 1)
    for label, count in counts.items():
        sizes[min(int(label), len(sizes) - 1)] += count
    total = sum(sizes)
    if not total:
        return None
    middles = ((low + high) / 2 for low, high in pairwise(edges))
    mean = sum(size * middle for size, middle in zip(sizes, middles, strict=True)) / total
    return Distribution(total, mean, [_percentile(sizes, edges, share * total) for share in shares])


def _percentile(sizes: Sequence[int], edges: Sequence[float], rank: float) -> float:
    below = 0
    for place, size in enumerate(sizes):
        if size and below + size >= rank:
            return edges[place] + (edges[place + 1] - edges[place]) * (rank - below) / size
        below += size
    return edges[-1]
