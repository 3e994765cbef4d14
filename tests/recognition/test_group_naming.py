from datetime import UTC, datetime

import pytest

from app.database.vault import Vault
from app.errors import (
    ConsentMissing,
    DuplicateIdentity,
    GroupUnknown,
    IdentityExists,
    IdentityUnknown,
    NothingEnrolled,
    PreconditionFailed,
)
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.crops import CropSealer
from app.gallery.store.unknown.faces import UnknownFaceStore
from app.gallery.store.unknown.group_edits import GroupEditor
from app.gallery.store.unknown.groups import GroupReader
from app.gallery.store.unknown.values import FaceOrigin, GroupState
from app.gallery.store.values import Consent, Person, Reaction, Terms
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.group_naming import MOST_ENROLLED, GroupNamingService, NamingOptions
from app.recognition.screening import Reactions
from app.recognition.unknown_faces import UnknownFaceLimits, UnknownFaceService
from tests.recognition.fakes import BLUE, GREEN, RED, WHITE, photo, vector_of
from tests.sealing import FakeSealer

POLICY = Policy(None, 0.8)


class World:
    """The services around one collection, `people`."""

    def __init__(self, engine, analysis, gallery):
        vault, crops = Vault(engine), CropSealer(FakeSealer())
        self.gallery, self.engine = gallery, engine
        self.set(remember_unknown_days=7, is_crop_kept=True)
        store = UnknownFaceStore(engine, vault)
        parts = (lambda _: analysis, lambda _: POLICY)
        self.memory = UnknownFaceService(gallery, store, *parts, UnknownFaceLimits(30, 100), crops=crops)
        self.reader, self.editor = GroupReader(engine, vault, crops), GroupEditor(engine)
        enrollment = EnrollmentService(parts[0], gallery, parts[1], crops=crops)
        self.naming = GroupNamingService(gallery, self.reader, enrollment, parts[0])

    @property
    def people(self):
        return self.gallery.require("people")

    def set(self, **settings):
        CollectionRepository(self.engine).change("people", settings)

    def group(self, *photos: bytes) -> str:
        for each in photos:
            assert self.memory.remember_photo("people", each, origin=FaceOrigin.IMPORT) == 1
        faces = self.reader.faces(self.people, None, after=0, limit=200).items
        return self.editor.create(self.people, [each.face_id for each in faces])

    def enrolled(self, identity_id):
        return self.gallery.enrolled(self.people, identity_id)


@pytest.fixture
def world(engine, analysis, gallery):
    return World(engine, analysis, gallery)


def shots(colour, count):
    return [photo(colour, *[WHITE] * number) for number in range(count)]


@pytest.mark.parametrize("keeps_crops", [True, False])
def test_a_group_becomes_a_person(world, keeps_crops):
    world.set(is_crop_kept=keeps_crops)
    group = world.group(*shots(BLUE, 3))
    named = world.naming.name("people", group, Person("ada", "Ada", {"site": "Oslo"}))
    assert (named.identity_id, len(named.faces), named.rejected) == ("ada", 3, [])
    person = world.enrolled("ada")
    assert (person.name, len(person.keys)) == ("Ada", 3)
    assert person.vectors[0] == pytest.approx(vector_of(BLUE), abs=1e-3)
    assert world.reader.faces(world.people, None, after=0, limit=9).items == []
    again = world.naming.name("people", group, Person("ada", "Ada", {"site": "Oslo"}))
    assert [each.face_id for each in again.faces] == [each.face_id for each in named.faces]
    with pytest.raises(GroupUnknown, match="another request"):
        world.naming.name("people", group, Person("eve"))


def test_a_person_without_an_id_gets_one(world):
    group = world.group(photo(BLUE))
    named = world.naming.name("people", group, Person(""))
    assert world.enrolled(named.identity_id).name is None
    assert world.naming.name("people", group, Person("")).identity_id == named.identity_id


def test_a_group_is_added_to_somebody(world):
    with pytest.raises(IdentityUnknown):
        world.naming.add_to("people", world.group(photo(BLUE)), "ada")
    first, *_ = world.reader.page(world.people, state=GroupState.OPEN, after=0, limit=9).items
    world.naming.name("people", first.group_id, Person("ada"))
    world.naming.add_to("people", world.group(photo(BLUE, WHITE)), "ada")
    assert len(world.enrolled("ada").keys) == 2
    with pytest.raises(IdentityExists):
        world.naming.name("people", world.group(photo(GREEN)), Person("ada"))
    assert len(world.enrolled("ada").keys) == 2


def test_the_rules_of_enrollment_hold(world):
    world.naming.name("people", world.group(photo(BLUE)), Person("ada"))
    group = world.group(photo(BLUE, WHITE))
    reject = NamingOptions(Reactions(on_duplicate=Reaction.REJECT))
    with pytest.raises(DuplicateIdentity):
        world.naming.name("people", group, Person("eve"), reject)
    world.set(is_consent_required=True)
    with pytest.raises(ConsentMissing):
        world.naming.name("people", group, Person("eve"))
    given = Terms(Consent("consent", datetime(2026, 1, 1, tzinfo=UTC)))
    assert world.naming.name("people", group, Person("eve", terms=given)).duplicates
    world.set(enroll_quality=1)
    assert world.memory.remember_photo("people", photo(GREEN), origin=FaceOrigin.IMPORT) == 0


def test_faces_that_are_refused_stay_in_no_group(world):
    group = world.group(photo(RED), photo(RED, WHITE), photo(GREEN))
    reject = NamingOptions(Reactions(on_mismatch=Reaction.REJECT))
    named = world.naming.name("people", group, Person("ada"), reject)
    assert ([each.code for each in named.rejected], len(named.faces)) == (["face_mismatch"], 2)
    (left,) = world.reader.faces(world.people, None, after=0, limit=9).items
    assert left.group_id is None
    world.set(enroll_quality=0.9)
    with pytest.raises(NothingEnrolled):
        world.naming.name("people", world.editor.create(world.people, [left.face_id]), Person("eve"))


def test_only_the_best_faces_are_enrolled_and_the_others_go(world):
    group = world.group(*[photo((0, 0, 255 - 2 * number)) for number in range(MOST_ENROLLED + 2)])
    seen = {world.reader.group(world.people, group).version}
    world.editor.set_state(world.people, group, GroupState.HIDDEN)
    with pytest.raises(PreconditionFailed):
        world.naming.name("people", group, Person("ada"), NamingOptions(versions=seen))
    assert len(world.naming.name("people", group, Person("ada")).faces) == MOST_ENROLLED
    assert world.reader.page(world.people, state=GroupState.OPEN, after=0, limit=9).faces == 0
