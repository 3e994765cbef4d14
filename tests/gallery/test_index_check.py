import numpy as np
import pytest

from app.gallery.index.flat import FlatIndex
from app.gallery.index_check import differences
from app.gallery.store.identities import IdentityStore
from tests.gallery.index.oracle import OracleIndex
from tests.recognition.enrolling import D, enroll, units
from tests.recognition.galleries import gallery_on, index_of


@pytest.fixture(params=[OracleIndex, FlatIndex])
def gallery(request, engine):
    """A gallery whose collection `people` has the faces 1 to 5, after one that was removed and one of another's."""
    gallery = gallery_on(engine, request.param, model="net", dimension=D)
    for name in ("people", "others"):
        gallery.ensure(name)
    people = gallery.require("people")
    for number in range(5):
        enroll(gallery, people, f"p{number}", units(1, seed=number))
    enroll(gallery, gallery.require("others"), "ada", units(1, seed=9))
    enroll(gallery, people, "gone", units(1, seed=10))
    gallery.remove_identity(people, "gone")
    return gallery


@pytest.fixture
def index(gallery):
    return index_of(gallery, "people")


@pytest.fixture
def found(engine, gallery):
    """Say what differs: missing, foreign, changed."""

    def found() -> tuple[list[int], list[int], list[int]]:
        each = differences(IdentityStore(engine), gallery.require("people"), index_of(gallery, "people"))
        assert each.is_empty() == (len(each.missing) == len(each.foreign) == len(each.changed) == 0)
        return each.missing.tolist(), each.foreign.tolist(), each.changed.tolist()

    return found


def test_an_index_that_is_as_the_database(found):
    assert found() == ([], [], [])


def test_what_is_missing(found, index):
    index.remove(np.array([2, 4]))
    assert found() == ([2, 4], [], [])


def test_what_is_foreign(found, index):
    index.add(np.array([6, 7, 99]), units(3, seed=1))
    assert found() == ([], [6, 7, 99], [])


@pytest.mark.parametrize("by", [1.0, 0.002])
def test_what_was_changed(found, index, by):
    vectors = index.vectors(np.array([3]))
    vectors[0, 5] += by
    index.add(np.array([3]), vectors)
    assert found() == ([], [], [3])


def test_everything_at_once(found, index):
    index.remove(np.array([1]))
    index.add(np.array([5, 50]), units(2, seed=1))
    assert found() == ([1], [50], [5])


def test_an_empty_index(found, index):
    index.remove(index.keys())
    assert found() == ([1, 2, 3, 4, 5], [], [])


def test_nobody_and_nothing(engine):
    gallery = gallery_on(engine, model="net", dimension=D)
    gallery.ensure("people")
    assert differences(IdentityStore(engine), gallery.require("people"), index_of(gallery, "people")).is_empty()
