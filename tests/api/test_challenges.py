"""Liveness challenges with real networks: heads that turn, photos that are moved by hand, and replayed answers."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from liveness_motion import tilted, turning
from sqlalchemy import update

from app.access.key_store import KeyStore
from app.access.keys import NewKey, Scope
from app.config.groups import LivenessSettings
from app.database.tables import CollectionTable
from app.vision.liveness.prompts import Prompt
from tests.api.challenges import answer, change, closer, create, decoded, encoded, form_of, refused
from tests.api.test_permissions import bearer

# Photos of people of LFW: the first one, and those in which the head is turned unlike in the first one of anybody here.
STARTS = {"Tony_Blair": "0086", "Colin_Powell": "0029"}
POSES = {
    "Tony_Blair": {Prompt.TURN_LEFT: "0022", Prompt.TURN_RIGHT: "0060", Prompt.LOOK_UP: "0039"},
    "Colin_Powell": {Prompt.TURN_LEFT: "0069", Prompt.TURN_RIGHT: "0043", Prompt.LOOK_UP: "0122"},
}


@pytest.fixture(scope="module")
def settings(settings):
    """Settings without a detector of presentation attacks, so that only movements and the person are judged."""
    return settings.model_copy(update={"liveness": LivenessSettings(pack="none")})


@pytest.fixture(scope="module")
def start_of(lfw):
    def read(person, number=None):
        return (lfw / "images" / person / f"{person}_{number or STARTS[person]}.jpg").read_bytes()

    return read


@pytest.fixture(scope="module")
def views_of(start_of):
    """Photos of a person who follows prompts, by prompt."""

    def read(person):
        found = {prompt: start_of(person, each) for prompt, each in POSES[person].items()}
        return found | {Prompt.COME_CLOSER: closer(start_of(person))}

    return read


@pytest.fixture(scope="module")
def start(start_of):
    return start_of("Tony_Blair")


@pytest.fixture(scope="module")
def views(views_of):
    return views_of("Tony_Blair")


@pytest.fixture
def still(london):
    """A frontal photo of one person."""
    return (london / "neutral" / "014.jpg").read_bytes()


def fresh(photo):
    """Return a photo with other pixels, so that no other test has sent it."""
    pixels = decoded(photo).astype(np.int16)
    noise = np.random.default_rng().integers(-2, 3, pixels.shape)
    return encoded((pixels + noise).clip(0, 255).astype(np.uint8))


def live(challenge, start, views):
    """Return the frames of a person who follows a challenge."""
    return [fresh(start), *(fresh(views[each]) for each in challenge["prompts"])]


def test_a_person_who_follows_the_prompts_is_live(client, start, views):
    client.post("/enroll", data={"identity_id": "tony"}, files={"photos": start})
    challenge = create(client)
    assert len(challenge["prompts"]) == 3
    judged = answer(client, challenge, live(challenge, start, views), identity_id="tony").json()
    assert (judged["verdict"], judged["reasons"]) == ("live", [])
    assert judged["prompts"] == [
        {"prompt": prompt, "followed": True, "frame": place} for place, prompt in enumerate(challenge["prompts"], 1)
    ]
    assert judged["verification"]["verdict"] == "match"
    assert judged["passive"] is None
    metrics = client.get("/metrics").text
    assert 'arcid_verdicts_total{operation="liveness",verdict="live"} 1.0' in metrics


def test_a_nonce_counts_once(client, start, views):
    challenge = create(client)
    assert answer(client, challenge, live(challenge, start, views)).json()["verdict"] == "live"
    refused(answer(client, challenge, live(challenge, start, views)), 409, "challenge_used")


def test_a_replayed_answer_is_refused_under_a_new_nonce(client, start, views):
    challenge = create(client)
    frames = live(challenge, start, views)
    assert answer(client, challenge, frames).json()["verdict"] == "live"
    refused(answer(client, create(client), frames), 409, "frames_replayed")
    others = live(challenge, start, views)
    refused(answer(client, create(client), [*others[:3], frames[3]]), 409, "frames_replayed")
    padded = [each + b"more bytes" for each in live(challenge, start, views)[:3] + frames[3:]]
    refused(answer(client, create(client), padded), 409, "frames_replayed")


def moved(still, yaw=0.0, pitch=0.0, roll=0.0, zoom=1.0, shift=0):
    view = tilted(decoded(still), turning(*np.radians([yaw, pitch, roll])), 1.6, zoom)
    return encoded(np.roll(view, shift, axis=1))


MOVEMENTS: dict[str, list[dict[str, Any]]] = {
    "shifted": [{"shift": each} for each in (-90, -45, 30, 60, 90)],
    "scaled": [{"zoom": each} for each in (0.6, 0.8, 1.2, 1.4, 1.5)],
    "rotated": [{"roll": each} for each in (-40, -20, 15, 30, 45)],
    "turned": [{"yaw": each} for each in (-50, -30, 30, 40, 50)],
    "nodded": [{"pitch": each} for each in (-50, -30, 30, 40, 50)],
    "all": [{"yaw": 35, "roll": 10}, {"yaw": -35, "pitch": 20}, {"pitch": 35, "shift": 40}, {"zoom": 1.5}],
}


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_a_still_photo_that_is_moved_by_hand_is_refused(client, still, movement):
    challenge = create(client)
    frames = [still, *(moved(still, **each) for each in MOVEMENTS[movement])]
    judged = answer(client, challenge, [fresh(each) for each in frames]).json()
    assert judged["verdict"] in {"attack", "uncertain"}
    assert "prompt_not_followed" in judged["reasons"]
    turns = [each for each in judged["prompts"] if each["prompt"] != "come_closer"]
    assert not any(each["followed"] for each in turns)
    assert sum(each["used"] for each in judged["frames"]) >= 4
    if movement == "turned":
        assert judged["verdict"] == "attack"
        assert "flat_motion" in judged["reasons"]


def test_another_person_who_follows_the_prompts_is_an_attack(client, start, views_of):
    challenge = create(client)
    judged = answer(client, challenge, live(challenge, start, views_of("Colin_Powell")), identity_id="tony").json()
    assert (judged["verdict"], judged["reasons"]) == ("attack", ["another_person"])
    assert judged["verification"] is None


def test_frames_without_a_face_are_left_out(client, faceless, start, views):
    challenge = create(client)
    first, *others = live(challenge, start, views)
    judged = answer(client, challenge, [faceless, first, b"not a photo", *others]).json()
    assert judged["verdict"] == "live"
    assert [each["code"] for each in judged["frames"]][:3] == ["no_face", None, "not_an_image"]
    nobody = answer(client, create(client), [faceless + b"1", faceless + b"2"]).json()
    assert (nobody["verdict"], nobody["reasons"], nobody["best_frame"]) == ("uncertain", ["no_face"], None)


def test_an_expired_challenge_is_refused(client, still):
    challenge = create(client)
    change(client, challenge, expires_at=-61)
    refused(answer(client, challenge, [still, moved(still, yaw=20)]), 410, "challenge_expired")


def test_a_challenge_of_another_collection_is_unknown(client, still):
    frames = [still, moved(still, yaw=20)]
    client.post("/collections", json={"name": "visitors"})
    refused(answer(client, create(client, collection="visitors"), frames), 404, "challenge_unknown")
    refused(answer(client, {**create(client), "nonce": "guessed"}, frames), 404, "challenge_unknown")
    refused(client.post("/liveness/challenges", json={"collection": "nobody"}), 404, "collection_unknown")


def test_a_collection_that_checks_liveness_needs_a_detector(client, still):
    """A challenge that was created before is not used up."""
    client.post("/collections", json={"name": "gate"})
    challenge, frames = create(client, collection="gate"), [fresh(still), fresh(moved(still, yaw=20))]

    def set_mode(mode):
        with client.app.state.services.database.engine.begin() as connection:
            connection.execute(update(CollectionTable).where(CollectionTable.name == "gate").values(liveness=mode))

    set_mode("enforce")
    refused(client.post("/liveness/challenges", json={"collection": "gate"}), 409, "liveness_unavailable")
    refused(answer(client, challenge, frames, collection="gate"), 409, "liveness_unavailable")
    set_mode("off")
    assert answer(client, challenge, frames, collection="gate").status_code == 200


def test_frames_must_be_those_that_were_taken(client, still):
    frames = [still, moved(still, yaw=20)]
    challenge = create(client)
    path = f"/liveness/challenges/{challenge['challenge_id']}/answers"

    def sent(frames, **fields):
        form = form_of(challenge, frames, **fields)
        return client.post(path, **form)

    refused(sent([still, still]), 422, "frames_invalid")
    refused(sent(frames, every_ms=0), 422, "frames_invalid")
    swapped = form_of(challenge, frames)
    swapped["files"].reverse()
    refused(client.post(path, **swapped), 422, "frames_invalid")
    refused(sent(frames, taken="[1]"), 422, "request_invalid")
    refused(sent(frames, taken="{"), 422, "request_invalid")
    refused(sent([still]), 422, "request_invalid")
    refused(sent(frames, every_ms=60_000), 422, "frames_invalid")  # in the future; this one uses the challenge up
    refused(sent(frames), 409, "challenge_used")


def test_an_answer_may_be_json(client, still):
    challenge = create(client)
    photos = [fresh(still), moved(still, yaw=10)]
    form = form_of(challenge, photos, every_ms=500)
    body = {"nonce": challenge["nonce"], "taken": json.loads(form["data"]["taken"])}
    body["frames"] = [base64.b64encode(each).decode() for each in photos]
    judged = client.post(f"/liveness/challenges/{challenge['challenge_id']}/answers", json=body)
    assert judged.json()["verdict"] == "uncertain", judged.text


def test_a_key_without_manage_gets_the_similarity_in_steps(client, start, views):
    """The last test here: once there are keys, every request needs one."""
    client.post("/enroll", data={"identity_id": "tony"}, files={"photos": fresh(start)}).raise_for_status()
    keys, below = KeyStore(client.app.state.services.database.engine), [Scope.RECOGNISE, Scope.SEARCH]
    for scopes, has_steps in ((below, True), ([*below, Scope.MANAGE], False)):
        client.headers.update(bearer(keys.create(NewKey(scopes[-1], scopes))[1]))
        client.app.state.services.access.refresh()
        challenge = create(client)
        judged = answer(client, challenge, live(challenge, start, views), identity_id="tony").json()
        similarity = judged["verification"]["similarity"]
        assert (similarity == round(similarity, 3)) is has_steps
