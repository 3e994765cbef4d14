"""The prefix /v1: every path below it is the path without it."""

import pytest

from app.api.http.versions import is_versioned
from tests.api.test_proxies import client_of

OWN = frozenset({"", "enroll", "collections", "api", "docs"})


@pytest.mark.parametrize(
    "path", ["/v1/enroll", "/v1/collections/a/faces", "/v1/api/v1/recognition/subjects", "/v1/docs"]
)
def test_own_paths_have_a_version(path):
    assert is_versioned(path, OWN)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1//enroll", "/v1/v1/enroll", "/v2/enroll", "/v1enroll", "/enroll"])
def test_other_paths_have_none(path):
    assert not is_versioned(path, OWN)


def test_the_prefix_reaches_the_same_route(client):
    made = client.post("/v1/collections", json={"name": "versioned"})
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/collections/versioned"
    assert client.get("/collections/versioned").json() == client.get("/v1/collections/versioned").json() == made.json()
    assert client.delete("/v1/collections/versioned").status_code == 204
    assert client.get("/v1/healthz").json() == {"status": "ok"}


def test_an_id_keeps_its_slashes(client, faces_of):
    sent = {"files": {"photos": faces_of[0]}, "data": {"identity_id": "v1/ada"}}
    assert client.post("/v1/enroll", **sent).status_code == 200
    at = "/v1/collections/default/identities"
    assert client.get(f"{at}/v1/ada").json()["identity_id"] == "v1/ada"
    assert client.get(f"{at}/v1%2Fada").json()["identity_id"] == "v1/ada"
    assert client.delete(f"{at}/v1/ada").status_code == 200


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nowhere", "/v1/v1/models", "/v2/models"])
def test_other_paths_are_unknown(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_proxy_may_serve_it_below_the_same_name():
    with client_of(root_path="/v1") as client:
        for path in ("/healthz", "/v1/healthz"):
            assert client.get(path).status_code == 200
        assert client.get("/v1/api/v1/nowhere").json()["arcid_code"] == "not_found"


def test_metrics_have_one_name_for_both_paths(client):
    client.get("/v1/models")
    assert 'route="/models"' in client.get("/metrics").text
    assert "/v1/models" not in client.get("/metrics").text
