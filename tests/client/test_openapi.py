"""The client against the service's own document: no route is forgotten, and no member of an answer."""

import inspect
import re
from dataclasses import MISSING, Field, fields
from typing import Any

import httpx2
import pytest

from app.main import create_app
from arcid import Client, answers, changes, errors, findings, resources, status, work
from arcid.reading import Value
from tests.client.conftest import methods_of

LEFT_OUT = re.compile(r"^/(api/v1/.*|metrics)$")  # CompreFace's routes; Prometheus reads the other
SAMPLES: dict[str, object] = {
    "photo": b"photo",
    "photos": b"photo",
    "probe": b"photo",
    "embedding": [1.0],
    "collection": "staff",
    "identity_id": "ada",
    "into": "bob",
    "face_id": "f",
    "job_id": "j",
    "name": "staff",
    "model": "m",
    "source": b"PK",
}
OPTIONS: dict[str, dict[str, object]] = {"collections.patch": {"flip": True}, "identities.patch": {"name": "Ada"}}

PAGES = {"CollectionsPage", "IdentitiesPage", "FacesPage", "JobsPage", "JobErrorsPage"}  # arcid.resources.Page
OF_COMPREFACE = {
    *("BoxSchema", "CompreFaceError", "DeletedAnswer", "DetectionAnswer", "EmbeddingAnswer", "EmbeddingLikeness"),
    *("EmbeddingRecognitionAnswer", "EmbeddingSubjects", "ExampleSchema", "ExamplesPage", "FaceVerificationAnswer"),
    *("MatchSchema", "PairAnswer", "PairSchema", "RecognisedSchema", "RecognitionAnswer", "SubjectAnswer"),
    *("SubjectLikeness", "SubjectsAnswer", "TimesSchema", "UpdatedAnswer", "VersionsSchema"),
    *("app__api__compreface__answers__FaceSchema",),
}
UNNEEDED = {
    "HTTPValidationError": "FastAPI's own form of an error, which the service never answers",
    "ValidationError": "as HTTPValidationError",
    "ProblemSchema": "read by arcid.attempts.problem_of, member by member",
}
RENAMED = {"app__api__answers__FaceSchema": "Face"}


@pytest.fixture(scope="module")
def document(settings) -> dict[str, Any]:
    return create_app(settings).openapi()


def requests_of_all_methods() -> list[tuple[str, str]]:
    """Call every method with a sample of each parameter that it needs; return method and path of what it sent."""
    sent = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        sent.append((request.method, request.url.path))
        return httpx2.Response(404)

    client = Client(transport=httpx2.MockTransport(refuse), retries=0)
    for name, method in methods_of(client).items():
        needed = [
            each.name
            for each in inspect.signature(method).parameters.values()
            if each.default is each.empty and each.kind is not each.VAR_KEYWORD
        ]
        given = {each: "/nowhere" if each == "to" else SAMPLES[each] for each in needed} | OPTIONS.get(name, {})
        with pytest.raises(errors.NotFound):
            list(method(**given))
    return sent


def test_every_route_has_a_method(document):
    sent = requests_of_all_methods()
    for path, operations in document["paths"].items():
        if LEFT_OUT.match(path):
            continue
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method in operations:
            assert any(said == method.upper() and pattern.fullmatch(to) for said, to in sent), (method, path)


def test_every_method_has_a_route(document):
    routes = [
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
        for path, operations in document["paths"].items()
        for method in operations
    ]
    for method, path in requests_of_all_methods():
        assert any(method == of_route and pattern.fullmatch(path) for of_route, pattern in routes), (method, path)


def values() -> dict[str, type[Value]]:
    return {
        name: each
        for module in (answers, changes, errors, findings, resources, status, work)
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, Value)
    }


def dataclass_fields(value: Any) -> tuple[Field[Any], ...]:
    return fields(value)


def answered(document) -> dict[str, dict[str, Any]]:
    """Return the schemas that answers are made of."""
    schemas = document["components"]["schemas"]
    wanted = [
        schema
        for operations in document["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for schema in re.findall(r"#/components/schemas/(\w+)", str(content))
    ]
    found: dict[str, dict[str, Any]] = {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = schemas[name]
            wanted += re.findall(r"#/components/schemas/(\w+)", str(schemas[name]))
    return found


def test_every_member_of_an_answer_is_read(document):
    known, seen = values(), set()
    for name, schema in answered(document).items():
        if name in OF_COMPREFACE or name in UNNEEDED or "properties" not in schema:  # enumerations have none
            continue
        if name in PAGES:
            assert len(schema["properties"]) == 2, name
            continue
        value = known[RENAMED.get(name, name.removesuffix("Schema"))]
        seen.add(value.__name__)
        ours = {each.name for each in dataclass_fields(value)} - {"etag"}  # of the header
        assert ours == set(schema["properties"]), name
    assert seen == set(known) - {"Value"}


def test_what_the_document_may_leave_out_has_a_default(document):
    for name, schema in answered(document).items():
        value = values().get(RENAMED.get(name, name.removesuffix("Schema")))
        if value is None or name in OF_COMPREFACE:
            continue
        optional = set(schema["properties"]) - set(schema.get("required", ()))
        with_default = {each.name for each in dataclass_fields(value) if each.default is not MISSING}
        assert optional - with_default <= ({"status"} if name == "Health" else set()), name  # it is always sent


def test_every_field_of_a_request_is_a_parameter(document):
    schemas = document["components"]["schemas"]
    for schema, methods in {
        "EnrollRequest": "enroll",
        "VerifyRequest": "verify",
        "IdentifyRequest": "identify",
        "DetectRequest": "detect",
        "EmbedRequest": "embed",
        "SearchRequest": "search",
        "MergeRequest": "identities.merge",
        "MoveRequest": "faces.move",
        "CollectionRequest": "collections.create",
        "CollectionChange": "collections.patch",
        "IdentityChange": "identities.patch",
        "ReembedRequest": "jobs.reembed",
        "SwitchRequest": "reembedding.switch",
        "RollbackRequest": "reembedding.roll_back",
    }.items():
        parameters = parameters_of(methods_of(Client())[methods])
        wanted = {re.sub(r"_urls?$", "", name) for name in schemas[schema]["properties"]}
        assert wanted <= parameters | {each.removesuffix("s") for each in parameters}, schema


def parameters_of(method) -> set[str]:
    """Return the names of a method's parameters, those of its `**kwargs` included."""
    signature = inspect.signature(method).parameters
    unpacked = [each.annotation.__args__[0] for each in signature.values() if each.kind is each.VAR_KEYWORD]
    return set(signature) | {name for each in unpacked for name in each.__annotations__}
