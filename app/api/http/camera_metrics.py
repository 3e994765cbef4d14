"""Metrics of the cameras that this process watches, read on each request to /metrics."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.watch.watched_camera import WatchedCamera

_LABELS = ("camera",)


class _Cameras(Collector):
    def __init__(self, watched: Iterable[WatchedCamera]) -> None:
        self._counts = {each.camera.setup.camera_id: each.counts for each in watched}

    def collect(self) -> Iterator[Metric]:
        frames = CounterMetricFamily("arcid_camera_frames", "Frames that were searched for faces.", labels=_LABELS)
        dropped = CounterMetricFamily("arcid_camera_frames_dropped", "Frames that were left out.", labels=_LABELS)
        tracks = GaugeMetricFamily("arcid_camera_tracks", "People who are followed now.", labels=_LABELS)
        for camera, counts in self._counts.items():
            frames.add_metric([camera], counts.frames)
            dropped.add_metric([camera], counts.dropped)
            tracks.add_metric([camera], counts.open_tracks)
        return iter((frames, dropped, tracks))


def add_cameras(watched: Iterable[WatchedCamera], now: CollectorRegistry) -> None:
    """Add the frames and tracks of cameras."""
    now.register(_Cameras(watched))
