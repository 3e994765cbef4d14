import threading

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.trail import Trail
from app.database.tables import CropTable, NextTemplateTable
from app.errors import CollectionSwitched, EncryptionRequired, RequestInvalid, TemplatesMissing
from app.gallery.store.binding import crop_context
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.crops import CropSealer
from app.gallery.store.model_migration import MigrationRepository, NextTemplates
from app.gallery.store.values import NewFace, Person
from tests.gallery.store.enrolling import D, new_face
from tests.sealing import FakeSealer

NEXT = 6  # dimension of the other network
CROPS = CropSealer(FakeSealer())


@pytest.fixture
def work(engine) -> MigrationRepository:
    return MigrationRepository(engine, CROPS)


def crop_of(number: int):
    return np.random.default_rng(number).integers(0, 256, (112, 112, 3)).astype(np.uint8)


def with_crop(number: int, identity_id: str = "ada") -> NewFace:
    face = new_face()
    context = crop_context(face.face_id, identity_id=identity_id, collection="people")
    sealed = CROPS.seal(crop_of(number), context)
    return NewFace(
        face.face_id, face.vector, face.norm, face.quality, face.detection, face.image_sha256, sealed_crop=sealed
    )


def enroll(store, people, identity_id, faces):
    return list(store.enroll(people, Person(identity_id), faces).keys)


def made_for(keys, dimension=NEXT) -> NextTemplates:
    """Templates that contain their key."""
    keys = np.array(keys, np.int64)
    vectors = np.repeat(keys[:, None], dimension, axis=1).astype(np.float32)
    return NextTemplates(keys, vectors, keys.astype(np.float32) + 0.5, np.full(len(keys), 0.75, np.float32))


def rows_of(engine, table) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_faces_are_read_in_blocks_with_their_crops(store, work, people):
    faces = [with_crop(number) for number in range(5)]
    keys = enroll(store, people, "ada", faces)
    blocks = list(work.blocks(people, "next", size=2))
    assert [block.keys.tolist() for block in blocks] == [keys[:2], keys[2:4], keys[4:]]
    for number, crop in enumerate(np.concatenate([block.crops for block in blocks])):
        assert (crop == crop_of(number)).all()
    detection = blocks[0].detections[0]
    assert detection.box == faces[0].detection.box
    assert (detection.landmarks == faces[0].detection.landmarks).all()


def test_work_that_was_broken_off_goes_on_where_it_was(store, work, people):
    keys = enroll(store, people, "ada", [with_crop(number) for number in range(4)])
    assert work.put(people, "next", made_for(keys[:2])) == 2
    assert work.put(people, "next", made_for(keys[:2])) == 2  # again does no harm
    assert [block.keys.tolist() for block in work.blocks(people, "next")] == [keys[2:]]
    standing = work.standing(people, "next")
    assert (standing.faces, standing.ready, standing.without_crop) == (4, 2, 0)


def test_faces_without_a_crop_are_named(store, work, people):
    enroll(store, people, "ada", [with_crop(1)])
    bare = new_face()
    (key,) = enroll(store, people, "bob", [bare])
    (named,) = work.without_crop(people, "next")
    assert (named.key, named.face_id, named.identity_id) == (key, bare.face_id, "bob")
    assert work.without_crop(people, "next", after=key) == []
    assert work.standing(people, "next").without_crop == 1


def test_without_a_sealer_no_crop_is_read(engine, people):
    with pytest.raises(EncryptionRequired):
        next(MigrationRepository(engine, None).blocks(people, "next"))


def test_a_switch_swaps_all_templates_and_keeps_all_ids(engine, store, work, people):
    keys = enroll(store, people, "ada", [with_crop(1), with_crop(2)])
    before = store.enrolled(people, "ada")
    work.put(people, "next", made_for(keys))
    after = work.switch(people, model="next", dimension=NEXT).collection
    assert (after.model, after.dimension, after.name, after.faces) == ("next", NEXT, people.name, 2)
    assert after.uid != people.uid
    assert after.revision == store.collection(people.name).revision > people.revision
    now = store.enrolled(after, "ada")
    assert (now.keys.tolist(), now.face_ids) == (before.keys.tolist(), before.face_ids)
    assert (now.vectors == made_for(keys).vectors).all()
    assert now.qualities.tolist() == [0.75, 0.75]
    assert now.model == "next"
    assert {key: owner.norm for key, owner in store.owners(keys).items()} == {key: key + 0.5 for key in keys}
    assert Trail(engine).verify().breaks == []


def test_the_same_call_leads_back(store, work, people):
    keys = enroll(store, people, "ada", [with_crop(1), with_crop(2)])
    before = store.enrolled(people, "ada")
    work.put(people, "next", made_for(keys))
    there = work.switch(people, model="next", dimension=NEXT).collection
    back = work.switch(there, model="net", dimension=D).collection
    assert (store.enrolled(back, "ada").vectors == before.vectors).all()
    assert (store.enrolled(back, "ada").qualities == before.qualities).all()
    again = work.switch(back, model="next", dimension=NEXT).collection
    assert (store.enrolled(again, "ada").vectors == made_for(keys).vectors).all()
    assert len({people.uid, there.uid, back.uid, again.uid}) == 4


def test_a_switch_is_refused_while_a_face_lacks_a_template(store, work, people):
    keys = enroll(store, people, "ada", [with_crop(1)])
    work.put(people, "next", made_for(keys))
    late = new_face()
    enroll(store, people, "bob", [late])  # during the migration
    with pytest.raises(TemplatesMissing) as caught:
        work.switch(people, model="next", dimension=NEXT)
    assert caught.value.faces == [(late.face_id, "bob")]
    assert store.collection(people.name).model == "net"
    assert store.enrolled(people, "ada").model == "net"


