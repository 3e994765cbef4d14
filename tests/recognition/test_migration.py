"""Migration of a served collection to another network, with networks that recognize colours."""

import threading

import numpy as np
import pytest

from app.access.trail import Trail
from app.errors import (
    CollectionSwitched,
    EncryptionRequired,
    JobCancelled,
    ModelMismatch,
    NoWayBack,
    RequestInvalid,
    TemplatesMissing,
)
from app.gallery.gallery import Gallery
from app.gallery.index.flat import FlatIndex
from app.gallery.index_projection import LocalProjection
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.crops import CropSealer
from app.gallery.store.identities import IdentityStore
from app.gallery.store.model_migration import MigrationRepository
from app.gallery.store.values import CollectionSettings
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.migration import MigrationService
from tests.recognition.fakes import BLUE, GREEN, RED, colour_analysis, photo
from tests.recognition.serving import serving_of
from tests.sealing import FakeSealer

COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}
YELLOW = (255, 255, 0)
CROPS = CropSealer(FakeSealer())


@pytest.fixture(scope="module")
def registry():
    own, other = colour_analysis(), colour_analysis(is_inverted=True)
    own.model, other.model = "one", "two"
    return serving_of({"one": own, "two": other}, one=3, two=3)


class Built(LocalProjection):
    """Counts how often an index was built from the database."""

    count = 0

    def _rebuild(self):
        type(self).count += 1
        super()._rebuild()


@pytest.fixture
def gallery(engine, tmp_path) -> Gallery:
    store, log = IdentityStore(engine), ChangeLog(engine)

    def projection(collection):
        return Built(collection, store, log, new_index=FlatIndex, folder=tmp_path / collection.uid)

    gallery = Gallery(store, projection, model="one", dimension=3, further={"two": 3})
    gallery.ensure("people", CollectionSettings(is_crop_kept=True))
    gallery.open()
    return gallery


@pytest.fixture
def enroll(gallery, registry):
    enrollment = EnrollmentService(registry.analysis_of, gallery, lambda _: Policy(None, 0.9), crops=CROPS)

    def enroll(name, colour, *, keeps=True):
        settings = gallery.collection("people").settings
        if settings.is_crop_kept != keeps:
            gallery._store.change_settings("people", CollectionSettings(is_crop_kept=keeps))
        return enrollment.enroll([photo(colour)], collection="people", identity_id=name).faces[0].face_id

    return enroll


@pytest.fixture
def people(enroll):
    """Three people, by name their face's id."""
    return {name: enroll(name, colour) for name, colour in COLOURS.items()}


@pytest.fixture
def change(engine, gallery, registry) -> MigrationService:
    return change_by(engine, gallery, registry)


def change_by(engine, gallery, registry, *, crops: CropSealer | None = CROPS) -> MigrationService:
    return MigrationService(
        gallery,
        MigrationRepository(engine, crops),
        registry,
        lambda _: Policy(None, 0.9),
        threads=2,
        has_crops=crops is not None,
    )


@pytest.fixture
def seen(gallery, registry):
    service = IdentificationService(registry.analysis_of, gallery, lambda _: Policy(None, 0.9))

    def seen(colour):
        found = service.identify(photo(colour), collection="people", top_k=1)
        return found.model, found.faces[0].candidates[0].identity_id if found.faces[0].candidates else None

    return seen


def go(change, *, drop=False, switch=True, on_progress=lambda *_: None):
    return change.embed_and_switch("people", "two", is_rest_dropped=drop, is_switched=switch, on_progress=on_progress)


def test_there_and_back_with_all_ids(engine, change, people, seen, store):
    on_progress = []
    done = go(change, on_progress=lambda *args: on_progress.append(args))
    assert (done.before, done.model, done.faces, done.is_switched, done.missing) == ("one", "two", 3, True, 0)
    assert on_progress[0] == (0, 3)
    assert on_progress[-1] == (3, 3)
    assert [seen(colour) for colour in COLOURS.values()] == [("two", name) for name in COLOURS]
    collection = store.collection("people")
    assert {name: store.enrolled(collection, name).face_ids for name in COLOURS} == {
        name: (face_id,) for name, face_id in people.items()
    }
    overview = change.overview("people", None, after=0, limit=10)
    assert (overview.collection.model, overview.before, overview.ready) == ("two", "one", {"one": 3})
    back = change.roll_back("people", is_rest_dropped=False)
    assert (back.collection.model, back.dropped) == ("one", [])
    assert [seen(colour) for colour in COLOURS.values()] == [("one", name) for name in COLOURS]
    assert change.roll_back("people", is_rest_dropped=False).collection.model == "two"  # forth again
    assert Trail(engine).verify().breaks == []


