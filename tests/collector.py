"""An OpenTelemetry collector: receives spans over OTLP/HTTP on a real socket."""

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """The received spans: parsed `requests` and `raw` bytes. It answers with `status` once `go` is set."""

    def __init__(self):
        self.requests, self.raw, self.paths = [], [], []
        self.status, self.go = 200, threading.Event()
        self.go.set()
        self.endpoint = ""

    def take(self, path, body):
        self.paths.append(path)
        self.raw.append(body)
        self.requests.append(ExportTraceServiceRequest.FromString(body))

    @property
    def resources(self):
        return [_plain(each.resource.attributes) for request in self.requests for each in request.resource_spans]

    @property
    def spans(self):
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def servers(self):
        """Return the spans of requests."""
        return [span for span in self.spans if span.kind == span.SPAN_KIND_SERVER]

    def children(self, parent):
        return [span for span in self.spans if span.parent_span_id == parent.span_id]


def attributes(span):
    return _plain(span.attributes)


def _plain(pairs):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in pairs}


@contextmanager
def collecting():
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(self.path, body)
            collector.go.wait(20)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        collector.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
