from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from app.database.cipher import Sealed
from app.database.unknown_face_tables import UnknownCropTable, UnknownFaceTable
from app.errors import CollectionSwitched, CollectionUnknown, SealBroken
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.reencryption import Reencryption
from app.gallery.store.unknown.sealing import unknown_crop_context, unknown_template_context
from tests.gallery.store.unknown.remembering import NOON, unknown_face

MOST = 100


def stored(engine, table=UnknownFaceTable) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_a_face_of_a_photo_is_stored_once(engine, unknown, people):
    both = [unknown_face(photo=1, place=0), unknown_face(photo=1, place=1)]
    assert unknown.add(people, both, most=MOST) == 2
    assert unknown.add(people, [*both, unknown_face(photo=2)], most=MOST) == 1
    assert unknown.count(people) == stored(engine) == 3


def test_a_full_collection_takes_no_more(unknown, people):
    assert unknown.add(people, [unknown_face() for _ in range(3)], most=2) == 2
    assert unknown.add(people, [unknown_face()], most=2) == 0


def test_nothing_is_stored_after_remembering_was_switched_off(engine, unknown, people):
    CollectionRepository(engine).change("people", {"remember_unknown_days": None})
    assert unknown.add(people, [unknown_face()], most=MOST) == 0


def test_templates_of_another_network_are_refused(engine, unknown, people):
    with engine.begin() as connection:
        connection.execute(text("UPDATE collections SET uid = 'another'"))
    with pytest.raises(CollectionSwitched):
        unknown.add(people, [unknown_face()], most=MOST)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM collections"))
    with pytest.raises(CollectionUnknown):
        unknown.add(people, [unknown_face()], most=MOST)


@pytest.mark.parametrize(
    ("days", "most_days", "left"),
    [(7, 30, 2), (1, 30, 1), (7, 1, 1), (None, 30, 0)],
)
def test_faces_are_deleted_after_their_time(engine, unknown, people, days, most_days, left):
    seen = [NOON - timedelta(days=8), NOON - timedelta(days=2), NOON]
    unknown.add(people, [unknown_face(seen_at=each, crop=Sealed(b"x", None)) for each in seen], most=MOST)
    CollectionRepository(engine).change("people", {"remember_unknown_days": days})
    assert unknown.delete_expired(NOON, most_days) == 3 - left
    assert stored(engine) == stored(engine, UnknownCropTable) == left
    assert unknown.delete_expired(NOON, most_days) == 0


def test_they_go_with_their_collection(engine, unknown, people):
    unknown.add(people, [unknown_face(crop=Sealed(b"x", None))], most=MOST)
    CollectionRepository(engine).delete(people)
    assert stored(engine) == stored(engine, UnknownCropTable) == 0


def test_templates_and_crops_get_a_new_key(engine, vault, unknown, people):
    face = unknown_face()
    crop = unknown_crop_context(face.face_id, collection_key=people.key)
    unknown.add(people, [replace(face, sealed_crop=vault.seal_file(crop, b"picture")), unknown_face()], most=MOST)
    rotation = Reencryption(engine, vault)
    first, second = vault.newest(), rotation.begin()
    assert sum(rotation.run(second, 1)) == 3
    assert (rotation.finish(second), rotation.left(second), list(rotation.flaws())) == ([first], 0, [])
    context = unknown_template_context(face.face_id, collection_key=people.key, model=people.model)
    with engine.connect() as connection:
        row = connection.execute(select(UnknownFaceTable).where(UnknownFaceTable.face_id == face.face_id)).one()
    assert vault.open(context, row.embedding, row.data_key_id) == face.vector.astype("<f4").tobytes()
    other = unknown_template_context("another", collection_key=people.key, model=people.model)
    with pytest.raises(SealBroken):
        vault.open(other, row.embedding, row.data_key_id)
