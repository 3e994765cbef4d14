"""A service without API keys: which hosts it answers to, and which pages; with a key, neither matters."""

import pytest
from starlette.testclient import TestClient

from app.access.keys import NewKey, Scope
from app.api.http.keyless import Keyless
from app.container import Container
from app.errors import HostForbidden, OriginForbidden
from app.main import create_app

OWN = "localhost:8000"


def scope(host=OWN, *, server="127.0.0.1", **headers):
    given = [("host", host)] if isinstance(host, str) else [("host", each) for each in host]
    given += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return {"type": "http", "server": (server, 8000), "headers": [(k.encode(), v.encode()) for k, v in given]}


def keyless(*, hosts=("nas.local", "192.168.1.9", "FD00::0007"), origins=("https://app.example.com", "*")):
    return Keyless(hosts=hosts, origins=origins)


@pytest.mark.parametrize(
    ("host", "server"),
    [
        *((each, "127.0.0.1") for each in ("localhost", "LocalHost:8000", "localhost.", "a.b.localhost:1")),
        *((each, "172.17.0.2") for each in ("localhost:8000", "127.0.0.1", "127.8.9.1:80", "[::1]:8000")),
        *((each, "172.17.0.2") for each in ("nas.local:8000", "NAS.LOCAL", "192.168.1.9", "[fd00::7]:8000")),
        # By its address in the local network, with --insecure: no page can turn a name into that.
        *(("192.168.1.5:8000", each) for each in ("192.168.1.5", "::ffff:192.168.1.5")),
        ("[fd00::5]:8000", "fd00::5"),
    ],
)
def test_own_names_are_answered(host, server):
    keyless().require(scope(host, server=server))


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.test",
            "evil.test:8000",
            "localhost.evil.test",
            "evillocalhost",
            "127.0.0.1.evil.test",
            "nas.local.evil.test",
        ),
        *("192.168.1.5", "0.0.0.0:8000", "[::]", "172.17.0.3", "testserver", "x", "2130706433", "127.1", "0x7f.1"),
        *(
            "",
            " ",
            "localhost:8000:8000",
            "evil.test@localhost",
            "localhost/evil.test",
            "[evil.test]",
            "localhost,evil.test",
        ),
        *((), ("localhost", "evil.test"), ("evil.test", "localhost")),
    ],
)
def test_other_names_are_refused(host):
    with pytest.raises(HostForbidden):
        keyless().require(scope(host))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{OWN}"},
        {"origin": f"http://{OWN}", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://app.example.com", "sec_fetch_site": "cross-site"},
    ],
)
def test_own_and_named_pages_are_answered(headers):
    keyless().require(scope(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"origin": each}
            for each in ("http://evil.test", "null", "", "http://localhost:9000", "http://127.0.0.1:8000")
        ),
        *({"origin": each} for each in ("http://localhost", "https://app.example.com:8443", "*", OWN)),
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": f"https://{OWN}", "sec_fetch_site": "same-site"},
        {"sec_fetch_site": "anything"},
    ],
)
def test_other_pages_are_refused(headers):
    with pytest.raises(OriginForbidden):
        keyless().require(scope(**headers))


def test_a_key_ends_the_rule_within_a_second(settings):
    own = settings.model_copy(update={"server": settings.server.model_copy(update={"hosts": ()})})
    app = create_app(own)
    with TestClient(app, base_url="http://evil.test") as client:
        for method, path in (("GET", "/collections"), ("POST", "/enroll"), ("OPTIONS", "/jobs"), ("GET", "/readyz")):
            answer = client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (403, "host_forbidden")
        assert "arcid keys create" in client.get("/models").json()["detail"]
        assert client.get("/api/v1/recognition/subjects").json()["arcid_code"] == "host_forbidden"
        foreign = {"Host": "localhost", "Origin": "http://evil.test"}
        assert client.post("/enroll", headers=foreign).json()["code"] == "origin_forbidden"
        assert client.get("/readyz", headers={"Host": "localhost"}).status_code == 200
        assert client.get("/healthz").status_code == client.get("/docs").status_code == 200  # the same for everybody

        _, secret = Container(settings).keys.create(NewKey("first", [Scope.ADMIN]))
        app.state.services.access.refresh()  # as it does by itself after a second
        assert client.get("/collections").json()["code"] == "key_missing"
        answer = client.get("/collections", headers={"X-Api-Key": secret, "Origin": "http://evil.test"})
        assert answer.status_code == client.get("/readyz").status_code == 200
