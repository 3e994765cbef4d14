"""The client covers all routes and all members of answers in the OpenAPI document of the service."""

import inspect
import re
from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import httpx2
import pytest

from app.main import create_app
from arcid import Client, errors
from arcid.liveness import ChallengeFrame, LivenessChallenge
from arcid.parsing import Value
from tests.client.conftest import methods_of

# CompreFace's and DeepFace's routes; people sign in on a page; Prometheus reads the last one.
_CAMERAS = r"cameras.*|watch/.*"
_DELIVERY = r"destinations.*"  # arcid destinations
_REVIEWS = r"collections/\{collection\}/(groups|unknown-faces|reviews).*"  # on the page
LEFT_OUT = re.compile(rf"^/(api/v1/.*|deepface/.*|sign-in.*|sessions.*|metrics|{_DELIVERY}|{_CAMERAS}|{_REVIEWS})$")
SAMPLES: dict[str, object] = {
    "photo": b"photo",
    "photos": b"photo",
    "probe": b"photo",
    "embedding": [1.0],
    "collection": "staff",
    "identity_id": "ada",
    "into": "bob",
    "face_id": "f",
    "face_ids": ["f"],
    "job_id": "j",
    "key_id": "k",
    "scopes": ["recognise"],
    "name": "staff",
    "model": "m",
    "source": b"PK",
    "upload_id": "u",
    "length": 1,
    "data": b"P",
    "offset": 0,
    "challenge": LivenessChallenge("c", "n", "staff", ("turn_left",), datetime.now(UTC), 10),
    "event_id": "e",
    "rule_id": "r",
    "frames": [ChallengeFrame(b"photo", 0)],
}
MODULES = [
    import_module(f"arcid.{name}")
    for name in (
        *("administration", "answers", "attributes", "errors", "events", "figures", "health"),
        *("job", "liveness", "migration", "resources", "status", "upload"),
    )
]
OPTIONS: dict[str, dict[str, object]] = {
    "collections.patch": {"flip": True},
    "identities.patch": {"name": "Ada"},
    "rules.patch": {"name": "Ada"},
}

PAGES = {
    "CollectionsPage",
    "IdentitiesPage",
    "FacesPage",
    "JobsPage",
    "JobErrorsPage",
    "KeysPage",
    "EventsPage",
    "RulesPage",
}  # arcid.resources.Page
OF_COMPREFACE = {
    *("BoxSchema", "CompreFaceError", "DeletedAnswer", "DetectionAnswer", "EmbeddingAnswer", "EmbeddingLikeness"),
    *("EmbeddingRecognitionAnswer", "EmbeddingSubjects", "ExampleSchema", "ExamplesPage", "FaceVerificationAnswer"),
    *("MatchSchema", "PairAnswer", "PairSchema", "RecognisedSchema", "RecognitionAnswer", "SubjectAnswer"),
    *("SubjectLikeness", "SubjectsAnswer", "TimesSchema", "UpdatedAnswer", "VersionsSchema"),
    *("CompreFaceFace", "PluginAge", "PluginGender", "PluginMask", "PluginPose"),
}
OF_DEEPFACE = {
    *("DeepFaceError", "DeepFaceVerifyAnswer", "FacialAreaSchema", "FacialAreasSchema", "RepresentAnswer"),
    "RepresentationSchema",
}
OF_PAGES = {"ProviderSchema", "SessionSchema", "SessionsSchema", "SignInAddress", "SignInOptions", "StartedSession"}
OF_PAGES |= {"DecisionAnswer", "ReferenceDatabaseSchema", "ReviewCandidateSchema", "ReviewDecisionSchema"}
OF_PAGES |= {"ReviewSchema", "ReviewUseSchema", "ReviewsPage"}
OF_PAGES |= {"GroupPurge", "GroupSchema", "GroupsAnswer", "UnknownFaceSchema", "UnknownFacesPage"}
OF_CAMERAS = {  # left out with their routes
    *("CameraSchema", "CameraStatusSchema", "CamerasPage", "FramesAnswer", "PostedFrameSchema", "SightingSchema"),
}
OF_DELIVERY = {
    *("DeliveriesPage", "DeliverySchema", "DestinationSchema", "DestinationWithSecret", "DestinationsSchema"),
    *("QueuedTest", "Replayed"),
}
OF_OTHERS = OF_COMPREFACE | OF_DEEPFACE | OF_PAGES | OF_CAMERAS | OF_DELIVERY
UNNEEDED = {
    "ProblemSchema": "read by arcid.retries.api_error, member by member",
}


@pytest.fixture(scope="module")
def document(settings) -> dict[str, Any]:
    return create_app(settings).openapi()


