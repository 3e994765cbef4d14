from dataclasses import fields
from datetime import UTC, datetime

import pytest

from arcid.answers import Candidate, IdentifyAnswer, Quality, ReferenceFace
from arcid.resources import Consent, Identity
from arcid.status import Readiness
from tests.client.conftest import Answers, client_of, json_answer

CANDIDATE = {
    "identity_id": "ada",
    "name": None,
    "face_id": "f",
    "faces": 2,
    "similarity": 1,
    "fmr": None,
    "fpir": 1e-7,
}
FACE = {
    "box": [1, 2.5, 3, 4],
    "landmarks": [[1, 2]] * 5,
    "detection_score": 0.9,
    "quality": {"score": 0.8, "reasons": ["blurred"]},
    "verdict": "match",
    "low_quality": False,
    "margin": None,
    "candidates": [CANDIDATE],
}


def test_nested_values_are_read_by_their_types():
    answer = IdentifyAnswer.from_json({"faces": [FACE], "threshold": 0.4, "model": "m"})
    (face,) = answer.faces
    assert face.box == (1.0, 2.5, 3.0, 4.0)
    assert all(isinstance(each, float) for each in face.box)
    assert face.landmarks == ((1.0, 2.0),) * 5
    assert face.quality == Quality(0.8, ("blurred",))
    assert face.candidates == (Candidate("ada", None, "f", 2, 1.0, None, 1e-7),)
    assert hash(answer) == hash(IdentifyAnswer.from_json({"faces": [FACE], "threshold": 0.4, "model": "m"}))


def test_what_a_newer_service_adds_is_passed_over():
    assert Quality.from_json({"score": 1, "reasons": ["new_reason"], "new": {"a": 1}}) == Quality(1.0, ("new_reason",))
    assert IdentifyAnswer.from_json({"faces": [{**FACE, "verdict": "perhaps"}], "threshold": 0, "model": "m"}).faces


def test_what_has_a_default_may_be_missing():
    assert ReferenceFace.from_json({}) == ReferenceFace(None, None, None, None, None, 1)


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        (Quality, {"score": 1}, KeyError),
        (Quality, {"score": "1", "reasons": []}, TypeError),
        (Quality, {"score": True, "reasons": []}, TypeError),
        (Quality, {"score": 1, "reasons": "blurred"}, TypeError),
        (Quality, {"score": 1, "reasons": [3]}, TypeError),
        (Quality, [], TypeError),
        (Candidate, {**CANDIDATE, "faces": 2.5}, TypeError),
        (Candidate, {**CANDIDATE, "faces": True}, TypeError),
        (IdentifyAnswer, {"faces": [{**FACE, "box": [1, 2, 3]}], "threshold": 0, "model": "m"}, ValueError),
        (Readiness, {"status": "ready", "checks": {"index": 3}}, TypeError),
        (Readiness, {"status": "ready", "checks": []}, AttributeError),
        (Consent, {"basis": "contract", "given_at": "soon"}, ValueError),
    ],
)
def test_what_is_of_another_type_is_said(kind, data, error):
    with pytest.raises(error):
        kind.from_json(data)


def test_moments_have_their_zone_and_come_back_as_they_went():
    consent = Consent("contract", datetime(2026, 5, 4, 9, 30, tzinfo=UTC), reference="F-17")
    assert consent.to_json() == {"basis": "contract", "given_at": "2026-05-04T09:30:00+00:00", "reference": "F-17"}
    assert Consent.from_json(consent.to_json()) == consent
    assert Consent.from_json({"basis": "contract", "given_at": "2026-05-04T09:30:00Z"}).given_at == consent.given_at


def test_the_version_comes_with_the_header_of_one_and_is_missing_in_lists():
    person: dict[str, object] = {each.name: None for each in fields(Identity)} | {
        "identity_id": "ada",
        "metadata": {"a": [1]},
        "faces": 1,
        "face_id": None,
        "has_image": False,
        "created_at": "2026-05-04T09:30:00Z",
        "updated_at": "2026-05-04T09:30:00Z",
        "first_faces": [],
    }
    with client_of(Answers(json_answer(200, {"ETag": '"7"'}, **person))) as client:
        assert client.identities.get("ada").etag == '"7"'
    with client_of(Answers(json_answer(200, identities=[person], next_cursor=None))) as client:
        assert client.identities.list().items[0].etag is None
