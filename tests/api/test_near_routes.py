"""Paths that other APIs have are answered with ours."""

import pytest

FACES = "the faces of an identity are at "


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("GET", "/collections/c/identities/ada/faces", 404, f"{FACES}/collections/c/faces?identity_id=ada"),
        ("POST", "/collections/default/identities/ada/faces", 405, "/collections/default/faces?identity_id=ada"),
        (
            "GET",
            "/v1/collections/default/identities/a%20b/faces/7",
            404,
            "/v1/collections/default/faces?identity_id=a%20b",
        ),
        ("POST", "/collections/staff/identify", 404, "send POST /identify with the field collection: 'staff'"),
        ("POST", "/recognize", 404, "there is no page or route at '/recognize'; send POST /identify"),
        ("POST", "/v1/compare", 404, "; send POST /v1/verify"),
        ("GET", "/people", 404, "; identities are at /collections/{collection}/identities"),
        ("GET", "/v1/health", 404, "; ask GET /v1/healthz or /v1/readyz"),
        ("GET", "/v1/identities", 404, "identities are at /v1/collections/{collection}/identities"),
    ],
)
def test_the_answer_says_where_to_find_it(client, method, path, status, hint):
    client.post("/collections", json={"name": "c"})
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(hint)


@pytest.mark.parametrize(
    "path", ["/collections/default/identities/ada", "/nothing", f"/collections/{'c' * 600}/identify"]
)
def test_other_paths_get_no_hint(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert ";" not in answer.json()["detail"]
