"""Traces for an OpenTelemetry collector. The only file that knows OpenTelemetry, which is an extra: import it late.

Attributes say how a request went, never whose it was: no path (it may hold an identity's id), no query, no address of a
client, no message of an error.
"""

import threading
import time
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_EXPORT_TIMEOUT_S = 5
_FLUSH_S = 1
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"})
_SERVER_ERROR = 500


class Tracing:
    """Sends spans in the background, at most so many as its queue holds; a collector that fails costs only spans."""

    def __init__(self, endpoint: str, *, ratio: float, service: str, version: str) -> None:
        """Begin to export to `endpoint`: a collector's address (then to its /v1/traces), or a whole URL with a path.

        `ratio` is the share of requests that are traced where the caller has not decided (W3C traceparent).
        """
        host = endpoint.partition("://")[2].partition("/")
        url = endpoint if host[2] else f"{endpoint.rstrip('/')}/v1/traces"
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=_EXPORT_TIMEOUT_S)))
        self._tracer = self._provider.get_tracer("arcid", version)

    def request(
        self, method: str, headers: Mapping[str, str], *, scheme: str, server: tuple[str, int | None]
    ) -> "RequestSpan":
        """Begin the span of a request, in its caller's trace if `headers` (names in lower case) say of one."""
        carried = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        context = TraceContextTextMapPropagator().extract(carried, Context())
        known = method if method in _METHODS else "_OTHER"
        attributes: dict[str, str | int] = {"http.request.method": known, "url.scheme": scheme}
        attributes["server.address"] = server[0]
        if server[1] is not None:
            attributes["server.port"] = server[1]
        name = known if known in _METHODS else "HTTP"
        span = self._tracer.start_span(name, context, SpanKind.SERVER, attributes)
        return RequestSpan(self._tracer, span, name)

    def close(self, seconds: float = _FLUSH_S) -> None:
        """Send what waits, for at most `seconds`; what is left then is lost."""
        # In a thread, since the library's own limit is that of its exporter's attempts.
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(seconds)


class StageSpan:
    """A stage; see `app.observability.stages.Span`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str, started: float) -> "StageSpan":
        """Begin a stage within this one."""
        if not self._span.is_recording():
            return self
        context = trace.set_span_in_context(self._span, Context())
        return StageSpan(self._tracer, self._tracer.start_span(name, context, start_time=_wall(started)))

    def end(self, ended: float, error: type[BaseException] | None = None) -> None:
        """End it; only the class of an error is told."""
        if not self._span.is_recording():
            return
        if error is not None:
            self._span.set_attribute("error.type", error.__name__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(_wall(ended))


class RequestSpan(StageSpan):
    """A whole request."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span, method: str) -> None:
        super().__init__(tracer, span)
        self._method = method

    @property
    def trace_id(self) -> str:
        """Return the trace's id, as the log has it and collectors show it."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def answered(self, route: str | None, status: int, code: str | None) -> None:
        """Say how it went: the route's template (None for a path that no route knows), status, a problem's code."""
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if code is not None:
            self._span.set_attribute("arcid.problem", code)
        if status >= _SERVER_ERROR:
            self._span.set_attribute("error.type", code or str(status))
            self._span.set_status(Status(StatusCode.ERROR))

    def abandoned(self, route: str | None) -> None:
        """Say that the client left before its answer."""
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("error.type", "client_disconnect")


def _wall(moment: float) -> int:
    """Turn a time of `time.perf_counter` into nanoseconds since 1970."""
    return time.time_ns() - round((time.perf_counter() - moment) * 1e9)
