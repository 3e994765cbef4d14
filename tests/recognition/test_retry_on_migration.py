"""A service with two networks keeps answering while a collection migrates from one to the other, and back."""

import threading

import numpy as np
import pytest

from app.errors import CollectionSwitched, IndexUnusable
from app.gallery.gallery import Gallery
from app.gallery.index.flat import FlatIndex
from app.gallery.index_projection import LocalProjection
from app.gallery.shared_projection import SharedProjection
from app.gallery.store.change_log import ChangeLog
from app.gallery.store.identities import IdentityStore
from app.gallery.store.model_migration import MigrationRepository, NextTemplates
from app.gallery.store.shared_revisions import SharedIndexes
from app.recognition.candidates import nearest_candidates
from app.recognition.decisions.policy import Outcome, Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.retry_on_migration import retry_on_migration
from app.recognition.verification import VerificationService
from tests.gallery.index.oracle import OracleIndex
from tests.gallery.store.test_model_migration import CROPS
from tests.recognition.fakes import BLUE, GREEN, RED, colour_analysis, photo
from tests.recognition.serving import serving_of

COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}


@pytest.fixture(scope="module")
def registry():
    """Two networks of the same dimension, so that only their names distinguish their templates."""
    own, other = colour_analysis(), colour_analysis(is_inverted=True)
    own.model, other.model = "one", "two"
    return serving_of({"one": own, "two": other}, one=3, two=3)


@pytest.fixture
def gallery(engine, tmp_path) -> Gallery:
    return replica(engine, tmp_path / "a")


def replica(engine, folder) -> Gallery:
    store, log = IdentityStore(engine), ChangeLog(engine)

    def projection(collection):
        return LocalProjection(collection, store, log, new_index=FlatIndex, folder=folder / collection.uid)

    return Gallery(store, projection, model="one", dimension=3, further={"two": 3})


@pytest.fixture
def people(gallery, registry):
    """A collection `people` that keeps crops, with three people."""
    gallery.ensure("people")
    gallery._store.change_settings("people", gallery.require("people").settings.__class__(is_crop_kept=True))
    enrollment = EnrollmentService(registry.analysis_of, gallery, lambda _: Policy(None, 0.9), crops=CROPS)
    for name, colour in COLOURS.items():
        enrollment.enroll([photo(colour)], collection="people", identity_id=name)
    return gallery.require("people")


def embedded(engine, registry, collection, model) -> MigrationRepository:
    """Bring the templates of a network, as a job does."""
    work = MigrationRepository(engine, CROPS)
    analysis = registry.analysis(registry.named(model))
    for block in work.blocks(collection, model, size=2):
        faces = analysis.of_crops(block.crops, block.detections, is_flip_averaged=True)
        vectors, norms = np.stack([face.vector for face in faces]), np.array([face.norm for face in faces], np.float32)
        work.put(collection, model, NextTemplates(block.keys, vectors, norms, np.ones(len(faces), np.float32)))
    return work


def test_a_crop_gives_the_template_of_its_photo(engine, registry, people, store):
    (block,) = MigrationRepository(engine, CROPS).blocks(people, "two")
    again = registry.analysis(registry.named("one")).of_crops(block.crops, block.detections, is_flip_averaged=True)
    stored = np.concatenate([vectors for _, vectors, _ in store.templates(people)])
    assert (np.stack([face.vector for face in again]) == stored).all()


def test_everybody_is_found_by_the_other_network_and_by_the_first_again(engine, gallery, registry, people, tmp_path):
    service = IdentificationService(registry.analysis_of, gallery, lambda _: Policy(None, 0.9))
    other_replica = replica(engine, tmp_path / "b")
    other_replica.open()
    gallery.save()
    work = embedded(engine, registry, people, "two")
    switched = work.switch(people, model="two", dimension=3).collection
    for model, back in (("two", False), ("one", True)):
        if back:
            work.switch(switched, model="one", dimension=3)
        for each in (gallery, other_replica):
            each.follow()
            own = IdentificationService(registry.analysis_of, each, lambda _: Policy(None, 0.9))
            for name, colour in COLOURS.items():
                found = own.identify(photo(colour), collection="people", top_k=2)
                assert found.model == model
                assert found.faces[0].verdict is Outcome.MATCH
                assert found.faces[0].candidates[0].identity_id == name
            assert [state.behind for state in each.states()] == [0]
    assert service.identify(photo(RED), collection="people", top_k=1).model == "one"
    # Nothing of the previous index is left.
    gallery.save()
    assert [path.name for path in (tmp_path / "a").iterdir()] == [gallery.require("people").uid]


def test_a_probe_of_before_never_meets_templates_of_after(engine, gallery, registry, people):
    work = embedded(engine, registry, people, "two")
    (face,) = registry.analysis_of(people).analyse(photo(RED), is_flip_averaged=True)
    nearest_candidates(gallery, people, face.vector[None], 1)
    work.switch(people, model="two", dimension=3)
    with pytest.raises(CollectionSwitched):
        nearest_candidates(gallery, people, face.vector[None], 1)  # in the previous index
    with pytest.raises(CollectionSwitched):
        gallery.enrolled(people, "red")
    gallery.follow()
    with pytest.raises(CollectionSwitched):
        nearest_candidates(gallery, people, face.vector[None], 1)  # in the new index
    with pytest.raises(CollectionSwitched):
        nearest_candidates(replica(engine, gallery_folder(gallery)), people, face.vector[None], 1)  # in none yet


