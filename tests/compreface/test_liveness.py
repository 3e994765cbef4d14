"""Liveness under CompreFace's routes, with a detector for which dim photos are attacks."""

import pytest

from tests.api.dim_photos import Brightness, dimmed
from tests.compreface.asking import RECOGNITION, add, expect

RECOGNISE, DETECT = f"{RECOGNITION}/recognize", "/api/v1/detection/detect"
VERIFY = "/api/v1/verification/verify"
ATTACK = {"score": 0.05, "verdict": "attack", "reasons": ["regular_pattern"], "calibration": "uncalibrated"}
LIVE = {"score": 0.95, "verdict": "live", "reasons": [], "calibration": "uncalibrated"}


@pytest.fixture(scope="module", autouse=True)
def _detector():
    with Brightness().installed():
        yield


@pytest.fixture(scope="module")
def dim(portrait):
    return dimmed(portrait)


@pytest.fixture
def gated(emptied):
    """Return a client, and a function that sets the mode of its collection."""

    def set_mode(mode):
        emptied.patch("/collections/default", json={"liveness": mode}).raise_for_status()

    yield emptied, set_mode
    set_mode("off")


def faces(client, path, photo):
    answer = client.post(path, files={"file": photo})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def verify(client, source, target):
    return client.post(VERIFY, files={"source_image": source, "target_image": target})


def test_off_the_answers_are_as_in_compreface(gated, portrait, dim):
    client, _ = gated
    face_id = add(client, portrait, "eileen")
    for path in (RECOGNISE, DETECT, f"{RECOGNITION}/faces/{face_id}/verify"):
        assert "liveness" not in faces(client, path, dim)[0]
    assert "liveness" not in verify(client, dim, portrait).text


def test_observed_each_face_has_a_verdict(gated, portrait, dim):
    client, set_mode = gated
    face_id = add(client, portrait, "eileen")
    set_mode("observe")
    for path in (RECOGNISE, DETECT, f"{RECOGNITION}/faces/{face_id}/verify"):
        assert [faces(client, path, photo)[0]["liveness"] for photo in (portrait, dim)] == [LIVE, ATTACK]
    (pair,) = verify(client, dim, portrait).json()["result"]
    assert pair["source_image_face"]["liveness"] == ATTACK
    assert "liveness" not in pair["face_matches"][0]
    assert pair["face_matches"][0]["similarity"] > 0.9


def test_enforced_an_attack_resembles_nobody(gated, portrait, dim):
    client, set_mode = gated
    face_id = add(client, portrait, "eileen")
    set_mode("enforce")
    (face,) = faces(client, RECOGNISE, dim)
    assert (face["subjects"], face["liveness"]) == ([], ATTACK)
    (face,) = faces(client, f"{RECOGNITION}/faces/{face_id}/verify", dim)
    assert (face["similarity"], face["liveness"]) == (0, ATTACK)
    expect(verify(client, dim, portrait), 400, 0, "presentation_attack")
    assert faces(client, RECOGNISE, portrait)[0]["subjects"][0]["similarity"] > 0.9
    answer = client.post(f"{RECOGNITION}/faces", params={"subject": "eve"}, files={"file": dim})
    assert answer.status_code == 400
    assert "print or a screen" in answer.text
