import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.database.engine import open_engine, sqlite_url
from app.database.tables import Base
from app.errors import CollectionUnknown, IdempotencyConflict, IdentityUnknown, ModelMismatch
from app.faces import Candidate, Detection, Floats
from app.identities.store import IdentityStore
from app.identities.values import Collection, NewFace, Person, Retry
from app.index.flat import FlatIndex
from app.index.oracle import OracleIndex
from app.index.protocol import Keys, VectorIndex
from app.recognition.gallery import Gallery, IndexState

D = 8
NewIndex = Callable[[int], VectorIndex]
_numbers = count()


@pytest.fixture(params=[OracleIndex, FlatIndex])
def new_index(request) -> NewIndex:
    chosen: NewIndex = request.param
    return chosen


@pytest.fixture
def new_gallery(store, new_index) -> Callable[[], Gallery]:
    def build() -> Gallery:
        gallery = Gallery(store, new_index, model="net", dimension=D)
        gallery.ensure("people")
        return gallery

    return build


@pytest.fixture
def gallery(new_gallery):
    return new_gallery()


@pytest.fixture
def people(gallery):
    return gallery.require("people")


def units(number: int, *, seed: int) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(number, D))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def new_face(vector: Floats) -> NewFace:
    number = next(_numbers)
    return NewFace(f"face-{number}", vector, 1, Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32)), "0" * 64)


def enrol(gallery: Gallery, collection: Collection, identity_id: str, vectors: Floats) -> list[str]:
    faces = [new_face(vector) for vector in vectors]
    assert gallery.add(collection, Person(identity_id, identity_id.title()), faces, None).keys
    return [face.face_id for face in faces]


def found(gallery: Gallery, collection: Collection, vector: Floats) -> str | None:
    (candidates,) = gallery.search(collection, vector[None], 1)
    return candidates[0].identity_id if candidates else None


# Collections


def test_a_collection_is_made_once(gallery, store):
    gallery.ensure("people")
    gallery.ensure("people")
    assert [(each.name, each.model, each.dimension) for each in store.collections()] == [("people", "net", D)]


def test_a_collection_of_another_network_is_refused(gallery, store):
    store.create_collection("old", model="another net", dimension=D)
    with pytest.raises(ModelMismatch, match=r"'old' was enrolled with another net, the service runs net"):
        gallery.require("old")
    with pytest.raises(CollectionUnknown, match="'nowhere'"):
        gallery.require("nowhere")


def test_collections_of_another_network_are_not_indexed(gallery, store):
    old = store.create_collection("old", model="another net", dimension=3)
    vector = np.array([1, 0, 0], np.float32)
    store.enrol(old, Person("ada"), [new_face(vector)])
    gallery.rebuild()
    assert gallery.states() == [IndexState("people", 0, 0)]


# Adding and searching


def test_nobody_is_found_among_nobody(gallery, people):
    assert gallery.search(people, units(3, seed=0), 5) == [[], [], []]
    assert gallery.search(people, units(0, seed=0), 5) == []


def test_who_was_added_is_found(gallery, people):
    vectors = units(3, seed=1)
    (face, *_) = enrol(gallery, people, "ada", vectors[:1])
    enrol(gallery, people, "bob", vectors[1:])
    (candidates,) = gallery.search(people, vectors[:1], 5)
    assert candidates[0] == Candidate("ada", "Ada", face, candidates[0].similarity)
    assert candidates[0].similarity == pytest.approx(1, abs=1e-6)
    assert [each.identity_id for each in candidates] == ["ada", "bob"]


def test_collections_know_nothing_of_each_other(gallery, people):
    gallery.ensure("other")
    other = gallery.require("other")
    vector = units(1, seed=1)
    enrol(gallery, people, "ada", vector)
    assert found(gallery, other, vector[0]) is None
    enrol(gallery, other, "bob", vector)
    assert (found(gallery, people, vector[0]), found(gallery, other, vector[0])) == ("ada", "bob")


