import base64
import re
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import cv2
import numpy as np
import pytest
from sqlalchemy import select, update

from app.database.tables import EnrollmentTable
from app.gallery.store.values import CollectionSettings


def enroll(client, *photos, headers=None, **fields):
    files = [("photos", ("photo", photo)) for photo in photos]
    return client.post("/enroll", files=files, data=fields, headers=headers)


def similar(client, photo, identity_id):
    answer = client.post("/verify", files={"probe": photo}, data={"identity_id": identity_id})
    return answer.json()["similarity"]


def test_a_person_is_enrolled_under_the_callers_id(client, faces_of):
    answer = enroll(client, faces_of[0], identity_id="ada", name="Ada", metadata='{"badge": 7}')
    assert answer.status_code == 200
    body = answer.json()
    assert body["identity_id"] == "ada"
    assert body["rejected"] == []
    (face,) = body["faces"]
    assert UUID(face["face_id"])
    assert face["photo"] == 0
    assert 0.6 < face["detection_score"] <= 1
    assert face["quality"]["score"] == pytest.approx(0.6, abs=0.1)
    assert (face["quality"]["reasons"], face["quality"]["hints"]) == ([], [])
    left, top, right, bottom = face["box"]
    assert 90 < right - left < 130
    assert top < bottom
    assert similar(client, faces_of[0], "ada") > 0.99


def test_an_id_is_generated_when_none_is_given(client, faces_of):
    first, second = (enroll(client, faces_of[1]).json()["identity_id"] for _ in range(2))
    assert UUID(first) != UUID(second)


def test_json_says_the_same_as_multipart(client, faces_of):
    photo = base64.b64encode(faces_of[2]).decode()
    body = {"photos": [photo, f"data:image/jpeg;base64,{photo}"], "identity_id": "json", "metadata": {"a": [1, None]}}
    answer = client.post("/enroll", json=body)
    assert answer.status_code == 200
    assert [face["photo"] for face in answer.json()["faces"]] == [0, 1]


def test_each_photo_is_judged_for_itself(client, faces_of, group_photo):
    answer = enroll(client, b"no image", faces_of[3], group_photo, b"", identity_id="partly")
    assert answer.status_code == 200
    assert [face["photo"] for face in answer.json()["faces"]] == [1]
    assert {each["photo"]: each["code"] for each in answer.json()["rejected"]} == {
        0: "not_an_image",
        2: "several_faces",
        3: "not_an_image",
    }
    assert all(each["detail"] for each in answer.json()["rejected"])


def test_none_accepted_is_an_error_that_says_why_photo_by_photo(client, faceless, group_photo):
    answer = enroll(client, faceless, group_photo, identity_id="nobody")
    assert answer.status_code == 422
    assert answer.json()["code"] == "nothing_enrolled"
    assert [each["code"] for each in answer.json()["rejected"]] == ["no_face", "several_faces"]
    assert client.post("/verify", files={"probe": faceless}, data={"identity_id": "nobody"}).status_code == 404


def test_the_main_face_of_several_is_taken_on_demand(client, group_photo):
    answer = enroll(client, group_photo, identity_id="main", face="largest")
    assert answer.status_code == 200
    assert len(answer.json()["faces"]) == 1


def test_more_photos_are_added_to_the_same_person(client, faces_of, portrait):
    for faces, photo in enumerate((faces_of[4], portrait), start=1):
        assert enroll(client, photo, identity_id="two-looks").status_code == 200
        answer = client.post("/verify", files={"probe": photo}, data={"identity_id": "two-looks"}).json()
        assert answer["reference_face"]["faces"] == faces
    # Two people: the template lies between them.
    assert 0.5 < similar(client, faces_of[4], "two-looks") < 0.9
    assert 0.5 < similar(client, portrait, "two-looks") < 0.9


@pytest.fixture
def exacting(client):
    """A collection that takes nothing below a quality of 0.45."""
    client.app.state.services.gallery.ensure("exacting", CollectionSettings(enroll_quality=0.45))
    return "exacting"


def test_a_poor_photo_is_refused_with_reasons_and_a_good_one_is_taken(client, exacting, faces_of):
    pixels = np.asarray(cv2.imdecode(np.frombuffer(faces_of[0], np.uint8), cv2.IMREAD_COLOR))
    poor = cv2.imencode(".png", cv2.GaussianBlur(pixels, (0, 0), 4))[1].tobytes()
    answer = enroll(client, poor, faces_of[0], identity_id="ada", collection=exacting)
    assert answer.status_code == 200
    assert [face["photo"] for face in answer.json()["faces"]] == [1]
    (rejected,) = answer.json()["rejected"]
    assert (rejected["photo"], rejected["code"]) == (0, "low_quality")
    assert re.fullmatch(
        r"the face's quality is 0\.\d\d \(.*blurred.*\); the collection accepts 0\.45 or more(; .+)+",
        rejected["detail"],
    )
    alone = enroll(client, poor, identity_id="bob", collection=exacting)
    assert (alone.status_code, alone.json()["code"]) == (422, "nothing_enrolled")
    assert [each["code"] for each in alone.json()["rejected"]] == ["low_quality"]


