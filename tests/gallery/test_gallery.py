import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from app.database.tables import CollectionTable, FaceTable
from app.errors import CollectionSwitched, CollectionUnknown, IdempotencyConflict, IdentityUnknown, ModelMismatch
from app.gallery.gallery import Gallery
from app.gallery.index.flat import FlatIndex
from app.gallery.index.protocol import VectorIndex
from app.gallery.store.values import CollectionSettings, EnrolledIdentity, IdempotencyRecord, Person
from app.recognition.candidates import nearest_candidates
from app.recognition.decisions.matching import template
from app.types import Candidate, Floats, Keys
from tests.gallery.index.oracle import OracleIndex
from tests.recognition.enrolling import D, enroll, found, new_face, units
from tests.recognition.galleries import gallery_on

NewIndex = Callable[[int], VectorIndex]
_numbers = count()


@pytest.fixture(params=[OracleIndex, FlatIndex])
def new_index(request) -> NewIndex:
    chosen: NewIndex = request.param
    return chosen


@pytest.fixture
def new_gallery(engine, new_index) -> Callable[[], Gallery]:
    def build() -> Gallery:
        gallery = gallery_on(engine, new_index, model="net", dimension=D)
        gallery.ensure("people")
        return gallery

    return build


@pytest.fixture
def gallery(new_gallery):
    return new_gallery()


@pytest.fixture
def people(gallery):
    return gallery.require("people")


def counted(gallery: Gallery) -> list[tuple[str, int, int]]:
    """Return for each index what is enrolled and what is indexed; none is behind."""
    states = gallery.states()
    assert {(state.behind, state.seconds_behind) for state in states} <= {(0, 0)}
    return [(state.collection, state.faces, state.indexed) for state in states]


# Collections


def test_a_collection_is_made_once(gallery, store):
    gallery.ensure("people")
    gallery.ensure("people")
    assert [(each.name, each.model, each.dimension) for each in store.collections()] == [("people", "net", D)]


def test_a_collection_of_another_network_is_refused(gallery, store):
    store.enroll(
        store.create_collection("old", model="another net", dimension=D),
        Person("ada"),
        [new_face(np.eye(D, dtype=np.float32)[0])],
    )
    with pytest.raises(ModelMismatch, match=r"'old' was enrolled with another net, the service runs net"):
        gallery.require("old")
    with pytest.raises(CollectionUnknown, match="'nowhere'"):
        gallery.require("nowhere")


def test_collections_of_another_network_are_not_indexed(gallery, store):
    old = store.create_collection("old", model="another net", dimension=3)
    vector = np.array([1, 0, 0], np.float32)
    store.enroll(old, Person("ada"), [new_face(vector)])
    gallery.open()
    assert counted(gallery) == [("people", 0, 0)]


# Adding and searching


def test_nobody_is_found_among_nobody(gallery, people):
    assert nearest_candidates(gallery, people, units(3, seed=0), 5) == [[], [], []]
    assert nearest_candidates(gallery, people, units(0, seed=0), 5) == []


def test_who_was_added_is_found(gallery, people):
    vectors = units(3, seed=1)
    (face, *_) = enroll(gallery, people, "ada", vectors[:1])
    enroll(gallery, people, "bob", vectors[1:])
    (candidates,) = nearest_candidates(gallery, people, vectors[:1], 5)
    assert candidates[0] == Candidate("ada", "Ada", face, candidates[0].similarity)
    assert candidates[0].similarity == pytest.approx(1, abs=1e-6)
    assert [each.identity_id for each in candidates] == ["ada", "bob"]


def test_a_face_whose_model_was_edited_holds_nobody_up(engine, gallery, people):
    vectors = units(2, seed=1)
    enroll(gallery, people, "ada", vectors[:1])
    (face,) = enroll(gallery, people, "bob", vectors[1:])
    with engine.begin() as connection:
        connection.execute(update(FaceTable).values(model="x").where(FaceTable.face_id == face))
    assert [found(gallery, people, each) for each in vectors] == ["ada", "bob"]
    with engine.begin() as connection:
        connection.execute(update(CollectionTable).values(model="other", uid="other"))
    with pytest.raises(CollectionSwitched):
        found(gallery, people, vectors[0])


def test_collections_know_nothing_of_each_other(gallery, people):
    gallery.ensure("other")
    other = gallery.require("other")
    vector = units(1, seed=1)
    enroll(gallery, people, "ada", vector)
    assert found(gallery, other, vector[0]) is None
    enroll(gallery, other, "bob", vector)
    assert (found(gallery, people, vector[0]), found(gallery, other, vector[0])) == ("ada", "bob")


