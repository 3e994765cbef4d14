from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from app.gallery.owner_cache import OwnerCache
from app.gallery.store.collection_reader import CollectionReader
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.records import PersonChange
from app.gallery.store.values import Person
from tests.recognition.enrolling import D, enroll, found, new_face, units
from tests.recognition.galleries import gallery_on


@pytest.fixture
def gallery(engine):
    gallery = gallery_on(engine, model="net", dimension=D)
    gallery.ensure("people")
    return gallery


@pytest.fixture
def statements(engine):
    """The statements that read faces, in their order."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if "FROM identities" in statement:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def names(gallery, vector) -> list[str | None]:
    people = gallery.require("people")
    return [each.name for each in gallery.nearest_identities(people, vector[None], 5)]


def change(engine, gallery, identity_id: str, **fields) -> None:
    EditingRepository(engine).change(gallery.require("people"), identity_id, PersonChange(**fields))


def test_a_second_search_asks_no_query_until_a_write(engine, gallery, statements):
    vectors = units(2, seed=1)
    for identity_id, vector in zip(("ada", "bob"), vectors, strict=True):
        enroll(gallery, gallery.require("people"), identity_id, vector[None])
    assert found(gallery, gallery.require("people"), vectors[0]) == "ada"
    asked = len(statements)
    assert asked
    assert found(gallery, gallery.require("people"), vectors[1]) == "bob"
    assert len(statements) == asked
    change(engine, gallery, "ada", has_name=True, name="Countess")
    assert names(gallery, vectors[0]) == ["Countess", "Bob"]


@pytest.mark.parametrize("is_other", [False, True])
def test_every_write_is_seen_by_the_next_search(engine, gallery, is_other):
    writer = gallery_on(engine, model="net", dimension=D) if is_other else gallery
    vectors = units(3, seed=1)
    for identity_id, vector in zip(("ada", "bob", "cyd"), vectors, strict=True):
        enroll(writer, writer.require("people"), identity_id, vector[None])
    gallery.follow()
    assert found(gallery, gallery.require("people"), vectors[0]) == "ada"
    change(engine, writer, "ada", has_name=True, name="Countess")
    assert "Countess" in names(gallery, vectors[0])
    EditingRepository(engine).merge(writer.require("people"), "ada", "bob")
    assert found(gallery, gallery.require("people"), vectors[0]) == "bob"
    writer.remove_identity(writer.require("people"), "bob")
    assert found(gallery, gallery.require("people"), vectors[0]) == "cyd"
    change(engine, writer, "cyd", has_expires_at=True, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert names(gallery, vectors[0]) == []


def test_a_person_who_was_kept_expires(engine, gallery):
    vector = units(1, seed=1)
    enroll(gallery, gallery.require("people"), "ada", vector)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    change(engine, gallery, "ada", has_expires_at=True, expires_at=soon)
    people = gallery.require("people")
    cache = OwnerCache(IdentityStore(engine))
    assert [each.identity_id for each in cache.owners(people, [1])] == ["ada"]
    while datetime.now(UTC) <= soon:
        pass
    assert cache.owners(people, [1]) == []


def test_owners_are_of_one_state_and_in_one_order(engine, gallery):
    vectors = units(4, seed=1)
    for identity_id, vector in zip("abc", vectors, strict=False):
        enroll(gallery, gallery.require("people"), identity_id, vector[None])
    before, cache = gallery.require("people"), OwnerCache(IdentityStore(engine))
    assert [each.identity_id for each in cache.owners(before, [2])] == ["b"]
    assert [each.identity_id for each in cache.owners(before, [3, 2, 1])] == ["a", "b", "c"]
    gallery.add(before, Person("b"), [new_face(vectors[3])], None)
    assert [each.keys.tolist() for each in cache.owners(before, [4, 1])] == [[1], [2, 4]]


class WrittenMeanwhile(CollectionReader):
    """Reports a former state: somebody writes after the state was asked for."""

    former: tuple[str, int] | None = None

    def state(self, of):
        return self.former or super().state(of)


def test_a_write_between_two_reads_gives_one_state(engine, gallery):
    vectors = units(2, seed=1)
    enroll(gallery, gallery.require("people"), "ada", vectors[:1])
    people, store = gallery.require("people"), IdentityStore(engine)
    reader = store.reader = WrittenMeanwhile(engine)
    cache = OwnerCache(store)
    assert [each.keys.tolist() for each in cache.owners(people, [1])] == [[1]]
    reader.former = reader.state(people)
    enroll(gallery, people, "ada", vectors[1:])
    assert [each.keys.tolist() for each in cache.owners(people, [1, 2])] == [[1, 2]]


def test_a_deleted_collection_has_no_owners(engine, gallery):
    vector = units(1, seed=1)
    enroll(gallery, gallery.require("people"), "ada", vector)
    people, cache = gallery.require("people"), OwnerCache(IdentityStore(engine))
    assert cache.owners(people, [1])
    gallery.drop(people, CollectionRepository(engine).delete)
    assert cache.owners(people, [1]) == []


def test_erased_people_do_not_stay_in_memory(engine, gallery):
    vector = units(1, seed=1)
    enroll(gallery, gallery.require("people"), "ada", vector)
    own = gallery_on(engine, model="net", dimension=D)
    for each in (gallery, own):
        each.follow()
        assert found(each, each.require("people"), vector[0]) == "ada"
        assert each._owners._kept
    gallery.remove_identity(gallery.require("people"), "ada")
    own.follow()
    assert not gallery._owners._kept
    assert not own._owners._kept


def test_few_faces_are_kept(engine, gallery, monkeypatch):
    monkeypatch.setattr("app.gallery.owner_cache._MOST_FACES", 2)
    for identity_id, vector in zip("abc", units(3, seed=1), strict=True):
        enroll(gallery, gallery.require("people"), identity_id, vector[None])
    people, cache = gallery.require("people"), OwnerCache(IdentityStore(engine))
    assert len(cache.owners(people, [1, 2])) == 2
    assert len(cache.owners(people, [1, 2, 3])) == 3
    assert sum(len(each.by_key) for each in cache._kept.values()) <= 2
