import json
import re

import pytest

from app.api.schemas.answers import EnrollAnswer, VerifyAnswer
from app.api.schemas.identify_answers import IdentifyAnswer
from app.api.schemas.requests import JobRequest
from app.vision.quality import Reason

PATHS = ("/enroll", "/verify", "/identify")


def test_both_forms_of_every_body_are_described(client):
    document = client.get("/openapi.json").json()
    for path in PATHS:
        body = document["paths"][path]["post"]["requestBody"]
        ((kind, content),) = body["content"].items()
        assert kind == "multipart/form-data"
        form = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        as_json = body["x-json-body"]["schema"]
        assert set(form["properties"]) == set(as_json["properties"])
        assert as_json["examples"]
    form = document["components"]["schemas"]["EnrollRequestForm"]
    assert form["properties"]["photos"]["items"]["format"] == "binary"


@pytest.mark.parametrize("path", ["/search", "/api/v1/recognition/embeddings/recognize"])
def test_an_embedding_can_be_sent_as_in_the_example(client, path):
    document = client.get("/openapi.json").json()
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    (example,) = document["components"]["schemas"][schema.rpartition("/")[2]]["examples"]
    assert client.post(path, json=example).status_code == 200


def test_answers_have_examples_that_fit(client):
    for answer in (EnrollAnswer, VerifyAnswer, IdentifyAnswer):
        (example,) = answer.model_json_schema()["examples"]
        answer.model_validate(example)


@pytest.mark.parametrize("answer", [EnrollAnswer, VerifyAnswer, IdentifyAnswer])
def test_examples_show_every_field(answer):
    """A client that is written after the example knows all that an answer holds."""
    schema = answer.model_json_schema()

    def compare(part, example):
        options = [part, *part.get("anyOf", [])]
        named = [schema["$defs"][each["$ref"].rpartition("/")[2]] for each in options if "$ref" in each]
        (described,) = named or [part]
        if isinstance(example, dict) and "properties" in described:
            assert set(example) == set(described["properties"])
            for name, each in described["properties"].items():
                compare(each, example[name])
        elif isinstance(example, list):
            for each in example:
                compare(described.get("items", {}), each)

    (example,) = schema["examples"]
    compare(schema, example)


def test_the_reasons_of_a_poor_face_are_listed(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["Reason"]["enum"]) == set(Reason)
    assert schemas["QualitySchema"]["properties"]["reasons"]["items"] == {"$ref": "#/components/schemas/Reason"}


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


def test_bodies_without_photos_are_json_with_an_example(client):
    document = client.get("/openapi.json").json()
    bodies = [
        operation["requestBody"]["content"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    json_only = [each["application/json"]["schema"]["$ref"] for each in bodies if "application/json" in each]
    assert len(json_only) == 33
    for reference in json_only:
        assert document["components"]["schemas"][reference.rpartition("/")[2]]["examples"]


def test_generators_of_clients_can_read_each_schema(client):
    """Generators drop an array without `items`, and the properties next to a `oneOf` or `anyOf`."""

    def check(schema, place):
        if isinstance(schema, dict):
            assert schema.get("type") != "array" or {"items", "prefixItems"} & set(schema), place
            assert "properties" not in schema or not {"oneOf", "anyOf"} & set(schema), place
        nested = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
        for name, each in nested:
            check(each, f"{place}/{name}")

    document = client.get("/openapi.json").json()
    check(document["components"]["schemas"], "schemas")
    check(document["paths"], "paths")


def test_patterns_mean_the_same_in_every_language(client):
    r"""`\s`, `\d` and `\w` are other characters in Python, JavaScript, Rust and Go; lookarounds exist in some only."""
    patterns = re.findall(r'"pattern":("(?:[^"\\]|\\.)*")', client.get("/openapi.json").text)
    assert len(patterns) > 20
    assert [each for each in map(json.loads, patterns) if re.search(r"\\[sSdDwWbB]|\(\?(?!:)", each)] == []


def test_operations_have_short_names(client):
    document = client.get("/openapi.json").json()
    named = {
        operation["operationId"]: f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert len(named) == sum(map(len, document["paths"].values()))
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", each) for each in named)
    expected = {
        "enroll": "post /enroll",
        "getFace": "get /collections/{collection}/faces/{face_id}",
        "comprefaceVerify": "post /api/v1/verification/verify",
        "deepfaceVerify": "post /deepface/verify",
    }
    assert {each: named[each] for each in expected} == expected


def test_the_document_says_what_it_describes(client):
    document = client.get("/openapi.json").json()
    assert document["info"]["license"] == {"name": "Apache 2.0", "identifier": "Apache-2.0"}
    used = {tag for each in document["paths"].values() for operation in each.values() for tag in operation["tags"]}
    assert used == {each["name"] for each in document["tags"] if each["description"]}


def test_fields_of_requests_have_their_defaults_in_words(client):
    """openapi-typescript requires fields with a `default`."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("EnrollRequestForm", "SearchRequest"):
        collection = schemas[name]["properties"]["collection"]
        assert "default" not in collection
        assert collection["description"] == "Default: `default`."


@pytest.mark.parametrize("spelling", ["true", "True", "1", "on", "yes", "false", "False", "0", "off", "no"])
def test_a_boolean_of_a_form_has_the_spellings_of_the_document(client, spelling):
    flat = client.get("/openapi.json").json()["components"]["schemas"]["JobRequestForm"]["properties"]["flat"]
    text = next(each for each in flat["anyOf"] if each["type"] == "string")
    assert re.search(text["pattern"], spelling)
    assert isinstance(JobRequest.model_validate_strings({"kind": "export", "flat": spelling}).flat, bool)
