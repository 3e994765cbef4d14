"""`anti_spoofing`, with a detector for which dim photos are attacks."""

import pytest

from tests.api.dim_photos import Brightness, dimmed
from tests.deepface.asking import REPRESENT, VERIFY, data_of, expect

SPOOF = "Spoof detected in the given image."


@pytest.fixture(scope="module", autouse=True)
def _detector():
    with Brightness().installed():
        yield


@pytest.fixture(scope="module")
def dim(portrait):
    return dimmed(portrait)


def verify(client, one, other, **members):
    return client.post(VERIFY, json={"img1": data_of(one), "img2": data_of(other), **members})


def test_a_live_face_is_real(client, portrait):
    answer = client.post(REPRESENT, json={"img": data_of(portrait), "anti_spoofing": True}).json()
    assert [(each["is_real"], each["antispoof_score"]) for each in answer["results"]] == [(True, 0.95)]
    answer = verify(client, portrait, portrait, anti_spoofing=True).json()
    assert (answer["verified"], answer["is_real"], answer["antispoof_score"]) == (True, True, 0.95)


def test_a_spoof_has_deepfaces_text_in_each_photo(client, portrait, dim):
    sent = {"img": data_of(dim), "anti_spoofing": True}
    assert expect(client.post(REPRESENT, json=sent), 400, "presentation_attack") == SPOOF
    for pair in ((dim, portrait), (portrait, dim)):
        assert expect(verify(client, *pair, anti_spoofing=True), 400, "presentation_attack") == SPOOF


def test_without_it_nothing_is_checked(client, dim):
    for answer in (client.post(REPRESENT, json={"img": data_of(dim)}), verify(client, dim, dim)):
        assert answer.status_code == 200
        assert "is_real" not in answer.text


def test_the_setting_of_the_collection_counts_too(client, portrait, dim):
    client.patch("/collections/default", json={"liveness": "enforce"}).raise_for_status()
    expect(verify(client, dim, portrait), 400, "presentation_attack")
    client.patch("/collections/default", json={"liveness": "observe"}).raise_for_status()
    answer = verify(client, dim, portrait).json()
    assert (answer["verified"], answer["is_real"], answer["antispoof_score"]) == (True, False, 0.95)
    client.patch("/collections/default", json={"liveness": "off"}).raise_for_status()
