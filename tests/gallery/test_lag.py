"""A replica with an index behind the database: answers state its age, and the age is bounded."""

import pytest

from app.gallery.index_projection import LONGEST_LAG
from app.observability.stages import recording
from tests.recognition.enrolling import D, enroll, found, units
from tests.recognition.galleries import gallery_on


@pytest.fixture
def writer(engine):
    gallery = gallery_on(engine, model="net", dimension=D)
    gallery.ensure("people")
    return gallery


@pytest.fixture
def replica(engine, writer):
    """A replica whose index is open, and which follows the writer only when a test calls `follow`."""
    gallery = gallery_on(engine, model="net", dimension=D)
    gallery.open()
    return gallery


def searched(gallery, vector):
    """Return whom a search finds, and its stages."""
    with recording() as stages:
        return found(gallery, gallery.require("people"), vector), stages


def test_an_answer_tells_how_old_its_index_is(writer, replica):
    ada, bob = units(2, seed=1)
    enroll(writer, writer.require("people"), "ada", ada[None])
    name, stages = searched(replica, ada)
    assert name is None
    assert 0 < stages["lag"] < LONGEST_LAG
    replica.follow()
    name, stages = searched(replica, ada)
    assert (name, "lag" in stages) == ("ada", False)
    enroll(writer, writer.require("people"), "bob", bob[None])
    name, stages = searched(replica, bob)
    assert name == "ada"
    assert stages["lag"] > 0


def test_an_index_that_is_behind_for_too_long_catches_up_before_it_answers(writer, replica):
    """The follower of this replica fails, or its thread has died."""
    (ada,) = units(1, seed=1)
    enroll(writer, writer.require("people"), "ada", ada[None])
    replica._projection(replica.require("people"))._current_at -= LONGEST_LAG
    name, stages = searched(replica, ada)
    assert (name, "lag" in stages) == ("ada", False)
    assert replica.states()[0].seconds_behind == 0
