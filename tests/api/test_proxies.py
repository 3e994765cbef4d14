"""Trust in X-Forwarded headers, and the service's own address below a prefix."""

import pytest
from starlette.testclient import TestClient

from app.api.http.rates import client as account_of
from app.main import create_app
from tests.api.fakes import Identifying, services_of, settings_of
from tests.api.test_rates import Keys

PROXY = "10.0.0.7"


def client_of(*, peer=PROXY, keys=None, rates=None, **settings):
    services = services_of(Identifying())
    if keys is not None:
        services.access = keys
    app = create_app(settings_of(rates=rates, **settings), services)
    return TestClient(app, raise_server_exceptions=False, client=(peer, 40_000))


def servers(answer):
    return [each["url"] for each in answer.json()["servers"]]


def wrong_keys(client, *forwarded):
    """Return the statuses of wrong keys from these addresses, as the headers say it."""
    sent = [{"X-Api-Key": "wrong", "X-Forwarded-For": each} for each in forwarded]
    return [client.get("/models", headers=each).status_code for each in sent]


@pytest.mark.parametrize("peer", [PROXY, "127.0.0.1"])
def test_nobody_is_believed_by_default(peer, monkeypatch):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    with client_of(peer=peer, keys=Keys(), rates={"failures": "2/hour"}) as client:
        assert wrong_keys(client, "1.1.1.1", "2.2.2.2", "3.3.3.3") == [401, 401, 429]


def test_a_named_proxy_tells_clients_apart_and_forged_addresses_change_nothing():
    with client_of(keys=Keys(), rates={"failures": "1/hour"}, proxies=["10.0.0.0/8"]) as client:
        assert wrong_keys(client, "1.1.1.1", "2.2.2.2", "1.1.1.1") == [401, 401, 429]
        # The client wrote what stands left of the address that the proxy saw; a second proxy is skipped.
        assert wrong_keys(client, "9.9.9.9, 2.2.2.2", "8.8.8.8, 10.1.1.1, 1.1.1.1", "x, 1.1.1.1, 10.0.0.9") == [429] * 3


def test_a_prefix_is_only_believed_of_a_named_proxy():
    with client_of(peer="10.9.9.9", proxies=[PROXY]) as client:
        answer = client.get("/openapi.json", headers={"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.test"})
        assert servers(answer) == ["/v1"]


@pytest.mark.parametrize(
    "prefix", ["//evil.test", "evil", "/a/../b", "/a b", "/a\\b", "/%2e%2e", "/", "https://evil.test"]
)
def test_a_prefix_that_is_no_path_is_ignored(prefix):
    with client_of(proxies=[PROXY]) as client:
        assert servers(client.get("/openapi.json", headers={"X-Forwarded-Prefix": prefix})) == ["/v1"]


@pytest.mark.parametrize("kept", ["", "/faces"], ids=["taken away", "kept"])
@pytest.mark.parametrize("how", [{"root_path": "/faces"}, {"proxies": [PROXY]}], ids=["setting", "header"])
def test_a_prefix_is_known_everywhere(kept, how):
    sent = {"X-Forwarded-Prefix": "/faces"} if "proxies" in how else {}
    with client_of(keys=Keys(known=()), **how) as client:
        client.headers = sent
        assert servers(client.get(f"{kept}/openapi.json")) == ["/faces/v1"]
        assert servers(client.get(f"{kept}/v1/openapi.json")) == ["/faces/v1"]
        docs = client.get(f"{kept}/docs")
        assert 'src="docs/assets/' in docs.text
        assert 'src="web/docs.js"' in docs.text
        assert 'url: "openapi.json"' in client.get(f"{kept}/web/docs.js").text
        for path in ("/docs/assets/swagger-ui.css", "/", "/web/app.js", "/healthz", "/readyz"):
            assert client.get(f"{kept}{path}").status_code in {200, 503}
        for version in ("", "/v1"):
            assert client.get(f"{kept}{version}/models").status_code == 401
            answer = client.get(f"{kept}{version}/api/v1/recognition/subjects")
            assert (answer.status_code, answer.json()["arcid_code"]) == (401, "key_invalid")


def test_a_prefix_that_begins_as_an_own_path_is_taken_away():
    with client_of(root_path="/api") as client:
        assert client.get("/api/v1/nowhere").json()["arcid_code"] == "not_found"
        assert client.get("/healthz").status_code == 200


def test_a_location_has_the_prefix(client, settings):
    del client  # it created the database
    own = settings.model_copy(update={"server": settings.server.model_copy(update={"root_path": "/faces"})})
    with TestClient(create_app(own)) as below:
        answer = below.post("/faces/collections", json={"name": "below"})
        assert answer.headers["location"] == "/faces/collections/below"
        assert below.get(answer.headers["location"]).status_code == 200
        job = below.post("/jobs", json={"kind": "export", "collection": "below"})
        assert below.get(job.headers["location"]).json()["job_id"] == job.json()["job_id"]


def test_accounts_are_of_addresses():
    assert account_of({"client": ("10.0.0.7", 1)}) == PROXY
