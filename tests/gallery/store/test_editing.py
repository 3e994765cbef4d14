from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.access.trail import Trail
from app.database.tables import EnrollmentTable, FaceTable, IdentityTable
from app.errors import FaceUnknown, IdentityUnknown, PreconditionFailed
from app.gallery.store.change_log import ChangeLog, changes_since
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.listing import ListingRepository
from app.gallery.store.records import PersonChange
from app.gallery.store.values import CollectionSettings, Consent, IdempotencyRecord, NewFace, Person, Terms
from tests.gallery.store.enrolling import D, enroll, new_face


@pytest.fixture
def editing(engine) -> EditingRepository:
    return EditingRepository(engine)


@pytest.fixture
def listing(engine) -> ListingRepository:
    return ListingRepository(engine)


def counters(store, name="people") -> tuple[int, int, int]:
    found = store.collection(name)
    return found.identities, found.faces, found.revision


def ids(store, people, identity_id) -> list[str]:
    return list(store.enrolled(people, identity_id).face_ids)


def answers(engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(EnrollmentTable.idempotency_key, EnrollmentTable.identity_id))
        return {row.idempotency_key: row.identity_id for row in rows}


# Name and metadata


def test_what_is_not_named_stays(editing, listing, store, people):
    store.enroll(people, Person("ada", "Ada", {"badge": 7}), [new_face()])
    editing.change(people, "ada", PersonChange("Ada Lovelace", has_name=True))
    ada = listing.identity(people, "ada")
    assert (ada.name, ada.metadata) == ("Ada Lovelace", {"badge": 7})
    editing.change(people, "ada", PersonChange(metadata={"room": 1}, has_metadata=True))
    editing.change(people, "ada", PersonChange(has_name=True))
    ada = listing.identity(people, "ada")
    assert (ada.name, ada.metadata) == (None, {"room": 1})
    editing.change(people, "ada", PersonChange(has_metadata=True))
    assert listing.identity(people, "ada").metadata == {}
    assert counters(store) == (1, 1, 5)


def test_only_the_wanted_version_is_changed(editing, listing, store, people):
    enroll(store, people, "ada")
    seen = listing.identity(people, "ada").version
    editing.change(people, "ada", PersonChange("A", has_name=True), {"other", seen})
    with pytest.raises(PreconditionFailed, match="'ada'"):
        editing.change(people, "ada", PersonChange("B", has_name=True), {seen})
    with pytest.raises(PreconditionFailed):
        editing.change(people, "ada", PersonChange("B", has_name=True), set())
    assert listing.identity(people, "ada").name == "A"
    assert counters(store) == (1, 1, 2)
    with pytest.raises(IdentityUnknown):
        editing.change(people, "bob", PersonChange("B", has_name=True), {seen})


def test_of_many_who_change_one_version_one_does(editing, listing, store, people):
    enroll(store, people, "ada")
    seen = {listing.identity(people, "ada").version}

    def change(number: int) -> bool:
        try:
            editing.change(people, "ada", PersonChange(str(number), has_name=True), seen)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(change, range(12))) == 1


def test_a_removed_face_is_a_change_of_its_person(listing, store, people):
    faces = enroll(store, people, "ada", 2)
    seen = listing.identity(people, "ada").version
    store.remove_face(people, faces[0].face_id)
    assert listing.identity(people, "ada").version != seen


# Merging


def test_all_faces_go_over_and_the_other_person_is_gone(editing, listing, store, people, engine):
    keys = store.enroll(people, Person("ada", None, {"a": 1, "b": 1}), [new_face()]).keys
    store.enroll(people, Person("dup", "Ada", {"b": 2, "c": 2}), [new_face(), new_face()])
    assert editing.merge(people, "dup", "ada").revision == 3
    ada = listing.identity(people, "ada")
    assert (ada.name, ada.metadata, ada.faces) == ("Ada", {"a": 1, "b": 1, "c": 2}, 3)
    assert counters(store) == (1, 3, 3)
    with pytest.raises(IdentityUnknown):
        store.enrolled(people, "dup")
    assert set(store.owners(keys)) == set(keys)
    tail = ChangeLog(engine).since(people, 2)
    assert tail is not None
    assert (tail.revision, tail.removed.size) == (3, 0)
    assert set(store.owners(tail.added.tolist())) == set(store.owners(range(99))) - set(keys)  # those that went over