class Switched(MigrationRepository):
    """A repository in which another process switches the collection while a rollback counts the templates."""

    def __init__(self, engine, crops, meanwhile):
        super().__init__(engine, crops)
        self._meanwhile = iter([meanwhile])

    def counts(self, collection):
        counts = super().counts(collection)
        for switch in self._meanwhile:  # only the first time
            switch()
        return counts


def test_a_rollback_overtaken_by_a_switch_to_the_same_network_starts_again(engine, change, gallery, registry, people):
    go(change)
    work = Switched(engine, CROPS, lambda: change.switch("people", "one", is_rest_dropped=False))
    slow = MigrationService(gallery, work, registry, lambda _: Policy(None, 0.9), threads=2, has_crops=True)
    assert slow.roll_back("people", is_rest_dropped=False).collection.model == "two"


def test_again_it_says_the_same_and_does_nothing(change, people):
    go(change)
    again = go(change)
    assert (again.before, again.model, again.faces, again.is_switched) == ("one", "two", 3, True)


def test_the_index_is_there_before_the_switch(change, gallery, people, seen):
    Built.count = 0
    go(change)
    assert seen(RED) == ("two", "red")
    change.roll_back("people", is_rest_dropped=False)
    gallery.follow()
    assert seen(RED) == ("one", "red")
    assert Built.count == 0
    assert gallery._prepared == {}


def test_work_that_was_broken_off_goes_on(engine, gallery, registry, change, people, enroll, seen):
    for number in range(80):
        enroll(f"more {number}", (number, 255 - number, 7))

    def stop(ready, _faces):
        if ready >= 32:
            raise JobCancelled("now")

    with pytest.raises(JobCancelled):
        go(change, on_progress=stop)
    assert seen(RED) == ("one", "red")
    on_progress = []
    assert go(change_by(engine, gallery, registry), on_progress=lambda *args: on_progress.append(args)).is_switched
    assert on_progress[0][0] >= 32
    assert seen(RED) == ("two", "red")


def test_faces_without_a_crop_keep_the_collection_as_it_is(change, people, enroll, seen):
    bare = enroll("bare", YELLOW, keeps=False)
    done = go(change)
    assert (done.is_switched, done.missing, [each.face_id for each in done.named]) == (False, 1, [bare])
    assert seen(RED) == ("one", "red")
    overview = change.overview("people", "two", after=0, limit=10)
    assert (overview.ready, overview.crops_missing) == ({"two": 3}, 1)
    assert [each.identity_id for each in overview.without_crop.items] == ["bare"]
    with pytest.raises(TemplatesMissing) as caught:
        change.switch("people", "two", is_rest_dropped=False)
    assert caught.value.faces == [(bare, "bare")]


def test_faces_without_a_crop_are_dropped_if_that_is_asked_for(change, people, enroll, seen, store):
    bare = enroll("bare", YELLOW, keeps=False)
    done = go(change, drop=True)
    assert (done.is_switched, done.missing, done.dropped, done.faces) == (True, 1, 1, 3)
    assert [each.face_id for each in done.named] == [bare]
    assert seen(YELLOW)[1] != "bare"
    assert store.collection("people").identities == 3


def test_prepared_and_switched_later_with_those_who_came_meanwhile(change, people, enroll, seen):
    done = go(change, switch=False)
    assert (done.is_switched, done.missing) == (False, 0)
    assert seen(RED) == ("one", "red")
    with pytest.raises(NoWayBack):
        change.roll_back("people", is_rest_dropped=False)  # prepared templates do not allow a rollback
    enroll("yellow", YELLOW)
    done = change.switch("people", "two", is_rest_dropped=True)
    assert (done.collection.faces, done.dropped) == (4, [])
    assert seen(YELLOW) == ("two", "yellow")


def test_many_faces_without_a_template_are_a_jobs_work(change, people, enroll):
    for number in range(70):
        enroll(f"more {number}", (number, 255 - number, 7))
    with pytest.raises(TemplatesMissing, match="73 faces"):
        change.switch("people", "two", is_rest_dropped=True)


def test_who_comes_while_it_runs_is_embedded_before_the_switch(engine, gallery, registry, people, enroll, seen):
    class Meanwhile(MigrationRepository):
        """Somebody is enrolled at the last moment, twice."""

        left = 2

        def switch(self, *args, **kwargs):
            if self.left:
                self.left -= 1
                enroll(f"late {self.left}", YELLOW if self.left else (255, 0, 255))
            return super().switch(*args, **kwargs)

    change = change_by(engine, gallery, registry)
    change._work = Meanwhile(engine, CROPS)
    done = go(change, drop=True)
    assert (done.is_switched, done.dropped, done.faces) == (True, 0, 5)
    assert seen(YELLOW) == ("two", "late 1")
    assert seen((255, 0, 255)) == ("two", "late 0")


