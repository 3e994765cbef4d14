from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.errors import DatabaseUnavailable
from app.gallery.store.calibration_state import ProbeSums
from app.gallery.store.calibration_versions import CalibrationRepository
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.values import Person
from app.recognition.adaptive_calibration import AdaptiveCalibrationService
from app.recognition.calibration_worker import CalibrationWorker
from app.recognition.decisions.calibration.adaptation import STATED_FMR
from app.recognition.decisions.calibration.error_rates import as_json
from app.recognition.probe_learning import ProbeLearning
from app.types import ImpostorMoments
from tests.gallery.store.enrolling import new_face
from tests.recognition.fakes import calibration
from tests.recognition.serving import serving_of

D = 64
MOMENTS = ImpostorMoments(0.0, 0.125, 1000)
BASE = replace(calibration(), moments=MOMENTS)


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "any.json").write_bytes(as_json(BASE))
    return serving_of(calibrations=tmp_path, net=D)


@pytest.fixture
def repository(engine) -> CalibrationRepository:
    return CalibrationRepository(engine)


@pytest.fixture
def collection(store):
    return store.create_collection("people", model="net", dimension=D)


@pytest.fixture
def new_worker(store, repository, registry):
    """Factory of the workers of replicas; the interval is too long to pass in a test."""
    service = AdaptiveCalibrationService(store, repository, registry)
    return lambda: CalibrationWorker(repository, service, every=3600)


def fill(store, collection, people, *, first=0, common=0.4):
    """Enroll people who share a direction: of one camera."""
    rng = np.random.default_rng(first)
    for number in range(first, first + people):
        vector = rng.standard_normal(D) + common
        store.enroll(collection, Person(f"p{number}"), [new_face((vector / np.linalg.norm(vector)).astype(np.float32))])


def threshold(registry, store):
    return registry.policy_of(store.collection("people")).for_verification().threshold


def test_people_of_one_camera_move_the_threshold_step_by_step(new_worker, registry, store, collection):
    fill(store, collection, 50)
    worker, before = new_worker(), threshold(registry, store)
    moves: list[float] = []
    while worker.sweep():
        moves.append(threshold(registry, store) - before - sum(moves))
    assert max(map(abs, moves)) <= 0.05 + 1e-9
    assert sum(moves) > 0.08
    assert worker.sweep() == 0
    assert store.collection("people").calibration.is_converged


def test_the_rate_holds_for_strangers_of_that_camera(new_worker, registry, store, collection):
    fill(store, collection, 100)
    worker = new_worker()
    while worker.sweep():
        pass
    strangers = np.random.default_rng(7).standard_normal((1500, D)) + 0.4
    strangers /= np.linalg.norm(strangers, axis=1, keepdims=True)
    scores = (strangers @ strangers.T)[np.triu_indices(1500, 1)]
    policy = registry.policy_of(store.collection("people"))
    z = (policy.calibration.threshold(STATED_FMR) - scores.mean()) / scores.std()
    fitted = (BASE.threshold(STATED_FMR) - MOMENTS.mean) / MOMENTS.deviation
    assert z == pytest.approx(fitted, abs=0.6)


def test_of_two_replicas_that_race_one_writes_each_version(new_worker, repository, store, collection):
    fill(store, collection, 40)
    workers = [new_worker(), new_worker()]
    with ThreadPoolExecutor(2) as pool:
        while sum(pool.map(CalibrationWorker.sweep, workers)):
            pass
    versions = [each.version for each in repository.versions(store.collection("people"))]
    assert versions == list(range(len(versions), 0, -1))


def test_the_replica_that_lost_a_race_takes_the_next_steps(new_worker, store, collection, monkeypatch):
    fill(store, collection, 50)
    winner, loser = new_worker(), new_worker()
    original = CalibrationRepository.write

    def write(self, of, version):
        monkeypatch.setattr(CalibrationRepository, "write", original)
        winner.sweep()
        return original(self, of, version)

    monkeypatch.setattr(CalibrationRepository, "write", write)
    assert loser.sweep() == 0
    while loser.sweep():
        pass
    assert store.collection("people").calibration.is_converged


def test_a_collection_that_fails_does_not_hold_up_the_others(new_worker, store, collection, monkeypatch):
    fill(store, collection, 30)
    fill(store, store.create_collection("others", model="net", dimension=D), 30, first=30)
    original = CalibrationRepository.sample

    def sample(self, of, most):
        if of.name == "people":
            raise DatabaseUnavailable("away")
        return original(self, of, most)

    monkeypatch.setattr(CalibrationRepository, "sample", sample)
    worker = new_worker()
    with capture_logs() as logs:
        while worker.sweep():
            pass
        worker.sweep()
    assert store.collection("others").calibration.is_converged
    failed = [(each["collection"], each["error"]) for each in logs if each["event"] == "calibration.failed"]
    assert failed == [("people", "database_unavailable")]
    monkeypatch.setattr(CalibrationRepository, "sample", original)
    assert worker.sweep() == 1


