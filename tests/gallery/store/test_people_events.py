import numpy as np
import pytest
from sqlalchemy import delete, select

from app.database import outbox
from app.database.cipher import Master, new_secret
from app.database.event_images import open_image, seal_image
from app.database.event_table import EventTable
from app.database.outbox import EventKind, NewEvent
from app.database.rule_tables import RuleCooldownTable
from app.database.vault import Vault
from app.errors import ConsentMissing
from app.gallery.store import people_events
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.reencryption import Reencryption
from app.gallery.store.snapshot import CollectionExporter
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import CollectionSettings, IdempotencyRecord, Person
from app.notify.rule_store import RuleStore
from app.notify.sighting_service import SightingService
from tests.gallery.store.enrolling import D, enroll, new_face
from tests.notify.sightings import rule, sighting


@pytest.fixture
def subjects(engine):
    return SubjectRepository(engine)


@pytest.fixture
def editing(engine):
    return EditingRepository(engine)


def events(engine):
    with engine.connect() as connection:
        return connection.execute(select(EventTable.__table__).order_by(EventTable.id)).all()


def told(engine):
    return [(each.kind, each.subject, each.data.get("reason")) for each in events(engine)]


def empty(engine):
    with engine.begin() as connection:
        connection.execute(delete(EventTable))


def see(engine, identity_id="ada"):
    SightingService(engine).record(sighting(identity_id=identity_id))


def cooldowns(engine):
    with engine.connect() as connection:
        return list(connection.scalars(select(RuleCooldownTable.subject)))


def test_an_enrollment_is_an_event_of_the_person(store, people, engine):
    faces = enroll(store, people, "ada", faces=2)
    enroll(store, people, "ada")
    first, second = events(engine)
    assert (first.kind, first.key, first.collection, first.subject) == (
        "enrollment.added",
        "collection:people",
        "people",
        "ada",
    )
    assert first.data == {
        "reason": "enrolled",
        "identity_id": "ada",
        "is_new": True,
        "faces": 2,
        "face_ids": [face.face_id for face in faces],
    }
    assert (second.data["is_new"], second.data["faces"]) == (False, 1)


def test_an_enrollment_that_fails_or_is_repeated_makes_no_event(store, engine):
    retry = IdempotencyRecord("k", "0" * 64, {"answer": 1})
    strict = store.create_collection(
        "s", model="net", dimension=D, settings=CollectionSettings(is_consent_required=True)
    )
    with pytest.raises(ConsentMissing):
        store.enroll(strict, Person("ada"), [new_face()])
    people = store.create_collection("people", model="net", dimension=D)
    for _ in range(2):
        store.enroll(people, Person("ada"), [new_face()], retry)
    assert told(engine) == [("enrollment.added", "ada", "enrolled")]


def test_an_import_is_one_event_for_each_transaction(store, people, engine):
    store.enroll_people(people, [(Person(name), [new_face()]) for name in "abc"])
    with CollectionExporter(engine, Vault(engine)).snapshot("people") as snapshot:
        block = FaceBlock(list(snapshot.people()), list(snapshot.faces()), np.concatenate(list(snapshot.vectors())))
    store.remove_identity(people, "a")
    empty(engine)
    BulkWriter(engine).add(people, block, origin={})
    BulkWriter(engine).add(people, block, origin={})  # nothing is new
    store.enroll_people(people, [(Person("a"), [new_face()]), (Person("d"), [new_face()])])
    assert told(engine) == [("enrollment.added", None, "imported")] * 2
    assert [(each.data["identities"], each.data["faces"]) for each in events(engine)] == [(1, 1), (1, 2)]


def test_a_removed_person_takes_all_events_along(store, people, engine):
    enroll(store, people, "ada", faces=2)
    enroll(store, people, "bob")
    see(engine)
    assert ("person.recognised", "ada", None) in told(engine)
    removed = store.remove_identity(people, "ada")
    assert removed.events == 2
    assert told(engine) == [("enrollment.added", "bob", "enrolled"), ("enrollment.removed", "ada", "deleted")]
    assert events(engine)[-1].data["is_whole"] is True
    assert "Ada" not in str(events(engine))


def test_a_removed_face_leaves_the_events_of_its_person(store, people, engine):
    first, last = (face.face_id for face in enroll(store, people, "ada", faces=2))
    assert store.remove_face(people, first).events == 0
    assert told(engine)[0] == ("enrollment.added", "ada", "enrolled")
    assert (events(engine)[1].data["face_ids"], events(engine)[1].data["is_whole"]) == ([first], False)
    assert store.remove_face(people, last).events == 2
    assert told(engine) == [("enrollment.removed", "ada", "deleted")]


def test_an_expired_person_is_removed_for_that_reason(store, people, engine):
    enroll(store, people, "ada")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE identities SET expires_at = '2020-01-01 00:00:00'")
    store.remove_identity(people, "ada", only_expired=True)
    assert told(engine) == [("enrollment.removed", "ada", "expired")]


