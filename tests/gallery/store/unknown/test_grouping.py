from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from app.errors import CollectionSwitched
from app.gallery.store.crops import CropSealer
from app.gallery.store.unknown.group_edits import GroupEditor
from app.gallery.store.unknown.grouping import GroupingStore
from app.gallery.store.unknown.groups import GroupReader
from app.gallery.store.unknown.sealing import unknown_crop_context
from app.gallery.store.unknown.values import GroupState
from tests.gallery.store.enrolling import D
from tests.gallery.store.unknown.remembering import unknown_face

CROP = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)


@pytest.fixture
def crops(vault):
    return CropSealer(vault)


@pytest.fixture
def grouping(engine, vault, crops):
    return GroupingStore(engine, vault, crops)


@pytest.fixture
def reader(engine, vault, crops):
    return GroupReader(engine, vault, crops)


@pytest.fixture
def kept(unknown, people):
    """Return a function that stores faces and returns their ids."""

    def keep(*faces):
        unknown.add(people, faces, most=1000)
        return [each.face_id for each in faces]

    return keep


def sizes(reader, people):
    return [each.faces for each in reader.page(people, state=GroupState.OPEN, after=0, limit=9).items]


def test_faces_are_read_with_what_is_known_of_them(engine, grouping, people, kept):
    assert grouping.read(people).vectors.shape == (0, D)
    faces = [unknown_face(photo=7, place=0), unknown_face(photo=7, place=1), unknown_face(photo=8)]
    ids = kept(*faces)
    editor = GroupEditor(engine)
    editor.split(people, editor.create(people, ids[1:]), ids[2:])
    read = grouping.read(people)
    assert read.vectors == pytest.approx(np.stack([each.vector for each in faces]))
    assert (read.photos.tolist(), read.qualities.tolist(), read.norms.tolist()) == ([0, 0, 1], [0.5] * 3, [12.5] * 3)
    none, one, other = read.groups.tolist()
    assert (none, read.apart, read.last_group) == (0, ((one, other),), other)


def test_collections_with_loose_faces_are_waiting(engine, grouping, people, kept):
    assert grouping.waiting() == []
    ids = kept(unknown_face(), unknown_face())
    ((collection, newest),) = grouping.waiting()
    assert (collection.name, newest) == ("people", grouping.read(people).keys.max())
    GroupEditor(engine).create(people, ids)
    assert grouping.waiting() == []


def test_groups_grow_and_new_ones_are_made(engine, grouping, reader, people, kept):
    group = GroupEditor(engine).create(people, kept(unknown_face()))
    GroupEditor(engine).set_state(people, group, GroupState.HIDDEN)
    kept(*[unknown_face() for _ in range(4)])
    read = grouping.read(people)
    (own,) = set(read.groups.tolist()) - {0}
    assert grouping.write(people, read, np.array([own, own, own + 1, own + 1, 0])) == (3, 1)
    assert sizes(reader, people) == [2, 2]  # and the hidden one is open again
    assert reader.group(people, group).faces == 2


def test_a_concurrent_change_is_left_alone(engine, grouping, reader, people, kept):
    editor = GroupEditor(engine)
    group = editor.create(people, kept(unknown_face()))
    ids = kept(*[unknown_face() for _ in range(3)])
    read = grouping.read(people)
    (own,) = set(read.groups.tolist()) - {0}
    editor.delete(people, group)
    editor.create(people, ids[:1])
    assert grouping.write(people, read, np.array([own, own + 1, own + 1, own])) == (0, 0)
    assert sizes(reader, people) == [1]


def test_faces_of_another_network_are_embedded_again_or_deleted(engine, grouping, crops, unknown, people, kept):
    face = unknown_face()
    sealed = crops.seal(CROP, unknown_crop_context(face.face_id, collection_key=people.key))
    kept(unknown_face(), unknown_face())
    unknown.add(people, [replace(face, sealed_crop=sealed)], most=9)
    with engine.begin() as connection:
        connection.execute(text("UPDATE unknown_faces SET model = 'before' WHERE image_sha256 != :x"), {"x": "0"})
    assert len(grouping.read(people).keys) == 0
    stale = grouping.stale(people, 9)
    assert [each.crop is None for each in stale] == [True, True, False]
    assert (stale[2].crop == CROP).all()
    grouping.forget(people, stale[:2])
    vectors = np.ones((1, D), np.float32)
    grouping.put(people, stale[2:], vectors, np.array([3], np.float32))
    read = grouping.read(people)
    assert (read.vectors.tolist(), read.norms.tolist(), grouping.stale(people, 9)) == (vectors.tolist(), [3], [])
    with engine.begin() as connection:
        connection.execute(text("UPDATE collections SET uid = 'another'"))
    with pytest.raises(CollectionSwitched):
        grouping.put(people, stale[2:], vectors, np.array([3], np.float32))
