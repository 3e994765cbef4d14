"""GET /metrics and the metrics. Labels never hold names or ids of people."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from app import __version__
from app.api.http.batch_metrics import add_batches
from app.api.http.camera_metrics import add_cameras
from app.api.http.delivery_metrics import add_deliveries
from app.api.http.dependencies import AdmissionDependency, BodyBudgetDependency, ServicesDependency, WatchesDependency
from app.api.http.liveness_metrics import add_liveness
from app.api.http.permissions import ANY_KEY, needs
from app.container import Container
from app.errors import ArcidError
from app.recognition.challenges.presentation import Presentation
from app.recognition.identification import Identification
from app.recognition.verification import Verification

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_FACES = (0, 1, 2, 3, 5, 10, 20, 50, 100)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

router = APIRouter(tags=["status"])


class Metrics:
    """Counters and histograms of the application, from its start on."""

    def __init__(self) -> None:
        # A separate registry, so that two applications in one process (as in tests) do not add up.
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "arcid_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "arcid_request_seconds",
            "From a request's head to its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "arcid_stage_seconds",
            "Time of each stage in one request.",
            ("stage",),
            buckets=_STAGE_SECONDS,
            registry=self.registry,
        )
        self._wait = Histogram(
            "arcid_wait_seconds",
            "Time that requests waited for a slot.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._problems = Counter(
            "arcid_problems", "Answers that were a problem, by their code.", ("code",), registry=self.registry
        )
        self._rates_refused = Counter(
            "arcid_rates_refused", "Requests above a rate limit, by the limit.", ("limit",), registry=self.registry
        )
        self._fetched = Counter(
            "arcid_photos_fetched",
            "Photos named by URL, by outcome: ok, or a code.",
            ("outcome",),
            registry=self.registry,
        )
        self._rates_uncounted = Counter(
            "arcid_rates_uncounted", "Requests that Redis could not count.", registry=self.registry
        )
        self._abandoned = Counter(
            "arcid_abandoned", "Requests whose client left before the answer.", registry=self.registry
        )
        self._verdicts = Counter(
            "arcid_verdicts",
            "Verdicts, one for each face, pair or liveness challenge.",
            ("operation", "verdict"),
            registry=self.registry,
        )
        self._faces = Histogram(
            "arcid_faces_per_photo", "Faces in the photos sent to /identify.", buckets=_FACES, registry=self.registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float, stages: Mapping[str, float]) -> None:
        """Count an answer; `route` is the template of the path."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
        for name, each in stages.items():
            self._stages.labels(name).observe(each)

    def waited(self, seconds: float) -> None:
        """Count a wait for a slot."""
        self._wait.observe(seconds)

    def refused(self, code: str) -> None:
        """Count a problem."""
        self._problems.labels(code).inc()

    def rate_refused(self, limit: str) -> None:
        """Count a request above a rate limit: of its key, its quota or its address."""
        self._rates_refused.labels(limit).inc()

    def fetched(self, outcome: str) -> None:
        """Count a photo that a request named by URL."""
        self._fetched.labels(outcome).inc()

    def uncounted(self) -> None:
        """Count a request that the shared storage could not count."""
        self._rates_uncounted.inc()

    def abandoned(self) -> None:
        """Count a client that left."""
        self._abandoned.inc()

    def identified(self, identification: Identification) -> None:
        """Count the faces of a photo and their verdicts."""
        self._faces.observe(len(identification.faces))
        for face in identification.faces:
            self._verdicts.labels("identify", face.verdict.value).inc()

    def verified(self, verification: Verification) -> None:
        """Count a verdict."""
        self._verdicts.labels("verify", verification.verdict.value).inc()

    def presented(self, presentation: Presentation) -> None:
        """Count the verdict on an answer to a liveness challenge."""
        self._verdicts.labels("liveness", presentation.verdict.value).inc()


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


MetricsDependency = Annotated[Metrics, Depends(_metrics)]


@router.get(
    "/metrics",
    dependencies=[needs(ANY_KEY, is_about_all_collections=True)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_metrics(
    metrics: MetricsDependency,
    services: ServicesDependency,
    admission: AdmissionDependency,
    body_budget: BodyBudgetDependency,
    watches: WatchesDependency,
) -> Response:
    """Return the service's metrics in Prometheus' text format."""
    now = CollectorRegistry()
    for name, about, value in (
        ("arcid_work_running", "Requests that are running.", admission.running),
        ("arcid_work_running_limit", "Highest number of running requests.", admission.at_once),
        ("arcid_work_waiting", "Requests that wait for a slot.", admission.waiting),
        ("arcid_work_waiting_limit", "Highest number of waiting requests.", admission.most_waiting),
        ("arcid_body_bytes", "Bytes of request bodies in memory.", body_budget.held),
        ("arcid_body_bytes_limit", "Highest number of bytes of request bodies in memory.", body_budget.most_held),
        ("arcid_event_streams", "Open event streams of jobs.", len(watches)),
        ("arcid_event_streams_limit", "Highest number of open event streams.", watches.most),
    ):
        Gauge(name, about, registry=now).set(value)
    add_batches(dict(services.models.embedders), now)
    add_liveness(services.liveness_gate.log, now)
    add_cameras(services.camera_workers.all_watched(), now)
    add_deliveries(services.delivery_worker.counts.snapshot(), services.delivery_log, now)
    _indexes(services, now)
    _build(services, now)
    return Response(generate_latest(metrics.registry) + generate_latest(now), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _indexes(services: Container, now: CollectorRegistry) -> None:
    """Add the state of each collection's index, or that the database does not answer."""
    is_up = Gauge("arcid_database_up", "Whether the database answers.", registry=now)
    try:
        states = services.gallery.states()
    except ArcidError:
        is_up.set(0)
        return
    is_up.set(1)
    faces = Gauge("arcid_index_faces", "Faces in the index.", ("collection", "kind"), registry=now)
    behind = Gauge("arcid_index_revisions_behind", "Changes that the index lacks.", ("collection",), registry=now)
    lag = Gauge("arcid_index_lag_seconds", "How long the index has been behind.", ("collection",), registry=now)
    for each in states:
        faces.labels(each.collection, each.kind).set(each.indexed)
        behind.labels(each.collection).set(each.behind)
        lag.labels(each.collection).set(each.seconds_behind)


def _build(services: Container, now: CollectorRegistry) -> None:
    build = Gauge(
        "arcid_build_info",
        "Version and networks of the service; always 1.",
        ("version", "pack", "model", "detector", "provider"),
        registry=now,
    )
    network, provider = services.registry.default, services.models.runtime.provider.value
    build.labels(__version__, network.pack, network.model, network.detector, provider).set(1)