def test_events_follow_a_merged_person(store, people, editing, engine):
    enroll(store, people, "ada")
    enroll(store, people, "ada2", faces=2)
    see(engine, "ada2")
    editing.merge(people, "ada2", "ada")
    assert told(engine)[2:] == [
        ("person.recognised", "ada", None),
        ("enrollment.removed", "ada2", "merged"),
        ("enrollment.added", "ada", "merged"),
    ]
    removed, added = events(engine)[-2:]
    assert (removed.data["into"], removed.data["is_whole"], added.data["faces"]) == ("ada", True, 2)
    store.remove_identity(people, "ada")
    assert told(engine) == [("enrollment.removed", "ada2", "merged"), ("enrollment.removed", "ada", "deleted")]


def test_moved_faces_are_events_of_both_people(store, people, editing, engine):
    first, second = (face.face_id for face in enroll(store, people, "ada", faces=2))
    see(engine)
    empty_but_seen = len(events(engine))
    editing.move_faces(people, [first], Person("bob"))
    assert told(engine)[empty_but_seen:] == [
        ("enrollment.added", "bob", "moved"),
        ("enrollment.removed", "ada", "moved"),
    ]
    editing.move_faces(people, [second], Person("bob"))
    assert ("person.recognised", "bob", None) in told(engine)  # ada is gone
    assert (events(engine)[-1].data["into"], events(engine)[-1].data["is_whole"]) == ("bob", True)


def test_events_follow_a_renamed_person(store, people, subjects, engine):
    enroll(store, people, "ada")
    see(engine)
    subjects.rename(people, "ada", "eva")
    assert told(engine)[1:] == [
        ("person.recognised", "eva", None),
        ("enrollment.removed", "ada", "renamed"),
        ("enrollment.added", "eva", "renamed"),
    ]


def test_people_without_faces_are_events_as_well(store, people, subjects, engine):
    subjects.create(people, Person("ada"))
    face = enroll(store, people, "ada")[0]
    subjects.remove_face(people, face.face_id)
    assert told(engine) == [
        ("enrollment.added", "ada", "enrolled"),
        ("enrollment.added", "ada", "enrolled"),
        ("enrollment.removed", "ada", "deleted"),
    ]
    assert [each.data["faces"] for each in events(engine)] == [0, 1, 1]
    assert events(engine)[-1].data["is_whole"] is False


def test_a_collection_takes_its_events_along(store, people, subjects, engine):
    other = store.create_collection("other", model="net", dimension=D)
    for collection in (people, other):
        enroll(store, collection, "ada")
    see(engine)
    subjects.clear(people)
    assert told(engine) == [("enrollment.added", "ada", "enrolled"), ("enrollment.removed", None, "cleared")]
    assert (events(engine)[-1].data["identities"], events(engine)[-1].data["faces"]) == (1, 1)
    CollectionRepository(engine).delete(store.collection("other"))
    assert told(engine) == [("enrollment.removed", None, "cleared"), ("enrollment.removed", None, "collection_deleted")]


def test_cooldowns_about_a_person_are_deleted_with_them(store, people, subjects, editing, engine):
    RuleStore(engine).create(rule(cooldown_seconds=60))
    service = SightingService(engine)
    for identity_id in "abcd":
        enroll(store, people, identity_id)
        service.record(sighting(identity_id=identity_id))
    store.remove_identity(people, "a")
    editing.merge(people, "b", "c")
    assert sorted(cooldowns(engine)) == ["c", "d"]
    subjects.clear(people)
    assert cooldowns(engine) == []


def test_events_of_many_faces_name_the_first_ones_only(store, people, engine, monkeypatch):
    monkeypatch.setattr(people_events, "_MOST_IDS", 2)
    faces = enroll(store, people, "ada", faces=3)
    data = events(engine)[0].data
    assert (data["faces"], data["face_ids"]) == (3, [face.face_id for face in faces[:2]])


def test_where_events_are_switched_off_changes_make_none(engine):
    store = IdentityStore(engine.execution_options(has_events=False))
    people = store.create_collection("people", model="net", dimension=D)
    enroll(store, people, "ada")
    store.remove_identity(people, "ada")
    assert events(engine) == []


def test_a_key_rotation_deletes_the_images_that_are_older_than_the_key(engine):
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    store = IdentityStore(engine, vault)
    enroll(store, store.create_collection("people", model="net", dimension=D), "ada")

    def add(event_id):
        with engine.begin() as connection:
            image = seal_image(vault, event_id, b"JPEG")
            outbox.append(connection, NewEvent(EventKind.TEST, "test", image=image, event_id=event_id))

    add("old")
    rotation = Reencryption(engine, vault)
    key = rotation.begin()
    add("new")
    list(rotation.run(key, 10))
    assert len(rotation.finish(key)) == 1
    images = {each.event_id: each.image for each in events(engine)}
    assert images["old"] is None
    assert open_image(vault, "new", images["new"]) == b"JPEG"


def test_an_image_whose_data_key_is_gone_cannot_be_opened(engine):
    vault = Vault(engine, Master(new_secret()))
    vault.open_keys()
    image = seal_image(vault, "e", b"JPEG")
    assert image is not None
    assert open_image(vault, "e", image[:1] + bytes(7) + b"\x09" + image[9:]) is None
    assert open_image(Vault(engine), "e", image) is None