def test_answers_go_over_with_the_faces(editing, store, people, engine):
    store.enroll(people, Person("dup"), [new_face()], IdempotencyRecord("key", "request", {"answer": 1}))
    enroll(store, people, "ada")
    editing.merge(people, "dup", "ada")
    assert answers(engine) == {"key": "ada"}
    again = store.earlier_answer(people, IdempotencyRecord("key", "request"))
    assert again is not None
    store.remove_identity(people, "ada")
    assert answers(engine) == {}


@pytest.mark.parametrize(("one", "into"), [("ada", "nobody"), ("nobody", "ada"), ("ADA", "ada"), ("bob", "ada")])
def test_who_is_not_there_is_not_merged(editing, store, people, one, into):
    enroll(store, people, "ada")
    enroll(store, store.create_collection("other", model="net", dimension=D), "bob")
    with pytest.raises(IdentityUnknown, match="'people'"):
        editing.merge(people, one, into)
    assert counters(store) == (1, 1, 1)


def test_a_person_and_themselves_stay_one(editing, store, people):
    enroll(store, people, "ada", 2)
    editing.merge(people, "ada", "ada")
    assert counters(store)[:2] == (1, 2)
    assert len(ids(store, people, "ada")) == 2


# Moving


def test_a_face_goes_over_to_somebody_else(editing, store, people, engine):
    faces = enroll(store, people, "ada", 2)
    enroll(store, people, "bob")
    store.enroll(people, Person("ada"), [new_face()], IdempotencyRecord("key", "request", {"answer": 1}))
    editing.move_faces(people, [faces[1].face_id], Person("bob"))
    assert faces[1].face_id in ids(store, people, "bob")
    assert faces[1].face_id not in ids(store, people, "ada")
    assert counters(store) == (2, 4, 4)
    assert answers(engine) == {}


def test_who_is_new_is_created_and_who_has_no_face_left_is_gone(editing, store, people):
    (face,) = enroll(store, people, "ada")
    editing.move_faces(people, [face.face_id], Person("eve"))
    assert ids(store, people, "eve") == [face.face_id]
    with pytest.raises(IdentityUnknown):
        store.enrolled(people, "ada")
    assert counters(store) == (1, 1, 2)
    editing.move_faces(people, [face.face_id], Person("eve"))
    assert ids(store, people, "eve") == [face.face_id]


def test_a_face_that_is_not_there_is_not_moved(editing, store, people):
    (face,) = enroll(store, store.create_collection("other", model="net", dimension=D), "ada")
    for each in (face.face_id, "nothing"):
        with pytest.raises(FaceUnknown, match="'people'"):
            editing.move_faces(people, [each], Person("eve"))
    assert counters(store) == (0, 0, 0)


def test_either_all_faces_move_or_none(editing, store, people):
    faces = [each.face_id for each in enroll(store, people, "ada", 2)]
    with pytest.raises(FaceUnknown, match="nothing"):
        editing.move_faces(people, [*faces, "nothing"], Person("eve"))
    assert ids(store, people, "ada") == faces
    assert counters(store) == (1, 2, 1)


def test_faces_of_several_people_move_together(editing, store, people, engine):
    ada, bob, eve = (enroll(store, people, name, 2) for name in ("ada", "bob", "eve"))
    moved = [face.face_id for face in (ada[0], *bob, eve[0])]
    editing.move_faces(people, moved, Person("eve", "Eve"))
    assert sorted(ids(store, people, "eve")) == sorted([*moved, eve[1].face_id])
    assert ids(store, people, "ada") == [ada[1].face_id]
    with pytest.raises(IdentityUnknown):
        store.enrolled(people, "bob")
    assert counters(store) == (2, 6, 4)
    moves = [line.entry for line in Trail(engine).lines() if line.entry.action == "face.moved"]
    assert [(each.subject, each.detail["from"], each.detail["faces"]) for each in moves] == [
        ("eve", "ada", [ada[0].face_id]),
        ("eve", "bob", [face.face_id for face in bob]),
    ]
    with engine.connect() as connection:
        changes = changes_since(connection, people, 3)
    assert changes is not None
    assert len(changes.added) == 3


