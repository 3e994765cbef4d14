from dataclasses import replace

from app.deepface.answers import FacialAreaSchema
from tests.deepface.asking import REPRESENT, data_of


def test_the_eyes_are_the_persons_own(client, portrait):
    answer = client.post(REPRESENT, json={"img": data_of(portrait)})
    (face,) = answer.json()["results"]
    area = face["facial_area"]
    assert area["left_eye"][0] > area["right_eye"][0]  # the person's left is on the viewer's right
    for x, y in (area["left_eye"], area["right_eye"]):
        assert area["x"] < x < area["x"] + area["w"]
        assert area["y"] < y < area["y"] + area["h"]


def test_a_box_is_inside_the_photo(client, portrait):
    (seen,) = client.app.state.services.examination.examine(portrait).faces
    detection = seen.face.detection
    moved = replace(seen.face, detection=replace(detection, box=(-5.4, -3, 20.6, 30.4)))
    area = FacialAreaSchema.of(moved)
    assert (area.x, area.y, area.w, area.h) == (0, 0, 21, 30)