def test_a_retry_of_before_there_was_a_quality_is_answered(client, faces_of):
    headers = {"Idempotency-Key": str(uuid4())}
    first = enroll(client, faces_of[5], headers=headers, identity_id="early").json()
    with client.app.state.services.database.engine.begin() as connection:
        row = EnrollmentTable.idempotency_key == headers["Idempotency-Key"]
        answer = connection.execute(select(EnrollmentTable.answer).where(row)).scalar_one()
        del answer["faces"][0]["quality"]
        connection.execute(update(EnrollmentTable).where(row).values(answer=answer))
    again = enroll(client, faces_of[5], headers=headers, identity_id="early")
    assert again.status_code == 200
    first["faces"][0]["quality"] = None
    assert again.json() == first


def test_collections_count_what_is_enrolled_in_them(client, faces_of):
    client.app.state.services.gallery.ensure("counted")
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda number: enroll(
                    client, *faces_of[number : number + 2], identity_id=f"p{number % 3}", collection="counted"
                ),
                range(5),
            )
        )
    assert all(answer.status_code == 200 for answer in answers)
    gallery = client.app.state.services.gallery
    counted = gallery.require("counted")
    assert (counted.faces, counted.identities, counted.revision) == (10, 3, 5)
    assert [(each.faces, each.indexed) for each in gallery.states() if each.collection == "counted"] == [(10, 10)]


def test_a_retry_with_the_same_key_changes_nothing(client, faces_of):
    headers = {"Idempotency-Key": str(uuid4())}
    first = enroll(client, faces_of[5], headers=headers, name="Once")
    again = enroll(client, faces_of[5], headers=headers, name="Once")
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()


def test_retries_at_the_same_time_enroll_once(client, faces_of):
    headers = {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: enroll(client, faces_of[5], headers=headers).json(), range(8)))
    assert all(answer == answers[0] for answer in answers)


def test_a_key_used_for_another_request_is_refused(client, faces_of):
    headers = {"Idempotency-Key": str(uuid4())}
    assert enroll(client, faces_of[5], headers=headers).status_code == 200
    answer = enroll(client, faces_of[4], headers=headers)
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"metadata": "[1]"}, "metadata"),
        ({"metadata": "{"}, "metadata"),
        ({"face": "smallest"}, "face"),
        ({"collection": "no spaces"}, "collection"),
        ({"identity_id": "x" * 129}, "identity_id"),
        ({"identity_id": ".."}, "identity_id"),
        ({"identity_id": "%2e%2e"}, "identity_id"),
        ({"name": "x" * 257}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"metadata": '{"long": "' + "x" * 20_000 + '"}'}, "metadata"),
        ({"metadata": '{"not a number": NaN}'}, "metadata"),
        ({"surprise": "1"}, "surprise"),
    ],
)
def test_a_wrong_field_is_named(client, faces_of, fields, field):
    answer = enroll(client, faces_of[0], **fields)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request_invalid"
    assert [each["field"].split(".")[0] for each in answer.json()["errors"]] == [field]


def test_photos_must_be_there_and_not_too_many(client, faces_of):
    assert client.post("/enroll", data={"name": "x"}, files={"other": b"x"}).json()["code"] == "request_invalid"
    too_many = enroll(client, *[b"x"] * 51)
    assert (too_many.status_code, too_many.json()["code"]) == (422, "request_invalid")
    assert client.post("/enroll", json={"photos": []}).json()["code"] == "request_invalid"
    assert client.post("/enroll", json={"photos": ["%%"]}).json()["code"] == "request_invalid"
    assert client.post("/enroll", json={"photos": [7]}).json()["code"] == "request_invalid"


@pytest.mark.parametrize(
    ("text", "status", "code"), [(r"\ud800", 400, "body_malformed"), (r"\u0000", 422, "request_invalid")]
)
def test_text_that_no_database_stores_is_refused(client, faces_of, text, status, code):
    photo = base64.b64encode(faces_of[0]).decode()
    for field in ("identity_id", "name"):
        body = f'{{"photos": ["{photo}"], "{field}": "a{text}"}}'
        answer = client.post("/enroll", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"n%d":0' % each for each in range(300_000)) + b"}",
        b'{"photos": [' + b"1," * 3_000_000 + b"1]}",
        b'{"photos": [], "metadata": ' + b"[" * 1_000_000,
        b'{"photos": ["' + b"A" * 1_000_000 + b'"], "top_k": ' + b"9" * 1_000_000 + b"}",
    ],
    ids=["names", "list", "deep", "digits"],
)
def test_a_body_of_very_many_values_costs_little(client, body):
    started = time.perf_counter()
    answer = client.post("/enroll", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert len(answer.content) < 10_000
    assert time.perf_counter() - started < 2


def test_metadata_that_no_answer_could_hold_is_refused(client, faces_of):
    def enroll(depth):
        metadata = '{"a":' * depth + "1" + "}" * depth
        fields = {"identity_id": "deep", "metadata": metadata}
        return client.post("/enroll", files={"photos": faces_of[0]}, data=fields).status_code

    assert [enroll(depth) for depth in (65, 300, 900)] == [422] * 3
    assert enroll(64) == 200
    assert client.get("/collections/default/identities/deep").status_code == 200
