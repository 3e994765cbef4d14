"""Adaptive calibration over HTTP: people of one camera move the thresholds, unless that is turned off."""

import time
from uuid import uuid4

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.config.groups import CalibrationSettings
from app.gallery.store.values import NewFace, Person
from app.main import create_app
from app.types import Detection
from app.vision.quality import Quality

D = 128
NOWHERE = Detection((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))


@pytest.fixture(scope="module")
def quick(settings):
    return settings.model_copy(update={"calibration": CalibrationSettings(interval_seconds=0.2)})


@pytest.fixture(scope="module")
def quick_client(quick):
    with TestClient(create_app(quick)) as client:
        yield client


def fill(client, name, people=50, **settings):
    """Make a collection of random people who share a direction, as the photos of one camera do."""
    client.post("/collections", json={"name": name, **settings}).raise_for_status()
    gallery = client.app.state.services.gallery
    rng = np.random.default_rng(0)
    direction = rng.standard_normal(D)
    for number in range(people):
        drawn = rng.standard_normal(D) + 0.8 * direction
        face = NewFace(
            str(uuid4()), (drawn / np.linalg.norm(drawn)).astype(np.float32), 0.1, Quality(0.8), NOWHERE, "0" * 64
        )
        gallery.add(gallery.require(name), Person(f"p{number}"), [face], None)


def calibration(client, name):
    return client.get("/calibration", params={"collection": name}).json()


def settled(client, name):
    """Return the calibration of a collection once it has arrived, or after 20 seconds."""
    for _ in range(200):
        answer = calibration(client, name)
        if (answer["move"] or {}).get("is_converged"):
            break
        time.sleep(0.1)
    return answer


def test_people_of_another_camera_move_the_threshold(quick_client):
    fill(quick_client, "camera")
    answer = settled(quick_client, "camera")
    move, adapted = answer["move"], answer["calibration"]["adapted"]
    assert (adapted["people"], move["probes"]) == (50, 0)
    assert adapted["version"] > 1  # in steps
    assert move["shift"] > 0.05
    assert move["threshold_after"] > move["threshold_before"] + 0.05
    assert answer["verification"]["threshold"] == pytest.approx(move["threshold_after"])
    assert answer["points"][80]["fmr"] >= answer["points"][80]["fitted_fmr"]


def test_what_is_turned_off_stays(quick_client):
    fill(quick_client, "fixed", adaptive=False)
    time.sleep(1)
    answer = calibration(quick_client, "fixed")
    assert answer["move"] is None
    assert answer["calibration"]["adapted"] is None


def test_turning_it_off_takes_effect_at_once_and_back_on_too(quick_client):
    fill(quick_client, "switched")
    adapted = settled(quick_client, "switched")["verification"]
    quick_client.patch("/collections/switched", json={"adaptive": False}).raise_for_status()
    fixed = calibration(quick_client, "switched")["verification"]
    assert fixed["threshold"] < adapted["threshold"]
    quick_client.patch("/collections/switched", json={"adaptive": True}).raise_for_status()
    assert calibration(quick_client, "switched")["verification"]["threshold"] == adapted["threshold"]
