import base64

import pytest

from app.gallery.store.values import CollectionSettings


def verify(client, **parts):
    files = {name: part for name, part in parts.items() if isinstance(part, bytes)}
    fields = {name: part for name, part in parts.items() if isinstance(part, str)}
    return client.post("/verify", files=files, data=fields)


@pytest.fixture(scope="module", autouse=True)
def _enrolled(client, faces_of, portrait):
    files = [("photos", ("a", portrait)), ("photos", ("b", faces_of[0]))]
    assert client.post("/enroll", files=files, data={"identity_id": "two-faced"}).status_code == 200


def test_a_photo_matches_itself(client, faces_of):
    answer = verify(client, probe=faces_of[0], reference=faces_of[0])
    assert answer.status_code == 200
    body = answer.json()
    assert body["verdict"] == "match"
    assert body["similarity"] == pytest.approx(1, abs=1e-4)
    assert 0 < body["threshold"] < 1
    assert body["model"] == "sface-2021dec"
    for face in (body["probe_face"], body["reference_face"]):
        assert len(face["box"]) == 4
        assert len(face["landmarks"]) == 5
        assert face["detection_score"] > 0.6
        assert face["quality"]["score"] == pytest.approx(0.6, abs=0.1)
        assert face["quality"]["reasons"] == []
    assert body["low_quality"] is False
    assert (body["reference_face"]["face_id"], body["reference_face"]["faces"]) == (None, 1)


def test_different_people_do_not_match(client, faces_of):
    for other in faces_of[1:]:
        answer = verify(client, probe=faces_of[0], reference=other).json()
        assert answer["verdict"] == "no_match"
        assert answer["similarity"] < answer["threshold"]


def test_an_identity_is_compared_by_all_its_faces_and_the_nearest_is_named(client, faces_of, portrait):
    """Two people under one name: the template lies between them, and strangers are far from it."""
    answers = [verify(client, probe=photo, identity_id="two-faced").json() for photo in (portrait, faces_of[0])]
    assert len({answer["reference_face"]["face_id"] for answer in answers}) == 2
    for answer in answers:
        assert answer["verdict"] == "match"
        assert 0.6 < answer["similarity"] < 0.85
        assert answer["reference_face"]["faces"] == 2
        assert answer["reference_face"]["box"] is answer["reference_face"]["quality"] is None
    stranger = verify(client, probe=faces_of[3], identity_id="two-faced").json()
    assert stranger["verdict"] == "no_match"


def test_a_template_of_two_faces_is_judged_more_strictly(client, faces_of, portrait):
    for max_fmr in ("0.1", "0.0001"):
        photos, template = (
            verify(client, probe=faces_of[3], max_fmr=max_fmr, **reference).json()
            for reference in ({"reference": portrait}, {"identity_id": "two-faced"})
        )
        assert photos["threshold"] < template["threshold"]
    threshold = repr(template["similarity"])
    assert verify(client, probe=faces_of[3], identity_id="two-faced", threshold=threshold).json()["verdict"] == "match"


def test_strangers_reach_a_template_of_two_faces_more_often(client, faces_of):
    answer = verify(client, probe=faces_of[3], identity_id="two-faced").json()
    services = client.app.state.services
    policy = services.verification._policy_of(services.gallery.require("default"))
    assert answer["fmr"] == pytest.approx(policy.fmr(answer["similarity"], 2).value)
    assert policy.fmr(0.3, 2).value > policy.fmr(0.3).value


def test_a_poor_face_is_possible_at_best(client, faces_of):
    client.app.state.services.gallery.ensure("exacting", CollectionSettings(probe_quality=1))
    exacting = {"probe": faces_of[0], "reference": faces_of[0], "collection": "exacting"}
    answer = verify(client, **exacting).json()
    assert (answer["verdict"], answer["low_quality"]) == ("possible", True)
    answer = verify(client, **exacting, threshold="0.9").json()
    assert (answer["verdict"], answer["low_quality"]) == ("match", True)
    answer = verify(client, **{**exacting, "reference": faces_of[1]}).json()
    assert (answer["verdict"], answer["low_quality"]) == ("no_match", True)


def test_json_says_the_same_as_multipart(client, faces_of, portrait):
    body = {"probe": base64.b64encode(portrait).decode(), "reference": base64.b64encode(faces_of[3]).decode()}
    as_form = verify(client, probe=portrait, reference=faces_of[3])
    assert client.post("/verify", json=body).json() == as_form.json()


def test_exactly_one_reference_is_needed(client, portrait):
    assert verify(client, probe=portrait).json()["code"] == "request_invalid"
    both = verify(client, probe=portrait, reference=portrait, identity_id="two-faced")
    assert both.status_code == 422
    assert both.json()["code"] == "request_invalid"


def test_a_photo_without_a_face_is_named(client, portrait, faceless):
    for parts, role in (
        ({"probe": faceless, "reference": portrait}, "probe"),
        ({"probe": portrait, "reference": faceless}, "reference"),
    ):
        answer = verify(client, **parts)
        assert answer.status_code == 422
        assert answer.json()["code"] == "no_face"
        assert role in answer.json()["detail"]


def test_an_unknown_identity_or_collection_is_named(client, portrait):
    answer = verify(client, probe=portrait, identity_id="who")
    assert (answer.status_code, answer.json()["code"]) == (404, "identity_unknown")
    answer = verify(client, probe=portrait, identity_id="two-faced", collection="elsewhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_unknown")


def test_the_answer_carries_its_error_rate(client, faces_of):
    same = verify(client, probe=faces_of[0], reference=faces_of[0]).json()
    other = verify(client, probe=faces_of[0], reference=faces_of[1]).json()
    assert (same["fmr"], same["fmr_range"]) == (1e-7, [0, 1e-7])
    assert 1e-4 < other["fmr_range"][0] < other["fmr"] < other["fmr_range"][1] <= 1


def test_a_smaller_error_rate_needs_more_similarity(client, faces_of):
    parts = {"probe": faces_of[0], "reference": faces_of[1]}
    thresholds = [verify(client, **parts, max_fmr=rate).json()["threshold"] for rate in ("0.1", "0.0001", "0.000001")]
    assert thresholds == sorted(thresholds)
    assert verify(client, **parts).json()["threshold"] == thresholds[1]


def test_what_cannot_be_told_apart_is_possible(client, faces_of):
    answers = {other: verify(client, probe=faces_of[0], reference=other).json() for other in faces_of[1:]}
    nearest = max(answers, key=lambda other: answers[other]["similarity"])
    fmr = answers[nearest]["fmr"]
    assert 0 < fmr <= 0.5
    assert verify(client, probe=faces_of[0], reference=nearest, max_fmr=repr(fmr)).json()["verdict"] == "possible"


def test_an_explicit_threshold_is_honoured_exactly(client, faces_of):
    parts = {"probe": faces_of[0], "reference": faces_of[1]}
    similarity = verify(client, **parts).json()["similarity"]
    for threshold, verdict in ((similarity, "match"), (similarity + 1e-6, "no_match")):
        answer = verify(client, **parts, threshold=repr(threshold)).json()
        assert (answer["threshold"], answer["verdict"]) == (threshold, verdict)


@pytest.mark.parametrize(
    "rule",
    [
        {"max_fmr": "0.1", "threshold": "0.4"},
        {"max_fmr": "0"},
        {"max_fmr": "0.6"},
        {"threshold": "1.1"},
        {"threshold": "x"},
    ],
)
def test_a_rule_must_be_one_and_possible(client, faces_of, rule):
    answer = verify(client, probe=faces_of[0], reference=faces_of[1], **rule)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