def test_the_rest_is_dropped_when_that_is_asked_for(store, engine, work, people):
    keys = enroll(store, people, "ada", [with_crop(1), new_face()])
    gone = enroll(store, people, "bob", [new_face()])
    work.put(people, "next", made_for(keys[:1]))
    done = work.switch(people, model="next", dimension=NEXT, is_rest_dropped=True)
    assert [each.key for each in done.dropped] == [keys[1], *gone]
    assert (done.collection.faces, done.collection.identities) == (1, 1)
    assert store.enrolled(done.collection, "ada").keys.tolist() == keys[:1]
    tail = ChangeLog(engine).since(done.collection, people.revision)
    assert tail is not None
    assert set(tail.removed.tolist()) == {keys[1], *gone}


def test_a_face_that_came_after_the_switch_is_named_on_the_way_back(store, work, people):
    there = work.switch(people, model="next", dimension=NEXT).collection
    late = new_face(np.ones(NEXT, np.float32))
    enroll(store, there, "ada", [late])
    with pytest.raises(TemplatesMissing) as caught:
        work.switch(there, model="net", dimension=D)
    assert caught.value.faces == [(late.face_id, "ada")]


def test_who_holds_the_collection_of_before_is_refused(engine, store, work, people):
    keys = enroll(store, people, "ada", [with_crop(1)])
    work.put(people, "next", made_for(keys))
    work.switch(people, model="next", dimension=NEXT)
    for refused in (
        lambda: enroll(store, people, "ada", [new_face()]),
        lambda: list(store.templates(people)),
        lambda: list(store.templates_of(keys, people)),
        lambda: work.put(people, "third", made_for(keys)),
        lambda: list(work.blocks(people, "third")),
        lambda: work.switch(people, model="third", dimension=2),
        lambda: work.discard(people, "net"),
        lambda: work.standing(people, "third"),
    ):
        with pytest.raises(CollectionSwitched):
            refused()
    assert ChangeLog(engine).since(people, people.revision) is None
    assert store.remove_identity(people, "ada").keys == keys  # work without templates continues


def test_a_collection_cannot_go_where_it_is(work, people):
    with pytest.raises(RequestInvalid, match="uses net already"):
        work.switch(people, model="net", dimension=D)
    with pytest.raises(RequestInvalid):
        work.put(people, "net", made_for([]))


def test_deletion_takes_crops_and_templates_along(engine, store, work, people):
    faces = [with_crop(0), with_crop(1), with_crop(2, "bob")]
    keys = enroll(store, people, "ada", faces[:2]) + enroll(store, people, "bob", faces[2:])
    work.put(people, "next", made_for(keys))
    store.remove_face(people, faces[0].face_id)
    assert (rows_of(engine, CropTable), rows_of(engine, NextTemplateTable)) == (2, 2)
    store.remove_identity(people, "ada")
    assert (rows_of(engine, CropTable), rows_of(engine, NextTemplateTable)) == (1, 1)
    assert work.put(people, "next", made_for(keys)) == 1  # those that are gone are passed over
    CollectionRepository(engine).delete(people)
    assert (rows_of(engine, CropTable), rows_of(engine, NextTemplateTable)) == (0, 0)


def test_what_is_discarded_leads_nowhere(engine, store, work, people):
    keys = enroll(store, people, "ada", [with_crop(1), with_crop(2)])
    work.put(people, "next", made_for(keys))
    assert work.discard(people, "next") == 2
    assert rows_of(engine, NextTemplateTable) == 0
    with pytest.raises(TemplatesMissing):
        work.switch(people, model="next", dimension=NEXT)


def test_another_collection_is_not_touched(store, work, people):
    other = store.create_collection("other", model="net", dimension=D)
    enroll(store, other, "eve", [new_face()])
    before = store.enrolled(other, "eve")
    keys = enroll(store, people, "ada", [with_crop(1)])
    work.put(people, "next", made_for(keys))
    work.switch(people, model="next", dimension=NEXT)
    assert store.collection("other") == store.collections()[0]
    assert (store.enrolled(other, "eve").vectors == before.vectors).all()
    assert store.collection("other").uid == other.uid


def test_readers_never_see_two_networks_at_once(store, work, people):
    keys = enroll(store, people, "ada", [with_crop(1), with_crop(2)]) + enroll(
        store, people, "bob", [with_crop(3, "bob")]
    )
    work.put(people, "next", made_for(keys))
    seen: list[set[tuple[str, int]]] = []
    failures: list[BaseException] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            try:
                owners = store.owners_with_faces(keys)
                seen.append({(each.model, each.vectors.shape[1]) for each in owners})
                now = store.collection(people.name)
                for _, vectors, _ in store.templates(now):
                    assert vectors.shape[1] == now.dimension
            except CollectionSwitched:
                continue
            except BaseException as error:  # noqa: BLE001 - reported to the test
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    now = people
    for _ in range(6):
        model, dimension = ("next", NEXT) if now.model == "net" else ("net", D)
        now = work.switch(now, model=model, dimension=dimension).collection
        count = len(seen)
        while len(seen) < count + 3 and not failures:
            is_over.wait(0.005)
    is_over.set()
    for each in readers:
        each.join()
    assert not failures
    assert {frozenset(each) for each in seen} == {frozenset({("net", D)}), frozenset({("next", NEXT)})}
