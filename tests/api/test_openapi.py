import re

from app.api.answers import EnrollAnswer, IdentifyAnswer, VerifyAnswer

PATHS = ("/enroll", "/verify", "/identify")


def test_both_forms_of_every_body_are_described(client):
    document = client.get("/openapi.json").json()
    for path in PATHS:
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert set(content) == {"multipart/form-data", "application/json"}
        form, as_json = (
            document["components"]["schemas"][content[kind]["schema"]["$ref"].rpartition("/")[2]]
            for kind in ("multipart/form-data", "application/json")
        )
        assert set(form["properties"]) == set(as_json["properties"])
        assert as_json["examples"]
    form = document["components"]["schemas"]["EnrollRequestForm"]
    assert form["properties"]["photos"]["items"]["format"] == "binary"


def test_answers_have_examples_that_fit(client):
    for answer in (EnrollAnswer, VerifyAnswer, IdentifyAnswer):
        (example,) = answer.model_json_schema()["examples"]
        answer.model_validate(example)


def test_errors_are_problems(client):
    document = client.get("/openapi.json").json()
    for path in PATHS:
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "400", "404", "409", "413", "415", "422"} <= set(responses)
        assert set(responses["422"]["content"]) == {"application/problem+json"}


def test_every_reference_resolves(client):
    answer = client.get("/openapi.json")
    names = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert names <= set(answer.json()["components"]["schemas"])


def test_the_interactive_documentation_needs_no_other_machine(client):
    page = client.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r"(?:src|href)=\"https?://", page.text)
    for asset in re.findall(r"(?:src|href)=\"(/[^\"]+)\"", page.text):
        assert client.get(asset).status_code == 200