def test_a_new_name_shows_at_once(gallery, people):
    vector = units(1, seed=1)
    enrol(gallery, people, "ada", vector)
    gallery.add(people, Person("ada", "Countess"), [new_face(units(1, seed=2)[0])], None)
    assert gallery.search(people, vector, 1)[0][0].name == "Countess"


def test_templates_are_those_of_the_store(gallery, people):
    vectors = units(3, seed=1)
    faces = enrol(gallery, people, "ada", vectors)
    owners, stored = gallery.templates(people, "ada")
    assert [owner.face_id for owner in owners] == faces
    assert (stored == vectors).all()
    with pytest.raises(IdentityUnknown):
        gallery.templates(people, "bob")


def test_a_retry_adds_nothing(gallery, people):
    vector, retry = units(1, seed=1)[0], Retry("key", "request", {"answer": 1})
    assert gallery.earlier_answer(people, retry) is None
    gallery.add(people, Person("ada"), [new_face(vector)], retry)
    again = gallery.add(people, Person("ada"), [new_face(vector)], retry)
    assert again == gallery.earlier_answer(people, retry)
    assert again.earlier_answer == {"answer": 1}
    with pytest.raises(IdempotencyConflict):
        gallery.add(people, Person("ada"), [new_face(vector)], Retry("key", "another"))
    assert gallery.states() == [IndexState("people", 1, 1)]


# The index is a projection


def test_a_rebuilt_index_answers_as_the_grown_one(gallery, new_gallery, people):
    for number in range(12):
        enrol(gallery, people, f"p{number % 5}", units(1 + number % 3, seed=number))
    rebuilt = new_gallery()
    assert rebuilt.states() == []
    rebuilt.rebuild()
    assert rebuilt.states() == gallery.states() == [IndexState("people", 24, 24)]
    probes = units(6, seed=99)
    assert rebuilt.search(people, probes, 5) == gallery.search(people, probes, 5)


def test_an_index_is_built_when_it_is_first_needed(gallery, new_gallery, people):
    vector = units(2, seed=1)
    enrol(gallery, people, "ada", vector[:1])
    assert found(new_gallery(), people, vector[0]) == "ada"
    writing_first = new_gallery()
    enrol(writing_first, people, "bob", vector[1:])
    assert [found(writing_first, people, each) for each in vector] == ["ada", "bob"]


class FailingIndex(OracleIndex):
    """Fails to add while `failures` last, as FAISS does when memory runs out."""

    def __init__(self, dimension: int, failures: "list[Exception]") -> None:
        super().__init__(dimension)
        self._failures = failures

    def add(self, keys: Keys, vectors: Floats) -> None:
        if self._failures:
            raise self._failures.pop()
        super().add(keys, vectors)


@pytest.mark.parametrize("failure", [RuntimeError("std::bad_alloc"), MemoryError()])
def test_a_face_that_the_index_refused_is_found_by_the_next_search(store, failure):
    failures: list[Exception] = []
    gallery = Gallery(store, lambda dimension: FailingIndex(dimension, failures), model="net", dimension=D)
    gallery.ensure("people")
    people, vectors = gallery.require("people"), units(3, seed=1)
    enrol(gallery, people, "ada", vectors[:1])
    failures.append(failure)
    with capture_logs() as logs:
        enrol(gallery, people, "bob", vectors[1:2])
    assert [(log["event"], log["collection"]) for log in logs] == [("index.add_failed", "people")]
    enrol(gallery, people, "eve", vectors[2:])
    assert [found(gallery, people, vector) for vector in vectors] == ["ada", "bob", "eve"]
    assert gallery.states() == [IndexState("people", 3, 3)]


