"""Validation errors name the field, the wrong value and what to send. Unknown query parameters are refused."""

import pytest


def refused(answer):
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "request_invalid"
    return problem["detail"]


def test_an_unknown_filter_is_refused_with_the_one_that_is_meant(client):
    detail = refused(client.get("/collections/default/faces", params={"identity": "ada"}))
    assert detail.startswith("query parameter identity: unknown parameter; did you mean identity_id? known are ")


def test_a_field_of_the_body_in_the_query_is_named(client, faceless):
    detail = refused(client.post("/identify?threshold=0.5", files={"photo": faceless}))
    assert detail == "query parameter threshold: unknown parameter; send it in the body"


def test_a_route_without_parameters_has_none(client):
    assert refused(client.get("/models", params={"x": "1"})).endswith("this route has none")


def test_probes_of_other_programs_may_add_parameters(client):
    assert client.get("/healthz", params={"x": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        ({"top_k": "abc"}, "top_k: must be a whole number, not 'abc'"),
        ({"top_k": "0"}, "top_k: must be at least 1, not '0'"),
        ({"landmarks": "perhaps"}, "landmarks: must be a boolean: true or false, not 'perhaps'"),
    ],
)
def test_a_wrong_value_of_a_form_is_named(client, faceless, data, detail):
    assert refused(client.post("/identify", files={"photo": faceless}, data=data)) == detail


def test_long_values_and_those_of_embeddings_are_not_repeated(client, faceless):
    assert refused(client.post("/identify", files={"photo": faceless}, data={"top_k": "9" * 400})).count("9") < 40
    assert "secret-vector" not in refused(client.post("/search", json={"embedding": ["secret-vector"]}))


def test_several_errors_come_in_one_sentence(client, faceless):
    detail = refused(client.post("/identify", files={"photo": faceless}, data={"top_k": "x", "threshold": "y"}))
    assert "top_k: " in detail
    assert "threshold: " in detail


@pytest.mark.parametrize(
    ("time", "detail"),
    [
        ("tomorrow", "expires_at: must be a date and time with its zone, such as 2027-01-31T12:00:00Z"),
        ("2030-01-02T00:00:00", "expires_at: lacks its time zone; end it with Z for UTC or an offset, such as "),
    ],
)
def test_a_wrong_time_in_a_body_is_told_what_it_lacks(client, faceless, time, detail):
    answer = client.post("/enroll", files={"photos": faceless}, data={"identity_id": "ada", "expires_at": time})
    assert refused(answer).startswith(detail)
