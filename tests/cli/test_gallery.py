import json

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.config import read_settings
from app.container import Container
from app.errors import CollectionUnknown, ModelMismatch
from app.gallery.store.values import NewFace, Person
from app.types import Detection
from app.vision.quality import Quality

AXES = np.eye(3, dtype=np.float32)


def enroll(identity_id: str, *axes: int, quality: float = 0.8) -> None:
    store = Container(read_settings()).store
    detection = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))
    faces = [
        NewFace(f"{identity_id}-{number}", AXES[axis], 1, Quality(quality), detection, "0" * 64)
        for number, axis in enumerate(axes)
    ]
    store.enroll(store.collection("people"), Person(identity_id, identity_id.title()), faces)


@pytest.fixture
def people(arcid, tiny, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with capture_logs():  # which `main` sends to standard error
        assert arcid("collections", "create", "people").exit_code == 0
        yield


@pytest.fixture
def ill(people):
    enroll("ada", 0, 0, 1)
    enroll("bob", 1)
    enroll("ada-too", 0)
    enroll("cyd", 2, quality=0.1)


def test_a_healthy_gallery(arcid, people):
    enroll("ada", 0)
    enroll("bob", 1)
    result = arcid("gallery", "check")
    assert result.exit_code == 0
    assert result.stdout == "people: 2 identities, 2 faces; 0 duplicates, 0 wrong-person faces, 0 low-quality faces\n"


def test_what_is_wrong_is_listed_with_the_call_that_mends_it(arcid, ill):
    result = arcid("gallery", "check", "--collection", "people")
    assert result.exit_code == 1
    assert "4 identities, 6 faces; 1 duplicate, 1 wrong-person face, 1 low-quality face" in result.stdout
    assert 'POST /collections/people/identities/ada-too/merge {"into": "ada"}' in result.stdout
    assert 'POST /collections/people/faces/ada-2/move {"identity_id": "bob"}' in result.stdout
    assert 'POST /enroll {"collection": "people", "identity_id": "cyd", "photos": []}' in result.stdout


def test_the_same_as_json(arcid, ill):
    result = arcid("gallery", "check", "--json")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert (found["collection"], found["identities"], found["faces"]) == ("people", 4, 6)
    (pair,) = found["duplicates"]
    assert (pair["first"]["identity_id"], pair["second"]["identity_id"]) == ("ada-too", "ada")
    assert [each["face_id"] for each in found["foreign_faces"]] == ["ada-2"]
    assert [each["identity"]["identity_id"] for each in found["poor_faces"]] == ["cyd"]
    assert "next_cursor" not in found


def test_all_pages_are_looked_at(arcid, people, monkeypatch):
    monkeypatch.setattr("app.cli.gallery._PAGE", 1)
    for name in ("a", "b", "c"):
        enroll(name, 0)
    found = json.loads(arcid("gallery", "check", "--json").stdout)
    assert (found["identities"], len(found["duplicates"])) == (3, 3)


def test_collections_of_another_network_are_left_out(arcid, people, monkeypatch):
    enroll("ada", 0)
    monkeypatch.setenv("ARCID_PACK", "buffalo_l")
    assert arcid("gallery", "check").stdout == ""
    assert isinstance(arcid("gallery", "check", "--collection", "people").exception, ModelMismatch)
    assert isinstance(arcid("gallery", "check", "--collection", "nowhere").exception, CollectionUnknown)


def test_a_check_leaves_no_snapshot(arcid, people):
    enroll("ada", 0)
    arcid("gallery", "check")
    assert "none" in arcid("index", "status").stdout
