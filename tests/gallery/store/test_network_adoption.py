"""Empty collections take another network; nothing that is bound to the old one is lost or misread."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from app.access.trail import Trail
from app.database.audit import Action
from app.errors import CollectionSwitched, CollectionUnknown
from app.gallery.store import change_log
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.network_adoption import Binding, NetworkAdoption
from app.gallery.store.values import Collection, CollectionSettings, Person
from app.jobs.job import NewJob
from app.jobs.store import JobStore
from tests.gallery.store.enrolling import D, new_face


@pytest.fixture
def store(engine) -> IdentityStore:
    return IdentityStore(engine)


@pytest.fixture
def empty(store) -> Collection:
    created: Collection = store.create_collection("people", model="old", dimension=D)
    return created


@pytest.fixture
def adopt(engine):
    """Give a collection the network `new`."""
    return lambda collection, model="new": NetworkAdoption(engine).adopt(collection, model=model, dimension=4)


@pytest.fixture
def binding(engine):
    """Return what keeps a collection on its network."""
    return NetworkAdoption(engine).binding


def test_an_empty_collection_takes_the_network(engine, store, empty, adopt):
    taken = adopt(empty)
    assert (taken.model, taken.dimension, taken.key) == ("new", 4, empty.key)
    assert taken.uid != empty.uid
    assert store.collection("people") == taken
    (line,) = [each.entry for each in Trail(engine).lines() if each.entry.action == Action.COLLECTION_SWITCHED]
    assert line.detail == {"from": "old", "to": "new", "dropped": 0, "dropped_faces": [], "is_empty": True}


def test_a_writer_that_read_it_before_is_refused(store, empty, adopt):
    adopt(empty)
    with pytest.raises(CollectionSwitched):
        store.enroll(empty, Person("ada"), [new_face()])


def test_one_with_a_face_keeps_its_network(store, empty, adopt, binding):
    store.enroll(empty, Person("ada"), [new_face()])
    assert adopt(empty).model == "old"  # although the value is from before the face
    assert binding(empty) is Binding.FACE
    now = store.collection("people")
    assert (now.uid, now.faces) == (empty.uid, 1)
    store.remove_identity(now, "ada")
    assert adopt(store.collection("people")).model == "new"


def test_one_that_keeps_its_network_waits_for_no_writer(engine, store, empty, adopt):
    store.enroll(empty, Person("ada"), [new_face()])
    with Session(engine) as writer, writer.begin():
        change_log.next_revision(writer, empty)
        assert adopt(empty).model == "old"


def test_one_with_a_threshold_keeps_its_network(engine, store, empty, adopt, binding):
    assert binding(empty) is None
    store.change_settings("people", CollectionSettings(threshold=0.4))
    assert binding(store.collection("people")) is Binding.THRESHOLD
    assert adopt(store.collection("people")).model == "old"
    CollectionRepository(engine).change("people", {"threshold": None})
    assert adopt(store.collection("people")).model == "new"


def test_one_with_an_unfinished_job_keeps_its_network(engine, store, empty, adopt, binding):
    jobs = JobStore(engine)
    job = jobs.create(NewJob("job", "import", "people", {}, None))
    assert adopt(empty).model == "old"
    assert binding(empty) is Binding.JOB
    jobs.cancel(job.job_id)
    assert adopt(store.collection("people")).model == "new"


def test_replicas_with_different_packs_switch_it_once_a_minute(engine, store, empty, adopt, binding, monkeypatch):
    taken = adopt(empty)
    assert binding(taken) is Binding.RECENT_CHANGE
    assert adopt(taken, "old") == store.collection("people")
    assert store.collection("people").model == "new"
    monkeypatch.setattr("app.gallery.store.network_adoption._AT_MOST_EVERY", timedelta())
    assert adopt(store.collection("people"), "old").model == "old"


def test_of_many_replicas_one_switches_it(engine, store, empty, adopt):
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(adopt, [empty] * 8))
    assert {each.uid for each in taken} == {store.collection("people").uid}
    assert sum(each.entry.action == Action.COLLECTION_SWITCHED for each in Trail(engine).lines()) == 1


def test_either_the_first_face_or_the_switch_comes_first(engine, store, adopt):
    """A replica of the old network enrolls while one of the new network takes the collection."""
    for number in range(10):
        empty = store.create_collection(f"c{number}", model="old", dimension=D)

        def enroll(of: Collection) -> bool:
            try:
                store.enroll(of, Person("ada"), [new_face()])
            except CollectionSwitched:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            enrolled, taken = pool.submit(enroll, empty), pool.submit(adopt, empty)
            is_enrolled = enrolled.result()
            taken.result()
        now = store.collection(empty.name)
        assert (now.model, now.faces) == (("old", 1) if is_enrolled else ("new", 0))


def test_a_deleted_collection_is_unknown(engine, empty, adopt):
    CollectionRepository(engine).delete(empty)
    with pytest.raises(CollectionUnknown):
        adopt(empty)
