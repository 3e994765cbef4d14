from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from app.database.tables import (
    ChangeTable,
    CollectionTable,
    EnrollmentTable,
    FaceTable,
    IdentityTable,
    SharedIndexTable,
)
from app.errors import CollectionNotEmpty, CollectionSwitched, CollectionUnknown, PreconditionFailed
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.shared_revisions import SharedIndexes
from app.gallery.store.values import CollectionSettings, IdempotencyRecord, Person
from tests.gallery.store.enrolling import D, enroll, new_face

TABLES = (CollectionTable, IdentityTable, FaceTable, ChangeTable, EnrollmentTable, SharedIndexTable)


@pytest.fixture
def collections(engine) -> CollectionRepository:
    return CollectionRepository(engine)


def rows_of(engine) -> list[int]:
    with engine.connect() as connection:
        return [connection.scalar(select(func.count()).select_from(each)) or 0 for each in TABLES]


def filled(store, engine, name):
    made = store.create_collection(name, model="net", dimension=D)
    enroll(store, made, "ada", 2)
    store.enroll(made, Person("bob"), [new_face()], IdempotencyRecord("key", "request", {"answer": 1}))
    with SharedIndexes(engine).feeding(made, "milvus") as progress:
        progress.revision = 2
    return made


def test_a_collection_goes_with_everything_in_it(collections, store, engine):
    gone, stays = (filled(store, engine, name) for name in ("gone", "stays"))
    collections.delete(gone)
    assert rows_of(engine) == [1, 2, 3, 3, 1, 1]
    assert len(store.enrolled(stays, "ada").keys) == 2
    with pytest.raises(CollectionUnknown, match="'gone'"):
        store.collection("gone")
    with pytest.raises(CollectionUnknown):
        collections.delete(gone)


def test_a_new_one_of_the_same_name_is_another(collections, store, people):
    collections.delete(people)
    again = store.create_collection("people", model="net", dimension=D)
    assert again.uid != people.uid
    assert again.key > people.key


def test_who_still_writes_to_what_was_deleted_is_told(collections, store, people, engine):
    (face,) = enroll(store, people, "ada")
    collections.delete(people)
    for write in (
        lambda: enroll(store, people, "ada"),
        lambda: store.remove_identity(people, "ada"),
        lambda: store.remove_face(people, face.face_id),
        lambda: SharedIndexes(engine).feeding(people, "milvus").__enter__(),
    ):
        with pytest.raises(CollectionUnknown, match="'people'"):
            write()
    assert ChangeLog(engine).since(people, 0) is None


def test_enrolling_while_it_is_deleted_leaves_nothing(collections, store, people, engine):
    def write(number: int) -> str:
        try:
            enroll(store, people, f"p{number}")
        except CollectionUnknown:
            return "too late"
        return "enrolled"

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, number) for number in range(20)]
        pool.submit(collections.delete, people).result(30)
        assert {each.result(30) for each in writing} <= {"enrolled", "too late"}
    assert rows_of(engine) == [0] * len(TABLES)


def test_only_what_is_named_changes_and_the_version_with_it(collections, store, people):
    changed = collections.change("people", {"probe_quality": 0.9})
    assert changed == store.collection("people")
    assert changed.settings == CollectionSettings(probe_quality=0.9)
    assert changed.version != people.version
    with pytest.raises(PreconditionFailed, match="'people'"):
        collections.change("people", {"probe_quality": 0.1}, {people.version})
    assert collections.change("people", {"enroll_quality": 0}, {changed.version}).settings == CollectionSettings(
        True,  # noqa: FBT003 - a value
        0,
        0.9,
    )
    with pytest.raises(CollectionUnknown, match="'nobody'"):
        collections.change("nobody", {"enroll_quality": 0})


def test_flip_averaging_changes_only_while_nobody_is_enrolled(collections, store, people):
    changed = collections.change("people", {"is_flip_averaged": False})
    assert not changed.settings.is_flip_averaged
    with pytest.raises(CollectionSwitched):
        enroll(store, people, "ada")  # a face that was made before
    enroll(store, changed, "ada")
    with pytest.raises(CollectionNotEmpty):
        collections.change("people", {"is_flip_averaged": True, "enroll_quality": 1})
    assert (
        collections.change("people", {"is_flip_averaged": False}).settings.enroll_quality
        == CollectionSettings().enroll_quality
    )
