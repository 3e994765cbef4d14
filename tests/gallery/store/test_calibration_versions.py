from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from app.database.calibration_tables import CalibrationVersionTable, ProbeMomentsTable
from app.database.tables import CollectionTable
from app.gallery.store.calibration_state import CalibrationVersion, ProbeSums
from app.gallery.store.calibration_versions import HALF_LIFE, KEPT_VERSIONS, CalibrationRepository
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.values import CollectionSettings
from app.types import ImpostorMoments
from tests.gallery.store.enrolling import D, enroll

MOMENTS = ImpostorMoments(0.1, 0.09, 50)


@pytest.fixture
def repository(engine) -> CalibrationRepository:
    return CalibrationRepository(engine)


@pytest.fixture
def collection(store):
    return store.create_collection("people", model="net", dimension=D)


def version(number: int) -> CalibrationVersion:
    return CalibrationVersion(
        version=number,
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        base=MOMENTS,
        gallery=replace(MOMENTS, mean=0.1 + number),
        probes=MOMENTS,
        is_converged=True,
        seen_gallery=None,
        seen_probes=MOMENTS,
        identities=50,
        revision=60,
        probes_so_far=7,
    )


# Versions


def test_every_reader_of_the_collection_gets_the_newest_version(repository, store, collection):
    assert collection.calibration is None
    assert repository.write(collection, version(1))
    assert store.collection("people").calibration == version(1)
    assert store.collection("people").revision == collection.revision  # nothing of the gallery changed
    assert repository.write(store.collection("people"), version(2))
    assert store.collection("people").calibration == version(2)
    assert repository.versions(collection) == [version(2), version(1)]


def test_of_two_replicas_with_the_same_version_one_succeeds(repository, store, collection):
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: repository.write(collection, version(1)), range(4)))
    assert sorted(written) == [False, False, False, True]
    assert repository.versions(store.collection("people")) == [version(1)]


def test_only_the_newest_versions_are_kept(repository, store, collection):
    for number in range(1, KEPT_VERSIONS + 4):
        assert repository.write(store.collection("people"), version(number))
    kept = [each.version for each in repository.versions(collection, limit=1000)]
    assert kept == list(range(KEPT_VERSIONS + 3, 3, -1))


def test_a_version_of_another_network_is_not_written(repository, store, collection):
    assert not repository.write(replace(collection, uid="another"), version(1))
    assert store.collection("people").calibration is None


def test_a_collection_takes_its_versions_and_probes_with_it(repository, store, engine, collection):
    repository.write(collection, version(1))
    repository.add_probes(collection, ProbeSums(1, 1, 0.1, 0.02))
    CollectionRepository(engine).delete(store.collection("people"))
    with engine.connect() as connection:
        for table in (CalibrationVersionTable, ProbeMomentsTable):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
    assert not repository.write(collection, version(2))
    repository.add_probes(collection, ProbeSums(1, 1, 0.1, 0.02))  # of a request that was under way


# Probes


def test_replicas_add_up_their_probes(repository, collection):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: repository.add_probes(collection, ProbeSums(1, 1.0, 0.2, 0.05)), range(20)))
    sums = repository.probe_sums(collection)
    assert sums.probes == 20
    assert sums.weight == pytest.approx(20, rel=1e-3)
    assert sums.moments is not None
    assert sums.moments.mean == pytest.approx(0.2)
    assert sums.moments.deviation == pytest.approx(0.1)


def test_old_probes_lose_weight(repository, collection):
    repository.add_probes(collection, ProbeSums(100, 100.0, 0.0, 0.0))
    repository.add_probes(collection, ProbeSums(HALF_LIFE, 50.0, 50.0, 50.0))
    sums = repository.probe_sums(collection)
    assert (sums.weight, sums.probes) == (pytest.approx(100), HALF_LIFE + 100)
    assert sums.moments is not None
    assert sums.moments.mean == pytest.approx(0.5)


def test_probes_of_the_previous_network_do_not_count(repository, engine, collection):
    repository.add_probes(collection, ProbeSums(5, 5.0, 1.0, 1.0))
    moved = replace(collection, uid="another")
    assert repository.probe_sums(moved) == ProbeSums()
    repository.add_probes(moved, ProbeSums(1, 1.0, 0.5, 0.5))
    assert repository.probe_sums(moved).probes == 1
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(ProbeMomentsTable)) == 1


def test_no_probe_has_no_moments():
    assert ProbeSums().moments is None


# Which collections, and which of their faces


def test_adaptive_collections_with_enough_people_or_a_version_are_examined(repository, store, engine):
    few, many, fixed, known = (
        store.create_collection(
            name, model="net", dimension=D, settings=CollectionSettings(is_adaptive=name != "fixed")
        )
        for name in ("few", "many", "fixed", "known")
    )
    for number in range(3):
        for each in (many, fixed):
            enroll(store, each, f"p{number}")
    enroll(store, few, "p")
    repository.write(known, version(1))
    repository.add_probes(many, ProbeSums(2, 2.0, 1.0, 1.0))
    found = {collection.name: probes.probes for collection, probes in repository.adaptive(3)}
    assert found == {"many": 2, "known": 0}


def test_a_sample_has_one_face_each_of_different_people_and_stays(repository, store, collection):
    for number in range(30):
        enroll(store, collection, f"p{number}", faces=1 + number % 3)
    sample = repository.sample(collection, 10)
    assert len(sample) == len({each.identity_id for each in sample.values()}) == 10
    assert store.owners(sample) == sample
    assert repository.sample(collection, 10) == sample
    assert set(sample.items()) <= set(repository.sample(collection, 20).items())
    gone = next(iter(sample.values())).identity_id
    store.remove_identity(collection, gone)
    assert len(set(repository.sample(collection, 10).values()) - set(sample.values())) == 1
    assert repository.enrolled_among(list(sample)) == {key for key, of in sample.items() if of.identity_id != gone}


def test_the_row_of_a_collection_is_found_by_its_name(repository, engine, collection):
    repository.write(collection, version(1))
    with engine.connect() as connection:
        assert connection.scalar(select(CollectionTable.calibration_version)) == 1
