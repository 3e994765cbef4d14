import pytest

from app.access.trail import Trail
from app.errors import FaceUnknown, IdentityExists, IdentityUnknown
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.editing import EditingRepository
from app.gallery.store.listing import ListingRepository
from app.gallery.store.subjects import Example, SubjectRepository
from app.gallery.store.values import IdempotencyRecord, Person
from tests.gallery.store.enrolling import enroll, new_face
from tests.gallery.store.test_editing import answers, counters


@pytest.fixture
def subjects(engine) -> SubjectRepository:
    return SubjectRepository(engine)


def actions(engine) -> list[tuple[str, str | None]]:
    return [(line.entry.action, line.entry.subject) for line in Trail(engine).lines()][1:]  # not the collection's own


def logged(engine, collection) -> list[int]:
    """Return the faces that the change log lists as removed."""
    tail = ChangeLog(engine).since(collection, 0)
    assert tail is not None
    return sorted(tail.removed.tolist())


def test_an_identity_without_faces_is_there(engine, subjects, store, people):
    assert subjects.create(people, Person("ada", "Ada")) == 1
    assert subjects.ids(people) == ["ada"]
    assert (subjects.has(people, "ada"), subjects.has(people, "bob")) == (True, False)
    found = ListingRepository(engine).identity(people, "ada")
    assert (found.name, found.faces) == ("Ada", 0)
    assert counters(store) == (1, 0, 1)
    with pytest.raises(IdentityExists):
        subjects.create(people, Person("ada"))
    with pytest.raises(IdentityUnknown):  # nothing to compare with
        store.enrolled(people, "ada")
    assert counters(store) == (1, 0, 1)
    assert actions(engine) == [("identity.created", "ada")]


def test_its_first_face_makes_it_like_any_other(engine, subjects, store, people):
    subjects.create(people, Person("ada", "Ada"))
    enroll(store, people, "ada")
    assert counters(store)[:2] == (1, 1)
    assert len(store.enrolled(people, "ada").keys) == 1
    EditingRepository(engine).merge(people, "ada", "ada")
    subjects.create(people, Person("bob"))
    EditingRepository(engine).merge(people, "bob", "ada")
    assert subjects.ids(people) == ["ada"]
    store.remove_identity(people, "ada")
    assert counters(store)[:2] == (0, 0)


def test_a_rename_changes_the_id_and_a_name_that_was_the_id(engine, subjects, store, people):
    store.enroll(people, Person("ada", "ada"), [new_face()], IdempotencyRecord("key", "0" * 64, {}))
    store.enroll(people, Person("bob", "Bobby"), [new_face()])
    subjects.rename(people, "ada", "Ada Lovelace")
    subjects.rename(people, "bob", "robert")
    assert subjects.ids(people) == ["Ada Lovelace", "robert"]
    listing = ListingRepository(engine)
    assert [listing.identity(people, each).name for each in subjects.ids(people)] == ["Ada Lovelace", "Bobby"]
    assert answers(engine) == {"key": "Ada Lovelace"}  # is deleted with her
    with pytest.raises(IdentityUnknown):
        subjects.rename(people, "ada", "eve")
    with pytest.raises(IdentityExists):
        subjects.rename(people, "robert", "Ada Lovelace")
    assert counters(store) == (2, 2, 4)
    assert actions(engine)[2:] == [("identity.renamed", "ada"), ("identity.renamed", "bob")]


def test_faces_are_counted_off_in_pages(subjects, store, people):
    ada = [each.face_id for each in enroll(store, people, "ada", 3)]
    bob = [each.face_id for each in enroll(store, people, "bob", 2)]
    store.create_collection("others", model="net", dimension=4)
    enroll(store, store.collection("others"), "ada")
    page = subjects.examples(people, start=2, limit=2)
    assert page.items == [Example(ada[2], "ada"), Example(bob[0], "bob")]
    assert page.total == 5
    only = subjects.examples(people, start=0, limit=10, identity_id="bob")
    assert ([each.face_id for each in only.items], only.total) == (bob, 2)
    assert subjects.examples(people, start=5, limit=2).items == []
    assert subjects.examples(people, start=0, limit=2, identity_id="eve").total == 0


def test_the_last_face_goes_and_its_identity_stays(engine, subjects, store, people):
    (face,) = enroll(store, people, "ada")
    example, removed = subjects.remove_face(people, face.face_id)
    assert example == Example(face.face_id, "ada")
    assert subjects.ids(people) == ["ada"]
    assert counters(store) == (1, 0, 2)
    assert logged(engine, people) == list(removed.keys)
    with pytest.raises(FaceUnknown):
        subjects.remove_face(people, face.face_id)
    assert actions(engine)[1:] == [("face.deleted", "ada")]


def test_clearing_leaves_the_collection_alone(engine, subjects, store, people):
    store.create_collection("others", model="net", dimension=4)
    enroll(store, store.collection("others"), "eve")
    enroll(store, people, "ada", 2)
    subjects.create(people, Person("bob"))
    store.enroll(people, Person("cleo"), [new_face()], IdempotencyRecord("key", "0" * 64, {}))
    cleared = subjects.clear(people)
    assert (cleared.identities, cleared.faces) == (2 + 1, 3)
    assert counters(store) == (0, 0, cleared.revision)
    assert counters(store, "others")[:2] == (1, 1)
    assert subjects.ids(people) == []
    assert answers(engine) == {}
    assert len(logged(engine, people)) == cleared.faces
    assert subjects.clear(people).identities == 0
    assert actions(engine)[-1] == ("collection.cleared", None)
