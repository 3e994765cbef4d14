import pytest
from sqlalchemy.orm import Session

from app.access.trail import Trail
from app.errors import FaceUnknown, GroupUnknown, PreconditionFailed, RequestInvalid
from app.gallery.store.crops import CropSealer
from app.gallery.store.unknown.group_edits import GroupEditor, apart_from
from app.gallery.store.unknown.groups import GroupReader
from app.gallery.store.unknown.values import GroupState
from tests.gallery.store.unknown.remembering import NOON, unknown_face


@pytest.fixture
def editor(engine):
    return GroupEditor(engine)


@pytest.fixture
def reader(engine, vault):
    return GroupReader(engine, vault, CropSealer(vault))


@pytest.fixture
def grouped(unknown, editor, people):
    """Return a function that stores faces of these qualities as a group, and returns its id and theirs."""

    def group(*qualities: float):
        faces = [unknown_face(quality=each) for each in qualities]
        unknown.add(people, faces, most=1000)
        ids = [each.face_id for each in faces]
        return editor.create(people, ids), ids

    return group


def sizes(reader, people, state=GroupState.OPEN):
    return [each.faces for each in reader.page(people, state=state, after=0, limit=50).items]


def face_ids(reader, people, group_id):
    group = None if group_id is None else reader.group(people, group_id)
    return [each.face_id for each in reader.faces(people, group, after=0, limit=50).items]


def test_the_largest_groups_come_first(reader, people, grouped, unknown):
    (small, _), (large, faces) = grouped(0.5), grouped(0.3, 0.9, 0.4)
    unknown.add(people, [unknown_face()], most=1000)
    page = reader.page(people, state=GroupState.OPEN, after=0, limit=1)
    (first,) = page.items
    assert (first.group_id, first.faces, first.face_id, first.has_image) == (large, 3, faces[1], False)
    assert (first.first_seen, page.after, page.total, page.faces, page.ungrouped) == (NOON, 1, 2, 5, 1)
    rest = reader.page(people, state=GroupState.OPEN, after=1, limit=1)
    assert ([each.group_id for each in rest.items], rest.after) == ([small], None)


def test_a_merged_group_has_the_faces_of_both(engine, reader, editor, people, grouped):
    (one, first), (other, second) = grouped(0.5, 0.6), grouped(0.7)
    editor.set_state(people, one, GroupState.HIDDEN)
    editor.merge(people, one, [other])
    assert face_ids(reader, people, one) == first + second
    merged = reader.group(people, one)
    assert (merged.state, merged.face_id) == (GroupState.OPEN, second[0])
    with pytest.raises(GroupUnknown):
        reader.group(people, other)
    line = [each.entry for each in Trail(engine).lines()][-1]
    assert (line.action, line.subject, line.detail) == ("group.merged", one, {"from": [other]})


def test_split_groups_are_kept_apart_also_from_what_either_is_apart_from(engine, reader, editor, people, grouped):
    group, (first, second, third) = grouped(0.5, 0.6, 0.7)
    one = editor.split(people, group, [first])
    two = editor.split(people, group, [second])
    assert (face_ids(reader, people, one), face_ids(reader, people, group)) == ([first], [third])
    keys = {each: reader.group(people, each).key for each in (group, one, two)}
    with Session(engine) as session:
        assert apart_from(session, keys[two]) == {keys[group], keys[one]}
    editor.merge(people, group, [one])  # a person may
    with Session(engine) as session:
        assert apart_from(session, keys[group]) == {keys[two]}


def test_what_does_not_fit_is_refused(editor, people, grouped):
    (one, faces), (_, others) = grouped(0.5, 0.6), grouped(0.7)
    with pytest.raises(FaceUnknown):
        editor.split(people, one, others)
    with pytest.raises(FaceUnknown):
        editor.create(people, ["nobody"])
    for work in (lambda: editor.split(people, one, faces), lambda: editor.create(people, faces)):
        with pytest.raises(RequestInvalid):
            work()
    with pytest.raises(GroupUnknown):
        editor.merge(people, one, ["nobody"])


def test_the_second_of_two_reviewers_does_not_overwrite_the_first(reader, editor, people, grouped):
    (one, faces), (other, _) = grouped(0.5, 0.6), grouped(0.7)
    seen = {reader.group(people, each).version for each in (one, other)}
    editor.set_state(people, other, GroupState.IGNORED, seen)
    for work in (
        lambda: editor.set_state(people, other, GroupState.OPEN, seen),
        lambda: editor.merge(people, one, [other], seen),
        lambda: editor.delete(people, other, seen),
    ):
        with pytest.raises(PreconditionFailed):
            work()
    editor.split(people, one, faces[:1], seen)
    assert (sizes(reader, people), sizes(reader, people, GroupState.IGNORED)) == ([1, 1], [1])


def test_a_deleted_group_takes_its_faces_with_it(reader, editor, unknown, people, grouped):
    (one, _), _ = grouped(0.5, 0.6), grouped(0.7)
    assert editor.delete(people, one) == 2
    assert (unknown.count(people), sizes(reader, people)) == (1, [1])


def test_a_group_without_faces_goes(reader, unknown, people, grouped):
    grouped(0.5, 0.6)
    unknown.delete_expired(NOON, 0)
    assert sizes(reader, people) == []


def test_faces_are_opened_for_enrollment(reader, people, grouped):
    group, (_, better) = grouped(0.5, 0.6)
    found = reader.best_faces(people, reader.group(people, group), 1)
    assert [each.face_id for each in found] == [better]
    assert (found[0].vector is None, found[0].crop, found[0].quality.score) == (False, None, 0.6)
