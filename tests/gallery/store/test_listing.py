from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.errors import FaceUnknown, IdentityUnknown
from app.gallery.store.listing import ListingRepository
from app.gallery.store.values import Person
from app.vision.quality import Quality
from tests.gallery.store.enrolling import D, enroll, new_face


@pytest.fixture
def listing(engine) -> ListingRepository:
    return ListingRepository(engine)


def walked(page_of, limit):
    """Return all entries, page by page."""
    after, entries = 0, []
    while True:
        page = page_of(after=after, limit=limit)
        assert len(page.items) <= limit
        entries += page.items
        if page.after is None:
            return entries
        assert len(page.items) == limit
        after = page.after


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_pages_hold_everything_once_in_the_order_in_which_it_came(listing, store, people, limit):
    other = store.create_collection("other", model="another", dimension=D)
    for name in ("d", "b", "a", "c", "e", "g"):
        enroll(store, people, name, 2)
        enroll(store, other, name)
    found = walked(lambda **page: listing.identities(people, **page), limit)
    assert [(each.identity_id, each.faces) for each in found] == [(name, 2) for name in "dbaceg"]
    faces = walked(lambda **page: listing.faces(people, **page), limit)
    assert [each.identity_id for each in faces] == list("ddbbaacceegg")
    assert walked(listing.collections, limit) == [store.collection("people"), store.collection("other")]


def test_an_empty_collection_has_one_empty_page(listing, people):
    for page in (listing.identities(people, after=0, limit=5), listing.faces(people, after=0, limit=5)):
        assert (page.items, page.after) == ([], None)


def test_who_is_there_is_on_exactly_one_page_while_others_come_and_go(listing, store, people):
    for number in range(40):
        enroll(store, people, f"stays-{number}")
        enroll(store, people, f"goes-{number}")

    def write(number: int) -> None:
        enroll(store, people, f"new-{number}")
        store.remove_identity(people, f"goes-{number}")

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, number) for number in range(40)]
        for _ in range(4):
            names = [each.identity_id for each in walked(lambda **page: listing.identities(people, **page), 3)]
            assert len(names) == len(set(names))
            assert [name for name in names if name.startswith("stays")] == [f"stays-{number}" for number in range(40)]
        for each in writing:
            each.result(30)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada", ["ada-1", "x"]),
        ("ADA", ["ada-1", "x"]),
        ("zoë", ["z"]),
        ("ZOË", ["z"]),
        ("%", ["z"]),
        ("_", []),
        ("/", []),
        ("\\", []),
        ("nobody", []),
        ("'", []),
    ],
)
def test_text_is_looked_for_in_id_and_name(listing, store, people, text, found):
    for identity_id, name in {"ada-1": None, "x": "Ada Lovelace", "z": "Zoë 100%", "b": "Bob"}.items():
        store.enroll(people, Person(identity_id, name), [new_face()])
    page = listing.identities(people, after=0, limit=9, text=text)
    assert [each.identity_id for each in page.items] == found


def test_an_identity_with_all_that_is_known(listing, store, people):
    store.enroll(people, Person("ada", "Ada", {"badge": 7}), [new_face(), new_face()])
    ada = listing.identity(people, "ada")
    assert (ada.identity_id, ada.name, ada.metadata, ada.faces) == ("ada", "Ada", {"badge": 7}, 2)
    assert ada.created_at == ada.updated_at
    enroll(store, people, "ada")
    later = listing.identity(people, "ada")
    assert later.updated_at > ada.updated_at == later.created_at
    assert later.version != ada.version
    with pytest.raises(IdentityUnknown, match="'bob'"):
        listing.identity(people, "bob")


def test_a_face_with_all_that_is_known_and_its_vector_only_on_demand(listing, store, people):
    new = new_face(np.array([1, 0, 0, 0], np.float32))
    store.enroll(people, Person("ada"), [new])
    face = listing.face(people, new.face_id)
    assert (face.face_id, face.identity_id, face.box) == (new.face_id, "ada", (1.5, -2, 30, 40.25))
    assert np.array(face.landmarks) == pytest.approx(new.detection.landmarks)
    assert (face.detection_score, face.quality, face.norm, face.model) == (0.75, Quality(0.5), 12.5, "net")
    assert face.image_sha256 == new.image_sha256
    assert face.embedding is None
    shown = listing.face(people, new.face_id, has_embedding=True).embedding
    assert shown is not None
    assert shown.tolist() == [1, 0, 0, 0]
    with pytest.raises(FaceUnknown, match="'nothing'"):
        listing.face(people, "nothing")


def test_faces_of_one_person(listing, store, people):
    faces = enroll(store, people, "ada", 3)
    enroll(store, people, "bob", 2)
    found = listing.faces(people, after=0, limit=9, identity_id="ada").items
    assert [each.face_id for each in found] == [each.face_id for each in faces]
    assert listing.faces(people, after=0, limit=9, identity_id="nobody").items == []
