"""Traces of the real service, received by a collector on a real socket."""

import sys
import time

import httpx2
import pytest

from app import __version__
from app.cli.demo import serving
from app.config import TracingSettings, read_settings
from app.errors import SettingsInvalid, TracingUnavailable
from app.wiring.clients import open_tracing, require_tracing
from tests.collector import attributes, collecting

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def traceparent(flags):
    return {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}


def traced(settings, endpoint, **more):
    tracing = TracingSettings(endpoint=endpoint, service_name="faces-test", **more)
    return serving(settings.model_copy(update={"tracing": tracing}), port=0)


@pytest.fixture(scope="module")
def collector(settings, portrait):
    """Return the traces of some requests, received until the service stopped."""
    with collecting() as collector:
        with traced(settings, collector.endpoint) as address, httpx2.Client(base_url=address, timeout=60) as client:
            fields = {"identity_id": "secret-ada", "name": "Secret Ada"}
            assert client.post("/enroll", files={"photos": portrait}, data=fields).status_code == 200
            output = {**traceparent("01"), "User-Agent": "secret-agent", "X-Request-ID": "secret-request"}
            requested = client.post("/identify", files={"photo": portrait}, headers=output)
            assert requested.status_code == 200
            assert client.get("/collections/default/identities/secret-ada").status_code == 200
            assert client.get("/collections/default/identities/secret-nobody").status_code == 404
            assert client.get("/secret-path?secret=query").status_code == 404
            assert client.get("/readyz", headers=traceparent("00")).status_code == 200
            unsampled = {"traceparent": f"00-{'c' * 32}-{PARENT}-00"}
            assert client.get("/models", headers=unsampled).status_code == 200
            assert client.get("/models", headers={"traceparent": "00-nonsense"}).status_code == 200
        yield collector


def named(collector, name):
    return [span for span in collector.servers() if span.name == name]


def test_spans_come_to_the_collectors_usual_path_before_the_service_ends(collector):
    assert set(collector.paths) == {"/v1/traces"}
    assert [span.name for span in collector.servers()] == [
        "POST /enroll",
        "POST /identify",
        "GET /collections/{collection}/identities/{identity_id:path}",
        "GET /collections/{collection}/identities/{identity_id:path}",
        "GET",
        "GET /models",
    ]


def test_the_callers_trace_is_gone_on_with(collector):
    (identify,) = named(collector, "POST /identify")
    assert (identify.trace_id.hex(), identify.parent_span_id.hex()) == (TRACE, PARENT)
    (enroll,) = named(collector, "POST /enroll")
    assert enroll.trace_id.hex() not in {TRACE, "0" * 32}
    assert enroll.parent_span_id == b""
    assert len({span.trace_id for span in collector.servers()}) == len(collector.servers())


def test_a_request_has_the_standards_attributes(collector):
    (identify,) = named(collector, "POST /identify")
    result = attributes(identify)
    assert result.pop("server.port") > 0
    assert result == {
        "http.request.method": "POST",
        "http.route": "/identify",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
    }


def test_the_stages_are_children_across_the_thread_border(collector):
    (identify,) = named(collector, "POST /identify")
    stages = {span.name: span for span in collector.children(identify)}
    assert {"wait", "decode", "detect", "align", "embed", "assess", "search"} <= set(stages)
    assert {span.name for span in collector.children(stages["embed"])} == {"infer"}
    assert {span.name for span in collector.children(stages["search"])} == {"database"}
    for each in stages.values():
        assert identify.start_time_unix_nano - 10**6 <= each.start_time_unix_nano
        assert each.start_time_unix_nano <= each.end_time_unix_nano <= identify.end_time_unix_nano + 10**6
        assert each.trace_id == identify.trace_id
        assert not each.attributes


def test_a_problem_is_named_by_its_code_and_is_the_clients(collector):
    result, missing = named(collector, "GET /collections/{collection}/identities/{identity_id:path}")
    assert "arcid.problem" not in attributes(result)
    assert attributes(missing)["arcid.problem"] == "identity_unknown"
    assert attributes(missing)["http.response.status_code"] == 404
    assert missing.status.code == missing.status.STATUS_CODE_UNSET
    (unknown,) = named(collector, "GET")
    assert "http.route" not in attributes(unknown)


def test_the_resource_names_service_and_version(collector):
    assert collector.resources
    for each in collector.resources:
        assert (each["service.name"], each["service.version"]) == ("faces-test", __version__)


def test_nothing_personal_is_sent(collector):
    assert b"secret" not in b"".join(collector.raw).lower()


def test_none_of_a_share_of_nothing_but_what_the_caller_wants(settings):
    with collecting() as collector:
        with traced(settings, f"{collector.endpoint}/own/path", ratio=0) as address:
            for _ in range(5):
                httpx2.get(f"{address}/models")
            httpx2.get(f"{address}/models", headers=traceparent("01"))
        assert [span.trace_id.hex() for span in collector.servers()] == [TRACE]
        assert collector.paths == ["/own/path"]


@pytest.mark.parametrize("collector_is", ["gone", "hanging", "failing"])
def test_a_collector_that_fails_neither_harms_nor_delays(settings, collector_is):
    with collecting() as collector:
        endpoint = "http://127.0.0.1:9" if collector_is == "gone" else collector.endpoint
        collector.status = 503
        if collector_is == "hanging":
            collector.go.clear()
        with traced(settings, endpoint) as address, httpx2.Client(base_url=address) as client:
            slowest = 0.0
            for _ in range(600):  # more than one batch, so the first is sent while requests continue
                started = time.monotonic()
                assert client.get("/models", headers=traceparent("01")).status_code == 200
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 4  # a request that waits for the collector takes the export timeout, 5 s
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 6


def test_off_unless_asked_for():
    assert open_tracing(read_settings()) is None


def test_asked_for_but_not_installed_says_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "app.observability.tracing", raising=False)
    require_tracing(read_settings())
    with pytest.raises(TracingUnavailable, match="extra 'tracing'"):
        require_tracing(read_settings(tracing={"endpoint": "http://collector:4318"}))


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://", "http://a b", "http://h/p?q"])
def test_what_is_no_collectors_address_is_refused(endpoint):
    with pytest.raises(SettingsInvalid, match="ARCID_TRACING__ENDPOINT"):
        read_settings(tracing={"endpoint": endpoint})
