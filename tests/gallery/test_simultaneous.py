"""Requests that cannot see each other when they decide: what is refused one after the other is refused at once too."""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from sqlalchemy import update

from app.database.engine import open_engine
from app.database.tables import CollectionTable
from app.errors import (
    ArcidError,
    CollectionSwitched,
    CollectionUnknown,
    ConsentMissing,
    DuplicateIdentity,
    FaceMismatch,
    NothingEnrolled,
)
from app.gallery.store.bulk import BulkWriter, FaceBlock
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.records import PersonChange
from app.gallery.store.snapshot import MovedFace, MovedPerson
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import CollectionSettings, Person, Reaction
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.face_choice import FaceChoice
from app.recognition.screening import Reactions
from app.transfer.bulk_enrollment import BulkEnrollment
from tests.recognition.fakes import BLUE, DIMENSION, GREEN, MODEL, PINK, RED, colour_analysis, photo, vector_of
from tests.recognition.galleries import gallery_on

ROUNDS, THREADS, PROCESSES = 4, 5, 2
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]
NOWHERE = (0, 0, 9, 9), ((0, 0),) * 5, 1
STRICT = CollectionSettings(on_duplicate=Reaction.REJECT, on_mismatch=Reaction.REJECT)


def service_on(engine, store=None, analysis=None) -> EnrollmentService:
    gallery = gallery_on(engine, model=MODEL, dimension=DIMENSION, store=store)
    return EnrollmentService(lambda _: analysis or colour_analysis(), gallery, lambda _: Policy(None, 0.5))


def outcome(enroll: Callable[[], object]) -> str:
    try:
        enroll()
    except ArcidError as error:
        return error.code
    return "enrolled"


def enroll_at_once(url, number, starting, outcomes):
    """Enroll in this process, when all others do: one face as different people, then different faces as one person."""
    engine = open_engine(url)
    service = service_on(engine)
    with ThreadPoolExecutor(THREADS) as pool:
        for turn in range(ROUNDS):
            same = [
                partial(service.enroll, [photo(RED)], collection=f"same {turn}", identity_id=f"{number}-{thread}")
                for thread in range(THREADS)
            ]
            other = [
                partial(service.enroll, [photo(COLOURS[thread])], collection=f"other {turn}", identity_id="one")
                for thread in range(THREADS)
            ]
            for kind, calls in {"same": same, "other": other}.items():
                starting.wait(60)
                for done in pool.map(outcome, calls):
                    outcomes.put((kind, turn, done))
    engine.dispose()


def test_of_ten_enrollments_at_once_by_two_processes_one_is_accepted(databases):
    with databases.url() as url:
        engine = open_engine(url)
        store = IdentityStore(engine)
        names = [f"{kind} {turn}" for kind in ("same", "other") for turn in range(ROUNDS)]
        for name in names:
            store.create_collection(name, model=MODEL, dimension=DIMENSION, settings=STRICT)
        context = multiprocessing.get_context("spawn")
        starting, outcomes = context.Barrier(PROCESSES), context.Queue()
        processes = [
            context.Process(target=enroll_at_once, args=(url, number, starting, outcomes))
            for number in range(PROCESSES)
        ]
        for each in processes:
            each.start()
        told = [outcomes.get(timeout=120) for _ in range(2 * ROUNDS * THREADS * PROCESSES)]
        for each in processes:
            each.join(60)
        counts = {name: Counter(done for kind, turn, done in told if f"{kind} {turn}" == name) for name in names}
        identities = [store.collection(name).identities for name in names]
        engine.dispose()
    of_ten = THREADS * PROCESSES
    assert {name: counts[name] for name in names if name.startswith("same")} == {
        f"same {turn}": {"enrolled": 1, "duplicate_identity": of_ten - 1} for turn in range(ROUNDS)
    }
    # Both processes send each of the five faces; the faces of the first one belong to one person.
    assert {name: counts[name] for name in names if name.startswith("other")} == {
        f"other {turn}": {"enrolled": PROCESSES, "nothing_enrolled": of_ten - PROCESSES} for turn in range(ROUNDS)
    }
    assert identities == [1] * len(names)


class Overtaken(IdentityStore):
    """A store in which something else is written between the decision and the write of the next enrollment."""

    def __init__(self, engine):
        super().__init__(engine)
        self.first: Callable[[], object] | None = None

    def _overtake(self):
        first, self.first = self.first, None
        if first is not None:
            first()

    def enroll(self, *args, **kwargs):
        self._overtake()
        return super().enroll(*args, **kwargs)

    def enroll_people(self, *args, **kwargs):
        self._overtake()
        return super().enroll_people(*args, **kwargs)


@pytest.fixture
def overtaken(engine):
    store = Overtaken(engine)
    store.create_collection("people", model=MODEL, dimension=DIMENSION, settings=STRICT)
    return store


@pytest.fixture
def enroll(engine, overtaken, analysis):
    service = service_on(engine, overtaken, analysis)
    return lambda identity_id, colour, **reactions: service.enroll(
        [photo(colour)], collection="people", identity_id=identity_id, reactions=Reactions(**reactions)
    )


def people(store):
    return store.collection("people").identities


@pytest.fixture
def other(engine, analysis):
    service = service_on(engine, analysis=analysis)
    return lambda identity_id, colour, reaction=None: service.enroll(
        [photo(colour)], collection="people", identity_id=identity_id, reactions=Reactions(reaction, reaction)
    )