def test_a_new_name_shows_at_once(gallery, people):
    vector = units(1, seed=1)
    enroll(gallery, people, "ada", vector)
    gallery.add(people, Person("ada", "Countess"), [new_face(units(1, seed=2)[0])], None)
    assert nearest_candidates(gallery, people, vector, 1)[0][0].name == "Countess"


def test_an_identity_comes_with_all_its_faces(gallery, people):
    vectors = units(3, seed=1)
    faces = enroll(gallery, people, "ada", vectors)
    ada = gallery.enrolled(people, "ada")
    assert (ada.identity_id, ada.name, list(ada.face_ids)) == ("ada", "Ada", faces)
    assert (ada.vectors == vectors).all()
    with pytest.raises(IdentityUnknown):
        gallery.enrolled(people, "bob")


def test_a_candidate_is_an_identity_by_the_template_of_all_its_faces(gallery, people):
    vectors = units(3, seed=1)
    faces = enroll(gallery, people, "ada", vectors)
    mean = vectors.sum(axis=0) / np.linalg.norm(vectors.sum(axis=0))
    for vector, face in zip(vectors, faces, strict=True):
        ((found,),) = nearest_candidates(gallery, people, vector[None], 5)
        assert (found.face_id, found.faces) == (face, 3)
        assert found.similarity == pytest.approx(float(mean @ vector), abs=1e-6)


@pytest.mark.parametrize(("own", "wrong"), [((1, 1, 1), 1), ((0.8,), 0)])
def test_who_has_one_foreign_or_worthless_face_is_still_told_apart(gallery, people, own, wrong):
    """By the best single face, everybody who looks like the wrong one would be Ada."""
    looks = units(2, seed=1)
    ada = crowd(len(own), around=looks[0], spread=0.03, seed=2)
    bob = crowd(1, around=looks[1], spread=0.42, seed=3)
    gallery.add(people, Person("ada"), [new_face(*each) for each in zip(ada, own, strict=True)], None)
    gallery.add(people, Person("ada"), [new_face(looks[1], wrong)], None)
    gallery.add(people, Person("bob"), [new_face(bob[0])], None)
    assert bob[0] @ looks[1] < 1
    assert [found(gallery, people, each) for each in looks] == ["ada", "bob"]


def test_the_best_template_need_not_have_the_nearest_face(gallery, people):
    """Ada's faces lie around the probe, none of them as near as the one face of hers that Bob was given."""
    probe = units(1, seed=1)[0]
    around = crowd(8, around=probe, spread=0.3, seed=2)
    enroll(gallery, people, "ada", around)
    near = crowd(1, around=probe, spread=0.02, seed=3)
    enroll(gallery, people, "bob", np.concatenate([near, crowd(2, around=-probe, spread=0.1, seed=4)]))
    assert near[0] @ probe > (around @ probe).max()
    ((first, second),) = nearest_candidates(gallery, people, probe[None], 2)
    assert (first.identity_id, second.identity_id) == ("ada", "bob")
    assert first.similarity > (around @ probe).mean()


def test_a_new_face_changes_the_template_at_once(gallery, people):
    vectors = units(2, seed=1)
    enroll(gallery, people, "ada", vectors[:1])
    ((before,),) = nearest_candidates(gallery, people, vectors[:1], 1)
    enroll(gallery, people, "ada", vectors[1:])
    ((after,),) = nearest_candidates(gallery, people, vectors[:1], 1)
    assert before.similarity > after.similarity
    assert (before.faces, after.faces) == (1, 2)


def test_a_new_collection_has_the_practice_asked_for_and_keeps_it(gallery):
    collection_settings = CollectionSettings(is_flip_averaged=False, enroll_quality=0.5, probe_quality=0.1)
    gallery.ensure("strict", collection_settings)
    assert gallery.require("strict").settings == collection_settings
    gallery.ensure("strict", CollectionSettings())
    assert gallery.require("strict").settings == collection_settings
    assert gallery.require("people").settings == CollectionSettings()


def test_the_counters_are_read_anew(gallery):
    for writes in range(1, 4):
        enroll(gallery, gallery.require("people"), f"p{writes % 2}", units(2, seed=writes))
    people = gallery.require("people")
    assert (people.identities, people.faces) == (2, 6)
    assert counted(gallery) == [("people", 6, 6)]