def requests_of_all_methods() -> list[tuple[str, str]]:
    """Call every method with samples of its required parameters; return the HTTP methods and paths that it sends."""
    sent = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path.startswith("/v1/")
        sent.append((request.method, request.url.path.removeprefix("/v1")))
        return httpx2.Response(404)

    client = Client(transport=httpx2.MockTransport(refuse), retries=0)
    for name, method in methods_of(client).items():
        required = [
            parameter.name
            for parameter in inspect.signature(method).parameters.values()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        ]
        samples = {name: "/nowhere" if name == "to" else SAMPLES[name] for name in required}
        with pytest.raises(errors.NotFound):
            list(method(**samples | OPTIONS.get(name, {})))
    return sent


def test_every_route_has_a_method(document):
    sent = requests_of_all_methods()
    for path, operations in document["paths"].items():
        if LEFT_OUT.match(path):
            continue
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for method in operations:
            assert any(sent_method == method.upper() and pattern.fullmatch(url) for sent_method, url in sent), (
                method,
                path,
            )


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
        name: member
        for module in MODULES
        for name, member in vars(module).items()
        if isinstance(member, type) and issubclass(member, Value) and member is not Value
    }


def dataclass_fields(value: Any) -> tuple[Field[Any], ...]:
    return fields(value)


def answered(document) -> dict[str, dict[str, Any]]:
    """Return all schemas that occur in answers."""
    schemas = document["components"]["schemas"]
    pending = [
        schema
        for operations in document["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for schema in re.findall(r"#/components/schemas/(\w+)", str(content))
    ]
    used: dict[str, dict[str, Any]] = {}
    while pending:
        name = pending.pop()
        if name not in used:
            used[name] = schemas[name]
            pending += re.findall(r"#/components/schemas/(\w+)", str(schemas[name]))
    return used


def checked(document) -> dict[str, tuple[dict[str, Any], list[type[Value]]]]:
    """Return the schemas that the client parses, each with the values that have exactly its members."""
    members = {value: {field.name for field in dataclass_fields(value)} - {"etag"} for value in values().values()}
    return {
        name: (schema, [value for value, names in members.items() if names == set(schema["properties"])])
        for name, schema in answered(document).items()
        if "properties" in schema and name not in OF_OTHERS | UNNEEDED.keys()
    }


def test_every_member_of_an_answer_is_read(document):
    seen = set()
    for name, (schema, matching) in checked(document).items():
        if name in PAGES:
            assert len(schema["properties"].keys() - {"total"}) == 2, name
        else:
            assert matching, name
            seen |= {value.__name__ for value in matching}
    assert seen == set(values())


def test_what_the_document_may_leave_out_has_a_default(document):
    for name, (schema, matching) in checked(document).items():
        optional = set(schema["properties"]) - set(schema.get("required", ()))
        for value in matching:
            with_default = {field.name for field in dataclass_fields(value) if field.default is not MISSING}
            always_sent = {"status"} if name == "Health" else set()
            assert optional - with_default <= always_sent, name


def test_every_field_of_a_request_is_a_parameter(document):
    schemas = document["components"]["schemas"]
    for schema, methods in {
        "EnrollRequestForm": "enroll",
        "VerifyRequestForm": "verify",
        "IdentifyRequestForm": "identify",
        "DetectRequestForm": "detect",
        "EmbedRequestForm": "embed",
        "SearchRequest": "search",
        "MergeRequest": "identities.merge",
        "MoveRequest": "faces.move",
        "MoveFacesRequest": "faces.move_several",
        "CollectionRequest": "collections.create",
        "CollectionChange": "collections.patch",
        "IdentityChange": "identities.patch",
        "KeyRequest": "keys.create",
        "RuleRequest": "rules.create",
        "RuleChange": "rules.patch",
        "ReembedRequest": "jobs.reembed",
        "SwitchRequest": "reembedding.switch",
        "RollbackRequest": "reembedding.roll_back",
    }.items():
        parameters = parameters_of(methods_of(Client())[methods])
        fields_ = {re.sub(r"_urls?$", "", name) for name in schemas[schema]["properties"]}
        assert fields_ <= parameters | {name.removesuffix("s") for name in parameters}, schema


def parameters_of(method) -> set[str]:
    """Return the names of the parameters of a method, including those of its `**kwargs`."""
    signature = inspect.signature(method).parameters
    unpacked = [
        parameter.annotation.__args__[0] for parameter in signature.values() if parameter.kind is parameter.VAR_KEYWORD
    ]
    return set(signature) | {name for typed_dict in unpacked for name in typed_dict.__annotations__}
