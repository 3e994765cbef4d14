import base64
import re

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.gallery.store.values import CollectionSettings
from app.main import create_app


def identify(client, photo, **fields):
    return client.post("/identify", files={"photo": photo}, data=fields)


def test_an_empty_gallery_knows_nobody(client, group_photo):
    faces = identify(client, group_photo).json()["faces"]
    assert len(faces) == 6
    assert all(face["verdict"] == "unknown" and face["candidates"] == [] for face in faces)


@pytest.fixture(scope="module")
def enrolled(client, faces_of):
    for number, photo in enumerate(faces_of):
        for _ in range(2):
            fields = {"identity_id": f"person-{number}", "name": f"Person {number}"}
            assert client.post("/enroll", files={"photos": photo}, data=fields).status_code == 200
    return client


def test_every_face_is_identified_where_it_is(enrolled, group_photo):
    body = identify(enrolled, group_photo).json()
    assert body["model"] == "sface-2021dec"
    faces = sorted(body["faces"], key=lambda face: face["box"][0])
    assert [face["candidates"][0]["identity_id"] for face in faces] == [f"person-{number}" for number in range(6)]
    assert all(face["verdict"] == "match" and face["detection_score"] > 0.6 for face in faces)
    for face in faces:
        left, top, right, bottom = face["box"]
        assert all(left < x < right and top < y < bottom for x, y in face["landmarks"])


def test_candidates_are_one_for_each_identity_best_first(enrolled, faces_of):
    (face,) = identify(enrolled, faces_of[0], top_k="4").json()["faces"]
    similarities = [each["similarity"] for each in face["candidates"]]
    assert similarities == sorted(similarities, reverse=True)
    assert len({each["identity_id"] for each in face["candidates"]}) == len(similarities) == 4
    assert face["candidates"][0]["name"] == "Person 0"


def test_a_person_is_the_match_of_at_most_one_face(enrolled, faces_of):
    one = np.asarray(cv2.imdecode(np.frombuffer(faces_of[0], np.uint8), cv2.IMREAD_COLOR))
    twice = cv2.imencode(".png", np.hstack([one, np.zeros_like(one), one]))[1].tobytes()
    faces = identify(enrolled, twice).json()["faces"]
    assert len(faces) == 2
    assert {face["candidates"][0]["identity_id"] for face in faces} == {"person-0"}
    assert sorted(face["verdict"] for face in faces) == ["match", "unknown"]


def test_a_stranger_is_unknown(enrolled, portrait):
    (face,) = identify(enrolled, portrait).json()["faces"]
    assert face["verdict"] == "unknown"
    assert face["candidates"][0]["similarity"] < 0.3


def test_a_photo_without_faces_is_an_ordinary_answer(enrolled, faceless):
    answer = identify(enrolled, faceless)
    assert answer.status_code == 200
    assert answer.json()["faces"] == []


def test_json_says_the_same_as_multipart(enrolled, portrait):
    body = {"photo": base64.b64encode(portrait).decode(), "top_k": 2}
    assert enrolled.post("/identify", json=body).json() == identify(enrolled, portrait, top_k="2").json()


def test_the_stages_are_timed(enrolled, portrait):
    timing = identify(enrolled, portrait).headers["server-timing"]
    stages = dict(re.findall(r"(\w+);dur=([\d.]+)(?:, |$)", timing))
    line = ["decode", "detect", "align", "embed", "assess", "search"]
    assert [name for name in stages if name in line] == line
    assert set(stages) == {*line, "wait", "infer", "database"}  # the last two within embed and search
    assert float(stages["infer"]) <= float(stages["embed"])


@pytest.mark.parametrize("top_k", ["0", "101", "many", "1.5"])
def test_top_k_has_a_range(enrolled, portrait, top_k):
    answer = identify(enrolled, portrait, top_k=top_k)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_an_unknown_collection_is_named(enrolled, portrait):
    answer = identify(enrolled, portrait, collection="elsewhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_unknown")


def test_candidates_carry_their_error_rates(enrolled, faces_of):
    (face,) = identify(enrolled, faces_of[0]).json()["faces"]
    first, second = face["candidates"][:2]
    assert face["margin"] == pytest.approx(first["similarity"] - second["similarity"])
    assert first["fmr"] < second["fmr"]
    # Six people are enrolled, all with two faces: a stranger has about six times the chance of one of them.
    assert first["faces"] == second["faces"] == 2
    assert second["fpir"] == pytest.approx(1 - (1 - second["fmr"]) ** 6)
    for each in face["candidates"]:
        for rate in ("fmr", "fpir"):
            assert each[f"{rate}_range"][0] <= each[rate] <= each[f"{rate}_range"][1]


def test_the_margin_does_not_depend_on_how_many_candidates_are_wanted(enrolled, faces_of):
    margins = [identify(enrolled, faces_of[0], top_k=k).json()["faces"][0]["margin"] for k in ("1", "5")]
    assert margins[0] == margins[1] > 0.3


def test_fewer_false_matches_need_more_similarity(enrolled, faces_of):
    thresholds = [
        identify(enrolled, faces_of[0], max_fpir=rate).json()["threshold"] for rate in ("0.1", "0.01", "0.001")
    ]
    assert thresholds == sorted(thresholds)
    assert identify(enrolled, faces_of[0]).json()["threshold"] == thresholds[1]