def test_only_a_change_of_a_tenth_is_looked_at(new_worker, repository, store, collection, monkeypatch):
    fill(store, collection, 50)
    worker = new_worker()
    while worker.sweep():
        pass
    looked: list[str] = []
    original = CalibrationRepository.sample

    def sample(self, of, most):
        looked.append(of.name)
        return original(self, of, most)

    monkeypatch.setattr(CalibrationRepository, "sample", sample)
    fill(store, collection, 4, first=50)
    worker.sweep()
    assert not looked
    fill(store, collection, 2, first=54)
    worker.sweep()
    assert looked == ["people"]


def test_what_is_turned_off_is_left_alone(new_worker, registry, store, collection):
    before = threshold(registry, store)
    fill(store, collection, 30)
    store.change_settings("people", replace(collection.settings, is_adaptive=False))
    assert new_worker().sweep() == 0
    assert threshold(registry, store) == before


def test_nineteen_people_are_left_alone(new_worker, store, collection):
    fill(store, collection, 19)
    assert new_worker().sweep() == 0


def test_a_collection_of_a_network_that_is_not_served_is_left_alone(new_worker, store):
    other = store.create_collection("other", model="other", dimension=D)
    fill(store, other, 30)
    assert new_worker().sweep() == 0


def test_all_versions_at_once(store, repository, registry, collection):
    fill(store, collection, 50)
    service = AdaptiveCalibrationService(store, repository, registry)
    versions = service.adapt_at_once("people")
    assert len(versions) > 1
    assert versions[-1].is_converged
    assert service.adapt_at_once("people") == []


# Probes


@pytest.fixture
def learning() -> ProbeLearning:
    return ProbeLearning()


@pytest.fixture
def learner(store, repository, registry, learning):
    service = AdaptiveCalibrationService(store, repository, registry)
    return CalibrationWorker(repository, service, every=3600, probes=learning)


def probes(count, *, common):
    drawn = np.random.default_rng(99).standard_normal((count, D)) + common
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_probes_of_another_camera_move_their_own_curve(learner, learning, registry, store, collection):
    fill(store, collection, 50)
    collection = store.collection("people")
    learning.learn(collection, probes(1, common=-0.4), [None])
    while learner.sweep():
        pass
    before = registry.policy_of(store.collection("people"))
    learning.learn(collection, probes(200, common=-0.4), [None] * 200)
    while learner.sweep():
        pass
    after = registry.policy_of(store.collection("people"))
    assert after.for_verification().threshold == pytest.approx(before.for_verification().threshold, abs=0.005)
    assert after.for_probes().for_verification().threshold < before.for_verification().threshold - 0.1
    assert store.collection("people").calibration.probes_so_far == 200


def test_a_version_that_learned_from_probes_forgets_them_when_that_is_turned_off(
    learner, learning, new_worker, registry, store, collection
):
    fill(store, collection, 50)
    learning.learn(collection, probes(1, common=-0.4), [None])
    learner.sweep()
    learning.learn(collection, probes(200, common=-0.4), [None] * 200)
    while learner.sweep():
        pass
    fill(store, collection, 6, first=50)
    worker = new_worker()
    while worker.sweep():
        pass
    policy = registry.policy_of(store.collection("people"))
    assert policy.for_probes().for_verification().threshold == pytest.approx(
        policy.for_verification().threshold, abs=0.005
    )


def test_the_people_of_a_deleted_collection_leave_the_memory(learner, learning, engine, store, collection):
    fill(store, collection, 30)
    learning.learn(collection, probes(1, common=0), [None])
    learner.sweep()
    learning.learn(collection, probes(5, common=0), [None] * 5)
    assert learning.reference(collection) is not None
    CollectionRepository(engine).delete(store.collection("people"))
    learner.sweep()
    assert learning.reference(collection) is None
    assert learning.take(collection) == ProbeSums()


def test_an_erased_person_leaves_the_memory(learner, learning, store, collection):
    fill(store, collection, 50)
    learning.learn(collection, probes(1, common=0), [None])
    learner.sweep()
    known = learning.reference(collection)
    assert len(known.keys) == 50
    store.remove_identity(collection, "p7")
    learner.sweep()
    assert "p7" not in learning.reference(collection).identity_ids
    assert len(learning.reference(collection).keys) == 49