def test_a_retry_adds_nothing(gallery, people):
    vector, retry = units(1, seed=1)[0], IdempotencyRecord("key", "request", {"answer": 1})
    assert gallery.earlier_answer(people, retry) is None
    gallery.add(people, Person("ada"), [new_face(vector)], retry)
    again = gallery.add(people, Person("ada"), [new_face(vector)], retry)
    assert again == gallery.earlier_answer(people, retry)
    assert again.earlier_answer == {"answer": 1}
    with pytest.raises(IdempotencyConflict):
        gallery.add(people, Person("ada"), [new_face(vector)], IdempotencyRecord("key", "another"))
    assert counted(gallery) == [("people", 1, 1)]


# The index is a projection


def test_a_rebuilt_index_answers_as_the_grown_one(gallery, new_gallery, people):
    for number in range(12):
        enroll(gallery, people, f"p{number % 5}", units(1 + number % 3, seed=number))
    rebuilt = new_gallery()
    assert rebuilt.states() == []
    rebuilt.open()
    assert counted(rebuilt) == counted(gallery) == [("people", 24, 24)]
    probes = units(6, seed=99)
    assert nearest_candidates(rebuilt, people, probes, 5) == nearest_candidates(gallery, people, probes, 5)


def test_an_index_is_built_when_it_is_first_needed(gallery, new_gallery, people):
    vector = units(2, seed=1)
    enroll(gallery, people, "ada", vector[:1])
    assert found(new_gallery(), people, vector[0]) == "ada"
    writing_first = new_gallery()
    enroll(writing_first, people, "bob", vector[1:])
    assert [found(writing_first, people, each) for each in vector] == ["ada", "bob"]


class FailingIndex(OracleIndex):
    """Fails to add while `failures` last, as FAISS does when memory runs out."""

    def __init__(self, dimension: int, failures: "list[Exception]") -> None:
        super().__init__(dimension)
        self._failures = failures

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        if self._failures:
            raise self._failures.pop()
        super().add(keys, vectors, owners=owners)


@pytest.mark.parametrize("failure", [RuntimeError("std::bad_alloc"), MemoryError()])
def test_a_face_that_the_index_refused_is_found_by_the_next_search(engine, failure):
    failures: list[Exception] = []
    gallery = gallery_on(engine, lambda dimension: FailingIndex(dimension, failures), model="net", dimension=D)
    gallery.ensure("people")
    people, vectors = gallery.require("people"), units(3, seed=1)
    enroll(gallery, people, "ada", vectors[:1])
    failures.append(failure)
    with capture_logs() as logs:
        enroll(gallery, people, "bob", vectors[1:2])
    assert [(log["event"], log["collection"]) for log in logs] == [("index.change_failed", "people")]
    enroll(gallery, people, "eve", vectors[2:])
    assert [found(gallery, people, vector) for vector in vectors] == ["ada", "bob", "eve"]
    assert counted(gallery) == [("people", 3, 3)]


class SometimesFailingIndex(OracleIndex):
    """Fails every third time that a writer adds something to what was built."""

    _additions = count(1)

    def add(self, keys: Keys, vectors: Floats, *, owners: Keys | None = None) -> None:
        is_writer = threading.current_thread().name.startswith("writer")
        if is_writer and next(self._additions) % 3 == 0:
            raise RuntimeError("std::bad_alloc")
        super().add(keys, vectors, owners=owners)


def test_writers_and_searches_at_once_agree_whatever_fails(engine):
    """Some additions fail while searches rebuild the index; at the end, nobody is missing."""
    gallery = gallery_on(engine, SometimesFailingIndex, model="net", dimension=D)
    gallery.ensure("people")
    people, vectors = gallery.require("people"), units(60, seed=1)
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            nearest_candidates(gallery, people, vectors[:2], 1)
            assert all(state.indexed <= 60 for state in gallery.states())

    with ThreadPoolExecutor(2) as searchers, ThreadPoolExecutor(4, "writer") as writers:
        searching = [searchers.submit(search) for _ in range(2)]
        adding = [writers.submit(enroll, gallery, people, f"p{n}", vectors[n : n + 1]) for n in range(60)]
        errors = [each.exception(30) for each in adding]
        done.set()
        errors += [each.exception(30) for each in searching]
    assert errors == [None] * 62
    assert [found(gallery, people, vector) for vector in vectors] == [f"p{n}" for n in range(60)]


# Exactness


@pytest.fixture(scope="module")
def kept_engine(databases) -> Iterator[Engine]:
    with databases.engine() as engine:
        yield engine


