"""Metrics of the delivery of events, read on each request to /metrics."""

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.errors import ArcidError
from app.notify.delivery_log import DeliveryLog


class _Attempts(Collector):
    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        attempts = CounterMetricFamily("arcid_deliveries", "Attempts to deliver an event.", labels=("outcome",))
        for outcome in ("delivered", "failed", "dead"):
            attempts.add_metric([outcome], self._counts.get(outcome, 0))
        yield attempts


def add_deliveries(counts: Mapping[str, int], log: DeliveryLog, now: CollectorRegistry) -> None:
    """Add the attempts of this process, and what waits in the database, if it answers."""
    now.register(_Attempts(counts))
    try:
        backlog = log.backlog()
    except ArcidError:
        return
    age = 0.0 if backlog.oldest is None else max(time.time() - backlog.oldest.timestamp(), 0.0)
    for name, about, value in (
        ("arcid_deliveries_pending", "Deliveries of events that wait.", backlog.pending),
        ("arcid_deliveries_dead", "Dead letters.", backlog.dead),
        ("arcid_deliveries_oldest_seconds", "Age of the oldest delivery that waits.", age),
    ):
        Gauge(name, about, registry=now).set(value)