class SometimesFailingIndex(OracleIndex):
    """Fails every third time that something is added to what was built."""

    _additions = count(1)

    def add(self, keys: Keys, vectors: Floats) -> None:
        if self.count() and next(self._additions) % 3 == 0:
            raise RuntimeError("std::bad_alloc")
        super().add(keys, vectors)


def test_writers_and_searches_at_once_agree_whatever_fails(store):
    """Some additions fail and searches rebuild the index meanwhile; in the end nobody is missing."""
    gallery = Gallery(store, SometimesFailingIndex, model="net", dimension=D)
    gallery.ensure("people")
    people, vectors = gallery.require("people"), units(60, seed=1)
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            gallery.search(people, vectors[:2], 1)
            assert all(state.faces == state.indexed for state in gallery.states())

    with ThreadPoolExecutor(6) as pool:
        searching = [pool.submit(search) for _ in range(2)]
        adding = [pool.submit(enrol, gallery, people, f"p{n}", vectors[n : n + 1]) for n in range(60)]
        errors = [each.exception(30) for each in adding]
        done.set()
        errors += [each.exception(30) for each in searching]
    assert errors == [None] * 62
    assert [found(gallery, people, vector) for vector in vectors] == [f"p{n}" for n in range(60)]


# Exactness


@pytest.fixture(scope="module")
def kept_store(tmp_path_factory) -> Iterator[IdentityStore]:
    engine = open_engine(sqlite_url(tmp_path_factory.mktemp("gallery") / "arcid.db"))
    Base.metadata.create_all(engine)
    yield IdentityStore(engine)
    engine.dispose()


def crowd(number: int, *, around: Floats, spread: float, seed: int) -> Floats:
    """Return faces alike: unit vectors near `around`."""
    vectors = around + spread * np.random.default_rng(seed).normal(size=(number, D))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("backend", [OracleIndex, FlatIndex])
@settings(deadline=None, max_examples=60)  # the disk decides
@given(
    faces=st.lists(st.sampled_from([1, 1, 2, 5, 30, 150]), max_size=8),
    top_k=st.integers(1, 6),
    probes=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_candidates_are_those_of_brute_force(kept_store, backend, faces, top_k, probes, seed):
    """People with many faces right at the probe do not crowd out those with few."""
    gallery = Gallery(kept_store, backend, model="net", dimension=D)
    name = f"c{next(_numbers)}"
    gallery.ensure(name)
    collection, asked = gallery.require(name), units(probes, seed=seed)
    enrolled = {
        f"p{person}": crowd(number, around=asked[0], spread=0.02 if number > 10 else 0.5, seed=seed + person)
        for person, number in enumerate(faces)
    }
    for person, vectors in enrolled.items():
        enrol(gallery, collection, person, vectors)
    answers = gallery.search(collection, asked, top_k)
    assert len(answers) == probes
    for probe, candidates in zip(asked, answers, strict=True):
        truth = {person: float((vectors @ probe).max()) for person, vectors in enrolled.items()}
        expected = sorted(truth.values(), reverse=True)[:top_k]
        assert [each.similarity for each in candidates] == pytest.approx(expected, abs=1e-5)
        assert len({each.identity_id for each in candidates}) == len(candidates)
        for each in candidates:
            assert each.similarity == pytest.approx(truth[each.identity_id], abs=1e-5)


class CountingIndex(OracleIndex):
    searches = 0

    def search(self, vectors: Floats, k: int) -> tuple[Floats, Keys]:
        CountingIndex.searches += 1
        return super().search(vectors, k)


def test_a_whole_photo_is_one_search(store, monkeypatch):
    monkeypatch.setattr(CountingIndex, "searches", 0)
    gallery = Gallery(store, CountingIndex, model="net", dimension=D)
    gallery.ensure("people")
    people = gallery.require("people")
    for number in range(30):
        enrol(gallery, people, f"p{number}", units(2, seed=number))
    gallery.search(people, units(20, seed=99), 5)
    assert CountingIndex.searches == 1
