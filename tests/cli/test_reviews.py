import json
from datetime import UTC, datetime

import pytest

from app.cli.serve import prepare_database
from app.config import read_settings
from app.container import Container
from app.gallery.store.review_values import NewCandidate, NewDecision, NewReview, ReviewDecision, ReviewOrigin
from tests.gallery.store.enrolling import D, enroll


@pytest.fixture
def reviewed(home):
    """Two reviews of a collection: an open one of a camera, and a rejected one."""
    settings, now = read_settings(), datetime.now(UTC)
    prepare_database(settings)
    with Container(settings) as container:
        people = container.store.create_collection("people", model="net", dimension=D)
        enroll(container.store, people, "ada")
        for name, origin, camera in (("one", ReviewOrigin.CAMERA, "door"), ("two", ReviewOrigin.IDENTIFY, None)):
            candidates = [NewCandidate("ada", 0.31)]
            new = NewReview(origin, name, candidates, now, now, 0.5, "possible", camera=camera)
            container.review_store.open(people, name, new)
        container.review_store.decide(people, "two", NewDecision(ReviewDecision.REJECT))


def test_reviews_are_listed_by_state(arcid, reviewed):
    listed = arcid("reviews", "list", "--collection", "people").stdout
    assert "cli (reject)" in listed
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["one", "two"]
    (row,) = arcid("reviews", "list", "--collection", "people", "--state", "open").stdout.splitlines()[1:]
    assert {"one", "camera", "door", "possible", "ada", "0.310", "open"} <= set(row.split())


def test_the_export_is_one_object_per_line(arcid, reviewed):
    first, second = map(json.loads, arcid("reviews", "export", "--collection", "people").stdout.splitlines())
    assert (first["review_id"], first["use"]["camera"]) == ("one", "door")
    assert second["decisions"][0]["decided_by"] == "cli"
