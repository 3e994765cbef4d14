"""Traces for an OpenTelemetry collector. OpenTelemetry is an extra; only this file uses it, so import it lazily.

Attributes describe a request but never identify a person or client. They contain no path (it may contain the id of an
identity), no query, no client address and no error message.
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
    """Exports spans in the background. If the collector fails or the queue is full, only spans are lost."""

    def __init__(self, endpoint: str, *, ratio: float, service: str, version: str) -> None:
        """Start to export.

        Args:
            endpoint: URL of a collector; without a path, /v1/traces is appended.
            ratio: Share of requests to trace if the caller has not decided it (W3C traceparent).
            service: Name of the service in traces.
            version: Version of the service in traces.
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
        """Start the span of a request, within the caller's trace if `headers` (lower-case names) contain one."""
        trace_headers = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        context = TraceContextTextMapPropagator().extract(trace_headers, Context())
        method_name = method if method in _METHODS else "_OTHER"
        attributes: dict[str, str | int] = {"http.request.method": method_name, "url.scheme": scheme}
        attributes["server.address"] = server[0]
        if server[1] is not None:
            attributes["server.port"] = server[1]
        name = method_name if method_name in _METHODS else "HTTP"
        span = self._tracer.start_span(name, context, SpanKind.SERVER, attributes)
        return RequestSpan(self._tracer, span, name)

    def close(self, seconds: float = _FLUSH_S) -> None:
        """Send pending spans for at most `seconds`; the rest is lost."""
        # In a thread, because the library only limits the attempts of its exporter.
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(seconds)


class StageSpan:
    """A stage in a trace; see `stages.Span`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str, started: float) -> "StageSpan":
        """Start a stage inside this one."""
        if not self._span.is_recording():
            return self
        context = trace.set_span_in_context(self._span, Context())
        return StageSpan(self._tracer, self._tracer.start_span(name, context, start_time=_wall(started)))

    def end(self, ended: float, error: type[BaseException] | None = None) -> None:
        """End the stage; the trace contains only the class of an error."""
        if not self._span.is_recording():
            return
        if error is not None:
            self._span.set_attribute("error.type", error.__name__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(_wall(ended))


class RequestSpan(StageSpan):
    """The root span of a request."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span, method: str) -> None:
        super().__init__(tracer, span)
        self._method = method

    @property
    def trace_id(self) -> str:
        """Return the trace id, as shown in the log and by collectors."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def record_answer(self, route: str | None, status: int, code: str | None) -> None:
        """Record the outcome: route template (None for an unknown path), status, and the code of a problem."""
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if code is not None:
            self._span.set_attribute("arcid.problem", code)
        if status >= _SERVER_ERROR:
            self._span.set_attribute("error.type", code or str(status))
            self._span.set_status(Status(StatusCode.ERROR))

    def record_disconnect(self, route: str | None) -> None:
        """Record that the client disconnected before the answer."""
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("error.type", "client_disconnect")


def _wall(counter_time: float) -> int:
    """Convert a time of `time.perf_counter` to nanoseconds since 1970."""
    return time.time_ns() - round((time.perf_counter() - counter_time) * 1e9)
