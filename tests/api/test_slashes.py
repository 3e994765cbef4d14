"""A slash at the end of a path leads nowhere, and above all to nothing that deletes."""

import pytest

from app.compreface.problems import PREFIX
from app.deepface.problems import PREFIX as DEEPFACE

BODY = {"content": b"{}", "headers": {"content-type": "application/json"}}


def operations(client):
    document = client.get("/openapi.json").json()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_no_path_is_redirected(client):
    seen = 0
    for method, path in operations(client):
        if path.startswith(PREFIX) or path.endswith("/identities/{identity_id}"):  # an id may end with a slash
            continue
        seen += 1
        given = path.replace("{collection}", "nowhere").replace("{", "").replace("}", "")
        answer = client.request(method, f"{given}/", **BODY, follow_redirects=False)
        assert answer.status_code in {404, 405, 422}, (method, path, answer.status_code)
        if path.startswith(DEEPFACE):
            assert answer.json()["arcid_code"] == "not_found"
            continue
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in {"not_found", "method_not_allowed", "request_invalid", "collection_unknown"}
        assert "location" not in answer.headers
    assert seen > 30


@pytest.mark.parametrize("name", ["", "/", "//", "/identities/", "/identities//", "/faces/", "/./"])
def test_no_spelling_deletes_a_collection(client, name):
    assert client.post("/collections", json={"name": "kept"}).status_code == 201
    try:
        if name:  # without a slash it is meant
            answer = client.delete(f"/collections/kept{name}")
            assert answer.status_code in {404, 405, 422}
        assert client.get("/collections/kept").status_code == 200
    finally:
        assert client.delete("/collections/kept").is_success


def test_other_paths_need_no_redirect(client):
    for path in ("/", "/docs", "/healthz"):
        assert client.get(path, follow_redirects=False).status_code == 200
    assert client.get("/docs/", follow_redirects=False).status_code == 404