def test_the_way_back_names_or_drops_who_came_since(change, people, enroll, seen):
    go(change)
    kept, bare = enroll("yellow", YELLOW), enroll("bare", (255, 0, 255), keeps=False)
    with pytest.raises(TemplatesMissing) as caught:
        change.roll_back("people", is_rest_dropped=False)
    assert caught.value.faces == [(bare, "bare")]
    done = change.roll_back("people", is_rest_dropped=True)
    assert [each.face_id for each in done.dropped] == [bare]
    assert seen(YELLOW) == ("one", "yellow")  # embedded from its crop
    assert kept


def test_what_is_discarded_leads_nowhere(engine, change, people):
    go(change)
    assert change.discard("people") == 3
    assert change.discard("people") == 0
    with pytest.raises(NoWayBack):
        change.roll_back("people", is_rest_dropped=False)
    actions = [line.entry.action for line in Trail(engine).lines()]
    assert actions.count("collection.templates_discarded") == 1


def test_what_cannot_be(engine, gallery, registry, change, people):
    with pytest.raises(RequestInvalid, match="uses one already"):
        change.require_possible("people", "one")
    with pytest.raises(RequestInvalid, match="not served"):
        change.require_possible("people", "three")
    with pytest.raises(EncryptionRequired):
        change_by(engine, gallery, registry, crops=None).require_possible("people", "two")
    with pytest.raises(NoWayBack):
        change.roll_back("people", is_rest_dropped=False)
    go(change)
    own = colour_analysis()
    own.model = "two"
    with pytest.raises(ModelMismatch):
        change_by(engine, gallery, serving_of({"two": own}, two=3)).roll_back("people", is_rest_dropped=False)


def test_an_empty_collection_needs_no_crops(engine, gallery, registry):
    done = go(change_by(engine, gallery, registry, crops=None))
    assert (done.is_switched, done.faces) == (True, 0)


def test_a_collection_of_a_network_that_is_not_served_can_be_rescued(
    engine, gallery, registry, people, store, tmp_path
):
    own = colour_analysis(is_inverted=True)
    own.model = "two"

    def projection(collection):
        return LocalProjection(collection, store, ChangeLog(engine), new_index=FlatIndex)

    other = Gallery(store, projection, model="two", dimension=3)
    with pytest.raises(ModelMismatch):
        other.require("people")
    assert go(change_by(engine, other, serving_of({"two": own}, two=3))).is_switched
    assert other.require("people").model == "two"


def test_somebody_elses_switch_ends_the_work_and_the_next_attempt_finds_it_done(engine, change, people):
    def interfere(ready, _faces):
        if ready == 0:
            return
        work = MigrationRepository(engine, CROPS)
        now = IdentityStore(engine).collection("people")
        if now.model == "one":
            work.switch(now, model="two", dimension=3, is_rest_dropped=False)

    with pytest.raises(CollectionSwitched):
        go(change, on_progress=interfere)
    assert go(change).is_switched


def test_requests_and_enrollments_go_on(change, people, enroll, seen):  # noqa: C901 - who asks, who comes, what happens
    wrong: list[object] = []
    models: list[str] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            for name, colour in COLOURS.items():
                try:
                    model, who = seen(colour)
                except BaseException as error:  # noqa: BLE001 - reported to the test
                    wrong.append(error)
                    return
                models.append(model)
                if who != name:
                    wrong.append(who)

    def come() -> None:
        for number in range(10):
            try:
                enroll(f"late {number}", tuple(np.random.default_rng(number).integers(60, 200, 3).tolist()))
            except BaseException as error:  # noqa: BLE001 - reported to the test
                wrong.append(error)

    threads = [threading.Thread(target=each) for each in (ask, ask, come)]
    for each in threads:
        each.start()
    go(change)
    change.roll_back("people", is_rest_dropped=False)
    go(change)
    count = len(models)
    while len(models) < count + 6 and not wrong:
        is_over.wait(0.005)
    is_over.set()
    for each in threads:
        each.join()
    assert wrong == []
    assert models[-1] == "two"


class Overtaken(MigrationRepository):
    """Storage of a migration in which a photo is enrolled when all faces have been embedded."""

    def __init__(self, engine, enroll):
        super().__init__(engine, CROPS)
        self._enrolls = [enroll]

    def keep(self, collection):
        super().keep(collection)
        for enroll in self._enrolls:
            enroll()
        self._enrolls.clear()


def test_a_face_is_found_that_is_enrolled_before_the_index_is_prepared(engine, gallery, registry, people, enroll, seen):
    work = Overtaken(engine, lambda: enroll("late", YELLOW))
    change = MigrationService(gallery, work, registry, lambda _: Policy(None, 0.9), threads=2, has_crops=True)
    assert go(change).faces == 4
    assert seen(YELLOW) == ("two", "late")