def test_a_merge_is_undone(editing, listing, store, people):
    consent = Consent("contract", datetime(2026, 1, 1, tzinfo=UTC))
    end = datetime(2030, 1, 1, tzinfo=UTC)
    person = Person("dup", "Dup", {"badge": 7}, Terms(consent, end))
    store.enroll(people, person, faces := [new_face(), new_face()])
    enroll(store, people, "ada")
    before = listing.identity(people, "dup")
    editing.merge(people, "dup", "ada")
    editing.move_faces(people, [face.face_id for face in faces], person)
    after = listing.identity(people, "dup")
    assert replace(after, key=before.key, created_at=before.created_at, updated_at=before.updated_at) == before
    assert len(ids(store, people, "ada")) == 1
    assert counters(store)[:2] == (2, 3)


def test_a_move_does_not_extend_the_retention(editing, listing, store, people):
    people = store.change_settings("people", CollectionSettings(retention_days=30))
    faces = enroll(store, people, "ada", 2)
    before = listing.identity(people, "ada").ends_at
    editing.move_faces(people, [faces[0].face_id], Person("eve"))
    assert listing.identity(people, "eve").ends_at == before


def test_merging_moving_enrolling_and_removing_at_once_keeps_the_counters(editing, store, people, engine):
    faces = enroll(store, people, "ada", 12)
    for number in range(12):
        enroll(store, people, f"p{number}")

    with ThreadPoolExecutor(6) as pool:
        work = [
            pool.submit(editing.move_faces, people, [face.face_id], Person(f"q{at % 5}"))
            for at, face in enumerate(faces)
        ]
        work += [pool.submit(editing.merge, people, f"p{number}", f"p{number + 1}") for number in range(0, 12, 2)]
        work += [pool.submit(enroll, store, people, f"q{number}") for number in range(5)]
        work += [pool.submit(store.remove_identity, people, f"p{number}") for number in range(0, 12, 2)]
        for each in work:
            assert each.exception(30) is None or isinstance(each.exception(), IdentityUnknown)
    with engine.connect() as connection:
        rows = [connection.scalar(select(func.count()).select_from(each)) for each in (IdentityTable, FaceTable)]
    assert list(counters(store)[:2]) == rows


# Histories

_PEOPLE = st.sampled_from(["a", "b", "c"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enroll"), _PEOPLE, st.integers(1, 3)),
        st.tuples(st.just("merge"), _PEOPLE, _PEOPLE),
        st.tuples(st.just("move"), st.integers(0, 9), _PEOPLE),
        st.tuples(st.just("remove face"), st.integers(0, 9), st.none()),
        st.tuples(st.just("remove"), _PEOPLE, st.none()),
    ),
    max_size=12,
)


@settings(max_examples=20)
@given(steps=_STEPS)
def test_after_any_history_counters_and_templates_are_right(databases, steps):
    """A dictionary goes along: who has which faces."""
    with databases.engine() as engine:
        store, editing = IdentityStore(engine), EditingRepository(engine)
        people = store.create_collection("people", model="net", dimension=D)
        owned: dict[str, list[NewFace]] = defaultdict(list)
        for what, one, other in steps:
            faces = [(name, face) for name in sorted(owned) for face in owned[name]]
            if what == "enroll":
                owned[one] += enroll(store, people, one, other)
            elif what == "merge" and owned[one] and owned[other]:
                editing.merge(people, one, other)
                owned[other] += owned.pop(one) if one != other else []
            elif what == "move" and faces:
                name, face = faces[one % len(faces)]
                editing.move_faces(people, [face.face_id], Person(other))
                owned[name].remove(face)
                owned[other].append(face)
            elif what == "remove face" and faces:
                name, face = faces[one % len(faces)]
                store.remove_face(people, face.face_id)
                owned[name].remove(face)
            elif what == "remove" and owned[one]:
                store.remove_identity(people, one)
                del owned[one]
        left = {name: faces for name, faces in owned.items() if faces}
        assert counters(store)[:2] == (len(left), sum(map(len, left.values())))
        page = ListingRepository(engine).identities(people, after=0, limit=9)
        assert {each.identity_id: each.faces for each in page.items} == {name: len(own) for name, own in left.items()}
        for name, own in left.items():
            stored = store.enrolled(people, name)
            vectors = dict(zip(stored.face_ids, stored.vectors, strict=True))
            assert set(vectors) == {face.face_id for face in own}
            assert all(np.array_equal(vectors[face.face_id], face.vector) for face in own)
        keys = [key for keys, _, _ in store.templates(people) for key in keys.tolist()]
        tail = ChangeLog(engine).since(people, 0)  # the contents of an index
        assert tail is not None
        assert sorted(tail.added.tolist()) == keys