def test_an_explicit_threshold_is_honoured_exactly(enrolled, faces_of):
    answer = identify(enrolled, faces_of[0], threshold="0.999999").json()
    assert answer["threshold"] == 0.999999
    assert identify(enrolled, faces_of[0], threshold="-1", top_k="1").json()["faces"][0]["verdict"] == "match"


def test_a_rule_must_be_one(enrolled, portrait):
    answer = identify(enrolled, portrait, max_fpir="0.1", threshold="0.4")
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_a_network_without_a_calibration_promises_no_rate(settings, portrait):
    plain = settings.model_copy(update={"detector": "retinaface"})
    with TestClient(create_app(plain)) as client:
        assert client.post("/enroll", files={"photos": portrait}, data={"identity_id": "e"}).status_code == 200
        candidate = identify(client, portrait).json()["faces"][0]["candidates"][0]
        assert candidate["fmr"] is None
        assert candidate["fpir"] is None
        assert candidate["fmr_range"] is candidate["fpir_range"] is None
        answer = identify(client, portrait, max_fpir="0.01")
        assert (answer.status_code, answer.json()["code"]) == (409, "calibration_missing")


# Quality


def dimmed(photo, factor):
    pixels = np.asarray(cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR))
    return cv2.imencode(".png", (pixels * factor).astype(np.uint8))[1].tobytes()


def blurred(photo, sigma):
    pixels = np.asarray(cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR))
    return cv2.imencode(".png", cv2.GaussianBlur(pixels, (0, 0), sigma))[1].tobytes()


def test_every_face_carries_its_quality(enrolled, group_photo):
    for face in identify(enrolled, group_photo).json()["faces"]:
        assert set(face["quality"]) == {"score", "reasons", "hints", "components", "worst"}
        assert all(0 <= value <= 100 for value in face["quality"]["components"].values())
        assert face["quality"]["worst"] == min(face["quality"]["components"], key=face["quality"]["components"].get)
        assert 0.3 < face["quality"]["score"] <= 1
        assert face["low_quality"] is False


def test_what_is_wrong_with_a_face_is_named(enrolled, faces_of):
    (good,) = identify(enrolled, faces_of[0]).json()["faces"]
    (blurry,) = identify(enrolled, blurred(faces_of[0], 4)).json()["faces"]
    (dark,) = identify(enrolled, dimmed(faces_of[0], 0.15)).json()["faces"]
    assert good["quality"]["reasons"] == []
    assert "blurred" in blurry["quality"]["reasons"]
    assert "dark" in dark["quality"]["reasons"]
    assert good["quality"]["score"] > max(each["quality"]["score"] for each in (blurry, dark))


def collection(client, name, **collection_settings):
    services = client.app.state.services
    services.gallery.ensure(name, CollectionSettings(**collection_settings))
    return name


def test_a_probe_below_the_collections_least_quality_is_possible_at_best(client, faces_of):
    people = collection(client, "exacting-probes", probe_quality=1)
    assert client.post(
        "/enroll", files={"photos": faces_of[0]}, data={"identity_id": "ada", "collection": people}
    ).is_success
    (face,) = identify(client, faces_of[0], collection=people).json()["faces"]
    assert (face["verdict"], face["low_quality"]) == ("possible", True)
    assert face["candidates"][0]["similarity"] > 0.99
    (face,) = identify(client, faces_of[0], collection=people, threshold="0.9").json()["faces"]
    assert (face["verdict"], face["low_quality"]) == ("match", True)
    (stranger,) = identify(client, faces_of[1], collection=people, max_fpir="0.001").json()["faces"]
    assert (stranger["verdict"], stranger["low_quality"]) == ("unknown", True)


def test_an_uncalibrated_network_judges_by_what_can_be_seen(settings, portrait):
    plain = settings.model_copy(update={"detector": "retinaface"})
    with TestClient(create_app(plain)) as client:
        (face,) = identify(client, portrait).json()["faces"]
        assert face["quality"]["score"] == pytest.approx(0.75, abs=0.02)


# Each collection in its own way


def test_collections_are_embedded_and_judged_each_in_its_own_way(client, settings, portrait, faces_of):
    services = client.app.state.services
    calibrations = services.models.calibrations(services.registry.default)
    vectors = {}
    for kind in (True, False):
        name = collection(client, f"flip-{kind}", is_flip_averaged=kind)
        fields = {"identity_id": "eileen", "collection": name}
        assert client.post("/enroll", files={"photos": portrait}, data=fields).is_success
        answer = identify(client, portrait, collection=name, max_fpir="0.001").json()
        (found,) = answer["faces"][0]["candidates"]
        assert found["similarity"] > 0.9
        shipped = calibrations.shipped(is_flip_averaged=kind)
        assert shipped is not None
        assert answer["threshold"] == shipped.threshold(1e-3)
        other = identify(client, faces_of[0], collection=name).json()["faces"][0]["candidates"][0]
        assert other["fmr"] == pytest.approx(shipped.fmr(other["similarity"]))
        vectors[kind] = services.gallery.enrolled(services.gallery.require(name), "eileen").vectors[0]
    assert not np.allclose(vectors[True], vectors[False], atol=0.01)
