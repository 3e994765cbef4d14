"""Metrics of checks of liveness, read from their log on each request to /metrics."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.recognition.liveness.record import LivenessCount, LivenessLog


class _Liveness(Collector):
    def __init__(self, counts: Mapping[LivenessCount, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        labels = ("operation", "mode", "verdict")
        faces = CounterMetricFamily("arcid_liveness", "Faces whose liveness was checked.", labels=labels)
        for key, count in self._counts.items():
            faces.add_metric([key.operation, key.mode, key.verdict], count)
        yield faces


def add_liveness(log: LivenessLog, now: CollectorRegistry) -> None:
    """Add the counts of verdicts; none before the first."""
    now.register(_Liveness(log.counts()))
