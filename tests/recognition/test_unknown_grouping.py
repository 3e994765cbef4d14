import pytest
from sqlalchemy import text

from app.database.leader_lock import TaskLock
from app.database.vault import Vault
from app.errors import CollectionUnknown
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.crops import CropSealer
from app.gallery.store.unknown.faces import UnknownFaceStore
from app.gallery.store.unknown.group_edits import GroupEditor
from app.gallery.store.unknown.grouping import GroupingStore
from app.gallery.store.unknown.groups import GroupReader
from app.gallery.store.unknown.values import FaceOrigin, GroupState
from app.recognition.decisions.policy import Policy
from app.recognition.unknown_faces import UnknownFaceLimits, UnknownFaceService
from app.recognition.unknown_grouping import GroupingOutcome, GroupingWorker, UnknownGroupingService
from tests.recognition.fakes import BLUE, GREEN, RED, WHITE, photo
from tests.sealing import FakeSealer

POLICY = Policy(None, 0.8)


class Unnamed:
    """Unknown faces of the collection `people`, and their groups."""

    def __init__(self, engine, analysis, gallery):
        CollectionRepository(engine).change("people", {"remember_unknown_days": 7, "is_crop_kept": True})
        vault, crops = Vault(engine), CropSealer(FakeSealer())
        parts = (lambda _: analysis, lambda _: POLICY)
        self.gallery, self.editor = gallery, GroupEditor(engine)
        store = UnknownFaceStore(engine, vault)
        self.memory = UnknownFaceService(gallery, store, *parts, UnknownFaceLimits(30, 100), crops=crops)
        self.reader = GroupReader(engine, vault, crops)
        self.service = UnknownGroupingService(gallery, GroupingStore(engine, vault, crops), *parts)

    def see(self, *photos):
        for each in photos:
            self.memory.remember_photo("people", each, origin=FaceOrigin.CAMERA, source="door")

    def groups(self):
        page = self.reader.page(self.gallery.require("people"), state=GroupState.OPEN, after=0, limit=9)
        return {each.group_id: each.faces for each in page.items}


@pytest.fixture
def unnamed(engine, analysis, gallery):
    return Unnamed(engine, analysis, gallery)


def test_faces_of_one_person_become_a_group_that_grows(unnamed):
    unnamed.see(photo(BLUE), photo(BLUE, WHITE), photo(RED))
    assert unnamed.service.group("people") == GroupingOutcome(3, 2, 1, 0, 0)
    (group,) = unnamed.groups()
    unnamed.see(photo(BLUE, WHITE, WHITE), photo(RED, WHITE))
    assert unnamed.service.group("people") == GroupingOutcome(5, 3, 1, 0, 0)
    assert sorted(unnamed.groups().values()) == [2, 3]
    assert unnamed.groups()[group] == 3
    with pytest.raises(CollectionUnknown):
        unnamed.service.group("nowhere")


def test_split_groups_stay_apart(unnamed):
    unnamed.see(photo(BLUE), photo(BLUE, WHITE))
    unnamed.service.group("people")
    people = unnamed.gallery.require("people")
    (group,) = unnamed.groups()
    face = unnamed.reader.group(people, group).face_id
    unnamed.editor.split(people, group, [face])
    unnamed.see(photo(BLUE, WHITE, WHITE))
    assert unnamed.service.group("people").new_groups == 0
    assert sorted(unnamed.groups().values()) == [1, 2]


def test_another_network_embeds_from_the_crops(engine, unnamed):
    unnamed.see(photo(BLUE), photo(BLUE, WHITE))
    CollectionRepository(engine).change("people", {"is_crop_kept": False})
    unnamed.see(photo(GREEN))
    with engine.begin() as connection:
        connection.execute(text("UPDATE unknown_faces SET model = 'before'"))
    assert unnamed.service.group("people") == GroupingOutcome(2, 2, 1, 2, 1)


def test_the_worker_groups_collections_with_new_faces(engine, unnamed):
    worker = GroupingWorker(unnamed.service, TaskLock(engine), every=1)
    worker.step()
    unnamed.see(photo(BLUE), photo(BLUE, WHITE), photo(GREEN))
    worker.step()
    assert list(unnamed.groups().values()) == [2]
    unnamed.see(photo(GREEN, WHITE))
    GroupingWorker(unnamed.service, TaskLock(engine), every=1).step()  # another replica waits for the first one
    assert list(unnamed.groups().values()) == [2]
