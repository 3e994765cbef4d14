"""A photo with more faces than are looked at, and a client that leaves while they are."""

import asyncio
import time

import numpy as np
import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from app.api.http.admission import Admission
from app.api.http.dependencies import Workers
from app.config import LimitSettings
from app.main import create_app
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.recognition.fakes import colour_network


@pytest.fixture(scope="module")
def crowded(settings):
    limits = LimitSettings(faces=2)
    with TestClient(create_app(settings.model_copy(update={"limits": limits}))) as client:
        yield client


@pytest.mark.parametrize(("route", "field"), [("/identify", "photo"), ("/detect", "photo"), ("/embed", "photo")])
def test_the_answer_says_that_it_leaves_faces_out(crowded, group_photo, portrait, route, field):
    crowd = crowded.post(route, files={field: group_photo}).json()
    one = crowded.post(route, files={field: portrait}).json()
    assert (len(crowd["faces"]), crowd["faces_truncated"]) == (2, True)
    assert (len(one["faces"]), one["faces_truncated"]) == (1, False)


def test_an_enrollment_says_that_a_photo_shows_a_crowd(crowded, group_photo, portrait):
    enroll = {"identity_id": "one", "face": "largest"}
    crowd = crowded.post("/enroll", files={"photos": group_photo}, data=enroll).json()
    assert (len(crowd["faces"]), crowd["faces_truncated"]) == (1, True)
    assert crowded.post("/enroll", files={"photos": portrait}).json()["faces_truncated"] is False
    refused = crowded.post("/enroll", files={"photos": group_photo}).json()
    assert "6 faces" in refused["rejected"][0]["detail"]


def test_compreface_lists_as_many_faces(crowded, group_photo):
    found = crowded.post("/api/v1/detection/detect", files={"file": group_photo}).json()
    assert len(found["result"]) == 2


def test_who_leaves_stops_the_networks_between_two_runs():
    session, runs = Session(colour_network(), Runtime()), []

    async def run():
        left, loop = asyncio.Event(), asyncio.get_running_loop()

        async def receive():
            await left.wait()
            return {"type": "http.disconnect"}

        def work():
            for number in range(500):
                session.run(np.zeros((1, 3, 112, 112), np.float32))
                runs.append(number)
                loop.call_soon_threadsafe(left.set)
                time.sleep(0.01)

        with pytest.raises(ClientDisconnect):
            await Workers(Admission(1, most_waiting=1, wait_seconds=5), receive).run(work)

    asyncio.run(run())
    assert 1 <= len(runs) < 500
