from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from app.database.tables import EnrollmentTable, FaceTable, IdentityTable
from app.errors import FaceUnknown, IdentityUnknown
from app.gallery.store.values import IdempotencyRecord, Person
from tests.gallery.store.enrolling import D, enroll, new_face


def rows_of(engine) -> tuple[int, int]:
    """Return how many identities and faces there are."""
    with engine.connect() as connection:
        return tuple(connection.scalar(select(func.count()).select_from(each)) for each in (IdentityTable, FaceTable))


def counters(store, name="people") -> tuple[int, int, int]:
    found = store.collection(name)
    return found.identities, found.faces, found.revision


def answers(engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.scalars(select(EnrollmentTable.idempotency_key)))


def test_a_face_goes_and_its_person_stays(store, people, engine):
    faces = [new_face() for _ in range(3)]
    keys = store.enroll(people, Person("ada"), faces).keys
    removed = store.remove_face(people, faces[1].face_id)
    assert (removed.keys, removed.revision, removed.face_ids) == ([keys[1]], 2, [faces[1].face_id])
    assert (removed.identity_id, removed.is_whole) == ("ada", False)
    assert store.enrolled(people, "ada").face_ids == (faces[0].face_id, faces[2].face_id)
    assert counters(store) == (1, 2, 2)
    assert rows_of(engine) == (1, 2)
    assert set(store.owners(keys)) == {keys[0], keys[2]}


def test_with_the_last_face_the_person_goes(store, people, engine):
    (face,) = enroll(store, people, "ada")
    enroll(store, people, "bob")
    store.remove_face(people, face.face_id)
    with pytest.raises(IdentityUnknown, match="'ada'"):
        store.enrolled(people, "ada")
    assert counters(store) == (1, 1, 3)
    assert rows_of(engine) == (1, 1)


def test_a_person_goes_with_all_faces(store, people, engine):
    keys = store.enroll(people, Person("ada"), [new_face() for _ in range(3)]).keys
    enroll(store, people, "bob", 2)
    removed = store.remove_identity(people, "ada")
    assert (sorted(removed.keys), removed.revision) == (list(keys), 3)
    assert counters(store) == (1, 2, 3)
    assert rows_of(engine) == (1, 2)
    with pytest.raises(IdentityUnknown, match="'ada'"):
        store.enrolled(people, "ada")
    assert len(store.enrolled(people, "bob").keys) == 2


def test_who_was_removed_can_be_enrolled_again(store, people):
    first = store.enroll(people, Person("ada", "Ada", {"room": 7}), [new_face()]).keys
    store.remove_identity(people, "ada")
    second = store.enroll(people, Person("ada"), [new_face()]).keys
    assert min(second) > max(first)
    assert store.enrolled(people, "ada").name is None
    assert counters(store) == (1, 1, 3)


@pytest.mark.parametrize("face_id", ["", "nobody's", "FACE-1"])
def test_a_face_that_is_not_enrolled(store, people, face_id):
    enroll(store, people, "ada")
    with pytest.raises(FaceUnknown, match="'people'"):
        store.remove_face(people, face_id)
    assert counters(store) == (1, 1, 1)


@pytest.mark.parametrize("identity_id", ["", "bob", "ADA"])
def test_a_person_who_is_not_enrolled(store, people, identity_id):
    enroll(store, people, "ada")
    with pytest.raises(IdentityUnknown, match="'people'"):
        store.remove_identity(people, identity_id)
    assert counters(store) == (1, 1, 1)


def test_nobody_goes_twice(store, people):
    (face,) = enroll(store, people, "ada")
    enroll(store, people, "bob")
    store.remove_face(people, face.face_id)
    store.remove_identity(people, "bob")
    with pytest.raises(FaceUnknown):
        store.remove_face(people, face.face_id)
    with pytest.raises(IdentityUnknown):
        store.remove_identity(people, "bob")
    assert counters(store) == (0, 0, 4)


def test_another_collections_faces_are_not_found(store, people):
    other = store.create_collection("other", model="net", dimension=D)
    (face,) = enroll(store, other, "ada")
    with pytest.raises(FaceUnknown):
        store.remove_face(people, face.face_id)
    with pytest.raises(IdentityUnknown):
        store.remove_identity(people, "ada")
    enroll(store, people, "ada")
    store.remove_identity(people, "ada")
    assert counters(store, "other") == (1, 1, 1)
    assert store.enrolled(other, "ada").face_ids == (face.face_id,)


def retry(key: str) -> IdempotencyRecord:
    return IdempotencyRecord(key, "request", {"answer": key})


@pytest.mark.parametrize("what", ["person", "face", "last face"])
def test_the_answers_about_who_goes_are_forgotten(store, people, engine, what):
    other = store.create_collection("other", model="net", dimension=D)
    faces = [new_face() for _ in range(1 if what == "last face" else 2)]
    store.enroll(people, Person("ada"), faces, retry("ada"))
    store.enroll(people, Person("bob"), [new_face()], retry("bob"))
    store.enroll(other, Person("ada"), [new_face()], retry("other"))
    if what == "person":
        store.remove_identity(people, "ada")
    else:
        store.remove_face(people, faces[0].face_id)
    assert answers(engine) == ["bob", "other"]
    assert store.earlier_answer(people, retry("ada")) is None
    assert store.enroll(people, Person("ada"), [new_face()], retry("ada")).keys


def test_answers_of_before_it_was_noted_whom_they_are_about_go_with_anybody(store, people, engine):
    store.enroll(people, Person("ada"), [new_face()], retry("ada"))
    store.enroll(people, Person("bob"), [new_face()], retry("bob"))
    with engine.begin() as connection:
        connection.execute(
            update(EnrollmentTable).where(EnrollmentTable.idempotency_key == "ada").values(identity_id=None)
        )
    store.remove_identity(people, "ada")
    assert answers(engine) == ["bob"]


def test_of_many_who_remove_one_person_one_does(store, people):
    enroll(store, people, "ada", 3)

    def remove(_: int) -> bool:
        try:
            store.remove_identity(people, "ada")
        except IdentityUnknown:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(remove, range(12))) == 1
    assert counters(store) == (0, 0, 2)


def test_enrolling_and_removing_at_once_keeps_the_counters(store, people, engine):
    faces = enroll(store, people, "ada", 12)
    with ThreadPoolExecutor(6) as pool:
        removing = [pool.submit(store.remove_face, people, face.face_id) for face in faces]
        enrolling = [pool.submit(enroll, store, people, f"p{number % 3}") for number in range(12)]
        for each in [*removing, *enrolling]:
            each.result(30)
    assert counters(store) == (3, 12, 25)
    assert rows_of(engine) == (3, 12)