def gallery_folder(gallery):
    return next(iter(gallery._projections.values()))._folder.parent.parent / "c"


def test_what_is_enrolled_or_removed_across_the_switch_is_found_or_gone(engine, gallery, registry, people):
    work = embedded(engine, registry, people, "two")
    work.switch(people, model="two", dimension=3)
    gallery.follow()
    gallery.remove_identity(people, "green")  # with the previous value
    enrollment = EnrollmentService(registry.analysis_of, gallery, lambda _: Policy(None, 0.9), crops=CROPS)
    enrollment.enroll([photo((255, 255, 0))], collection="people", identity_id="yellow")
    service = IdentificationService(registry.analysis_of, gallery, lambda _: Policy(None, 0.9))
    verdicts = [
        service.identify(photo(colour), collection="people", top_k=1).faces[0].verdict
        for colour in (RED, GREEN, (255, 255, 0))
    ]
    assert verdicts == [Outcome.MATCH, Outcome.NO_MATCH, Outcome.MATCH]


def test_the_service_answers_without_an_error_across_many_switches(engine, gallery, registry, people):
    work = embedded(engine, registry, people, "two")
    policy_of = lambda _: Policy(None, 0.9)  # noqa: E731 - as short as what it is for
    identification = IdentificationService(registry.analysis_of, gallery, policy_of)
    verification = VerificationService(registry.analysis_of, gallery, policy_of)
    wrong: list[object] = []
    models: list[str] = []
    is_over = threading.Event()

    def ask() -> None:
        turn = 0
        while not is_over.is_set():
            name, colour = list(COLOURS.items())[turn % 3]
            turn += 1
            try:
                found = identification.identify(photo(colour), collection="people", top_k=1)
                own = verification.verify_identity([photo(colour)], name, collection="people")
            except BaseException as error:  # noqa: BLE001 - reported to the test
                wrong.append(error)
                return
            if found.faces[0].candidates[0].identity_id != name or found.faces[0].verdict is not Outcome.MATCH:
                wrong.append(found)
            if own.verdict is not Outcome.MATCH:
                wrong.append(own)
            models.append(found.model)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for each in askers:
        each.start()
    now = people
    for _ in range(6):
        now = work.switch(now, model="two" if now.model == "one" else "one", dimension=3).collection
        gallery.follow()
        count = len(models)
        while len(models) < count + 6 and not wrong:
            is_over.wait(0.005)
    is_over.set()
    for each in askers:
        each.join()
    assert wrong == []
    assert set(models) == {"one", "two"}


def test_work_is_begun_anew_but_not_for_ever():
    calls = []

    @retry_on_migration
    def work(failures: int) -> int:
        calls.append(1)
        if len(calls) <= failures:
            raise CollectionSwitched("again")
        return len(calls)

    assert work(1) == 2
    calls.clear()
    with pytest.raises(CollectionSwitched):
        work(9)
    assert len(calls) == 4


def test_an_index_that_all_replicas_share_goes_over_as_well(engine, registry, people):
    """Each network has a separate index in Milvus; the first replica that drops one removes it for all."""
    engines: dict[str, EngineIndex] = {}

    def shared_replica() -> Gallery:
        store, log, shared = IdentityStore(engine), ChangeLog(engine), SharedIndexes(engine)

        def projection(collection):
            index = engines.setdefault(collection.uid, EngineIndex(3))
            return SharedProjection(collection, store, log, shared=shared, index=index, drop=index.drop)

        return Gallery(store, projection, model="one", dimension=3, further={"two": 3})

    first, second = shared_replica(), shared_replica()
    (face,) = registry.analysis_of(people).analyse(photo(RED), is_flip_averaged=True)
    for each in (first, second):
        each.open()
        assert nearest_candidates(each, people, face.vector[None], 1)[0][0].identity_id == "red"
    embedded(engine, registry, people, "two").switch(people, model="two", dimension=3)
    first.follow()
    with pytest.raises(CollectionSwitched):
        nearest_candidates(second, people, face.vector[None], 1)  # its index was dropped by the first one
    for each in (first, second):
        service = IdentificationService(registry.analysis_of, each, lambda _: Policy(None, 0.9))
        found = service.identify(photo(RED), collection="people", top_k=1)
        assert (found.model, found.faces[0].candidates[0].identity_id) == ("two", "red")
    assert [index.count() for index in engines.values()] == [3, 3]
    assert [index.is_dropped for index in engines.values()] == [True, False]


class EngineIndex(OracleIndex):
    """Stands for the distributed engine, which knows nothing of a collection that was dropped."""

    is_dropped = False

    def drop(self) -> None:
        self.is_dropped = True

    def search(self, vectors, k, *, among=None):
        if self.is_dropped:
            raise IndexUnusable("the engine has lost the collection")
        return super().search(vectors, k, among=among)