def test_a_duplicate_that_is_enrolled_between_is_refused(overtaken, enroll, other):
    overtaken.first = partial(other, "ada", RED)
    with pytest.raises(DuplicateIdentity, match="'ada'"):
        enroll("eve", PINK)
    assert people(overtaken) == 1
    overtaken.first = partial(other, "bob", GREEN)
    enroll("eve", PINK, on_duplicate=Reaction.ALLOW)
    enroll("third", BLUE)
    assert people(overtaken) == 4


def test_a_duplicate_that_is_imported_between_is_refused(engine, overtaken, enroll):
    now = datetime.now(UTC)
    person, face = MovedPerson("ada", None, None, now, now), MovedFace("f", "ada", 1, 1, *NOWHERE, "0" * 64, now)
    block = FaceBlock([person], [face], vector_of(RED)[None])
    overtaken.first = partial(BulkWriter(engine).add, overtaken.collection("people"), block, origin={})
    with pytest.raises(DuplicateIdentity, match="'ada'"):
        enroll("eve", RED)


def moved(engine, collection, face_id):
    EditingRepository(engine).move_faces(collection, [face_id], Person("ada"))


def merged(engine, collection, _):
    EditingRepository(engine).merge(collection, "eve", "ada")


def renamed(engine, collection, _):
    SubjectRepository(engine).rename(collection, "eve", "ada")


@pytest.mark.parametrize("change", [moved, merged, renamed])
def test_ones_own_face_that_becomes_somebody_elses_between_is_a_duplicate(engine, overtaken, enroll, other, change):
    if change is merged:
        other("ada", GREEN)
    (face,) = other("eve", RED).faces
    overtaken.first = partial(change, engine, overtaken.collection("people"), face.face_id)
    with pytest.raises(DuplicateIdentity, match="'ada'"):
        enroll("eve", RED)


def test_who_is_found_again_between_is_a_duplicate(engine, overtaken, enroll, other):
    other("ada", RED)
    target, editing = overtaken.collection("people"), EditingRepository(engine)
    over = PersonChange(expires_at=datetime.now(UTC) - timedelta(days=1), has_expires_at=True)
    editing.change(target, "ada", over)
    overtaken.first = partial(editing.change, target, "ada", PersonChange(has_expires_at=True))
    with pytest.raises(DuplicateIdentity, match="'ada'"):
        enroll("eve", RED)


def test_a_photo_does_not_fit_a_face_that_its_identity_gets_between(overtaken, enroll, other):
    overtaken.first = partial(other, "ada", RED)
    with pytest.raises(NothingEnrolled) as refused:
        enroll("ada", GREEN)
    assert [each.code for each in refused.value.rejected] == [FaceMismatch.code]
    overtaken.first = partial(other, "ada", RED)
    enroll("ada", PINK)


def test_what_the_collection_is_set_to_between_holds(overtaken, enroll, other):
    overtaken.change_settings("people", CollectionSettings())
    other("ada", RED)
    overtaken.first = partial(overtaken.change_settings, "people", STRICT)
    with pytest.raises(DuplicateIdentity):
        enroll("eve", RED)
    overtaken.first = partial(overtaken.change_settings, "people", CollectionSettings(is_consent_required=True))
    with pytest.raises(ConsentMissing):
        enroll("bob", GREEN)


def test_an_import_of_photos_refuses_a_duplicate_that_comes_between(engine, overtaken, analysis, other):
    gallery = gallery_on(engine, model=MODEL, dimension=DIMENSION, store=overtaken)
    enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
    bulk = BulkEnrollment(enrollment, gallery, "people", FaceChoice.ONLY)
    new = [(Person(name), [bulk.prepare(photo(colour), name)]) for name, colour in (("eve", RED), ("bob", GREEN))]
    overtaken.first = partial(other, "ada", PINK)
    eve, bob = bulk.add(new)
    assert [(place, error.code) for place, error in eve.refused] == [(0, "duplicate_identity")]
    assert (eve.enrolled, bob.enrolled, bob.refused) == (0, 1, [])
    # Any settings that make faces alike will do.
    overtaken.change_settings("people", CollectionSettings(is_flip_averaged=True))
    assert bulk.add([(Person("blue"), [bulk.prepare(photo(BLUE), "b")])])[0].enrolled == 1


def test_nothing_is_imported_into_what_went_over_to_another_network_meanwhile(engine, overtaken):
    before, now = overtaken.collection("people"), datetime.now(UTC)
    CollectionRepository(engine).delete(before)
    with pytest.raises(CollectionUnknown):
        BulkWriter(engine).add(before, FaceBlock([], [], np.empty((0, DIMENSION), np.float32)), origin={})
    overtaken.create_collection("people", model=MODEL, dimension=DIMENSION)
    current = overtaken.collection("people")
    with engine.begin() as connection:
        connection.execute(update(CollectionTable).values(uid="another"))
    person, face = MovedPerson("ada", None, None, now, now), MovedFace("f", "ada", 1, 1, *NOWHERE, "0" * 64, now)
    with pytest.raises(CollectionSwitched):
        BulkWriter(engine).add(current, FaceBlock([person], [face], vector_of(RED)[None]), origin={})
    assert overtaken.collection("people").faces == 0
