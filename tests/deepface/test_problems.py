"""Errors that no route makes, and those of all routes."""

import pytest

from app.api.http.errors import STATUS, status_of
from app.deepface.problems import reworded
from tests.api.test_errors import expect as expect_problem
from tests.deepface.asking import REPRESENT, VERIFY, expect


def test_unknown_routes_name_the_page(client):
    for path in ("/deepface/register", "/deepface/search", "/deepface/build/index", "/deepface/verify/"):
        assert "docs/deepface.md" in expect(client.post(path, json={}), 404, "not_found")
    assert "GET /deepface/verify" in expect(client.get(VERIFY), 405, "method_not_allowed")


def test_other_routes_answer_as_before(client):
    expect_problem(client.get("/deepfaces/verify"), 404, "not_found")


def test_a_body_is_read_as_everywhere(client):
    expect(client.post(REPRESENT), 400, "body_empty")
    expect(client.post(REPRESENT, content="{", headers={"content-type": "application/json"}), 400, "body_malformed")
    expect(
        client.post(REPRESENT, content="img=a", headers={"content-type": "text/plain"}), 415, "content_type_unsupported"
    )


@pytest.mark.parametrize("error", STATUS, ids=lambda error: error.__name__)
def test_every_error_has_a_form(error):
    problem = {"status": int(status_of(error)), "code": error.code, "detail": "because"}
    status, body = reworded(problem)
    assert status == (400 if problem["status"] == 422 else problem["status"])
    assert set(body) == {"error", "arcid_code"}


def test_invalid_fields_are_named():
    fields = [{"field": "img", "detail": "is required"}]
    problem = {"status": 422, "code": "request_invalid", "detail": "img: is required", "errors": fields}
    wanted = {"error": "img: is required", "arcid_code": "request_invalid", "errors": fields}
    assert reworded(problem) == (400, wanted)


def test_parameters_of_the_query_are_not_ignored(client):
    answer = client.post(f"{REPRESENT}?model_name=VGG-Face", json={"img": "data:,"})
    assert "query" in expect(answer, 400, "request_invalid")