def crowd(number: int, *, around: Floats, spread: float, seed: int) -> Floats:
    """Return faces alike: unit vectors near `around`."""
    vectors = around + spread * np.random.default_rng(seed).normal(size=(number, D))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


ENOUGH = 32  # faces are looked at for each probe, at least


@pytest.mark.parametrize("backend", [OracleIndex, FlatIndex])
@settings(max_examples=60)
@given(
    faces=st.lists(st.sampled_from([1, 1, 2, 5, 30, 150]), max_size=8),
    top_k=st.integers(1, 6),
    probes=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_candidates_are_those_of_brute_force(kept_engine, backend, faces, top_k, probes, seed):
    """People with many faces right at the probe do not crowd out those with few.

    In a small gallery the answer is exact. In a larger one, nobody is missed who owns one of the nearest faces.
    """
    gallery = gallery_on(kept_engine, backend, model="net", dimension=D)
    name = f"c{next(_numbers)}"
    gallery.ensure(name)
    collection, asked = gallery.require(name), units(probes, seed=seed)
    enrolled = {}
    for person, number in enumerate(faces):
        vectors = crowd(number, around=asked[0], spread=0.02 if number > 10 else 0.5, seed=seed + person)
        quality = np.random.default_rng(seed + person).uniform(size=number).astype(np.float32)
        new = [new_face(*each) for each in zip(vectors, quality.tolist(), strict=True)]
        gallery.add(collection, Person(f"p{person}"), new, None)
        keys, ids = np.arange(number), tuple(each.face_id for each in new)
        enrolled[f"p{person}"] = EnrolledIdentity(f"p{person}", None, keys, ids, vectors, quality)
    answers = nearest_candidates(gallery, collection, asked, top_k)
    assert len(answers) == probes
    for probe, candidates in zip(asked, answers, strict=True):
        truth = {each.identity_id: float(template(each) @ probe) for each in enrolled.values()}
        similarities = [each.similarity for each in candidates]
        assert len({each.identity_id for each in candidates}) == len(candidates) == min(top_k, len(faces))
        assert similarities == sorted(similarities, reverse=True)
        for each in candidates:
            owner = enrolled[each.identity_id]
            assert each.similarity == pytest.approx(truth[each.identity_id], abs=1e-5)
            assert each.faces == len(owner.face_ids)
            nearest = owner.vectors[owner.face_ids.index(each.face_id)]
            assert float(nearest @ probe) == pytest.approx(float((owner.vectors @ probe).max()), abs=1e-5)
        hits = sorted(
            (
                (float(similarity), each.identity_id)
                for each in enrolled.values()
                for similarity in each.vectors @ probe
            ),
            reverse=True,
        )
        last = hits[ENOUGH - 1][0] + 1e-5 if len(hits) > ENOUGH else -1  # rounding decides which equals are looked at
        looked_at = {person for similarity, person in hits if similarity >= last}  # all of a small gallery
        expected = sorted((truth[person] for person in looked_at), reverse=True)[:top_k]
        assert all(got >= least - 1e-5 for got, least in zip(similarities, expected, strict=False))
        if len(hits) <= ENOUGH:
            assert similarities == pytest.approx(expected, abs=1e-5)


class CountingIndex(OracleIndex):
    searches = 0

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        CountingIndex.searches += 1
        return super().search(vectors, k, among=among)


def test_a_whole_photo_is_one_search(engine, monkeypatch):
    monkeypatch.setattr(CountingIndex, "searches", 0)
    gallery = gallery_on(engine, CountingIndex, model="net", dimension=D)
    gallery.ensure("people")
    people = gallery.require("people")
    for number in range(30):
        enroll(gallery, people, f"p{number}", units(2, seed=number))
    nearest_candidates(gallery, people, units(20, seed=99), 5)
    assert CountingIndex.searches == 1


def test_a_few_people_with_many_faces_cost_further_searches_and_nobody(engine, monkeypatch):
    monkeypatch.setattr(CountingIndex, "searches", 0)
    gallery = gallery_on(engine, CountingIndex, model="net", dimension=D)
    gallery.ensure("people")
    people, probe = gallery.require("people"), units(1, seed=1)
    enroll(gallery, people, "ada", crowd(100, around=probe[0], spread=0.02, seed=2))
    enroll(gallery, people, "bob", units(1, seed=3))
    ((first, second),) = nearest_candidates(gallery, people, probe, 5)
    assert (first.identity_id, first.faces, second.identity_id) == ("ada", 100, "bob")
    assert CountingIndex.searches == 2
