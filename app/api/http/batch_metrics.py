"""Metrics of batches, read from the batchers on each request to /metrics."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.vision.embedding import Embedder
from app.vision.inference.batcher import BatcherState

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_LABELS = ("model",)


class _Batches(Collector):
    def __init__(self, states: Mapping[str, BatcherState]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        sizes = HistogramMetricFamily("arcid_batch_size", "Crops in one run of the embedder.", labels=_LABELS)
        waiting = GaugeMetricFamily("arcid_batch_waiting", "Crops that wait for a run.", labels=_LABELS)
        limit = GaugeMetricFamily("arcid_batch_waiting_limit", "Most crops that may wait.", labels=_LABELS)
        refused = CounterMetricFamily("arcid_batch_refused", "Crops refused: too many waited.", labels=_LABELS)
        dropped = CounterMetricFamily("arcid_batch_dropped", "Crops whose client left first.", labels=_LABELS)
        for model, state in self._states.items():
            sizes.add_metric([model], _buckets(state.sizes), sum(size * runs for size, runs in state.sizes.items()))
            waiting.add_metric([model], state.waiting)
            limit.add_metric([model], state.most_waiting)
            refused.add_metric([model], state.refused)
            dropped.add_metric([model], state.dropped)
        return iter((sizes, waiting, limit, refused, dropped))


def _buckets(sizes: Mapping[int, int]) -> list[tuple[str, float]]:
    """Return the cumulative number of runs up to each size, as Prometheus expects."""
    bounds = [(f"{bound:.1f}", bound) for bound in _SIZES]
    found = [(name, float(sum(runs for size, runs in sizes.items() if size <= bound))) for name, bound in bounds]
    return [*found, ("+Inf", float(sum(sizes.values())))]


def add_batches(embedders: Mapping[str, Embedder], now: CollectorRegistry) -> None:
    """Add the batchers' metrics; none if batching is off."""
    states = {model: each.batcher.state() for model, each in embedders.items() if each.batcher is not None}
    if states:
        now.register(_Batches(states))
