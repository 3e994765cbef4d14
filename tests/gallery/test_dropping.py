"""Collections that are deleted: their indexes and snapshots, here and on other replicas; and searches in a part."""

import numpy as np
import pytest

from app.errors import CollectionUnknown, RequestInvalid
from app.gallery.index.flat import FlatIndex
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.editing import EditingRepository
from app.gallery.store.listing import ListingRepository
from app.gallery.store.values import CollectionSettings, Person
from app.recognition.candidates import nearest_candidates
from app.recognition.collections import CollectionDefaults, CollectionService
from app.recognition.decisions.policy import Policy
from app.recognition.identification import IdentificationService
from tests.recognition.enrolling import D, enroll, found, new_face, units
from tests.recognition.galleries import bytes_under, compared, gallery_on, index_of, sharing
from tests.recognition.serving import serving_of


@pytest.fixture
def replicas(engine, tmp_path):
    """Two replicas with separate snapshots."""
    return [gallery_on(engine, FlatIndex, model="net", dimension=D, folder=tmp_path / name) for name in "ab"]


@pytest.fixture
def service(replicas, store, engine):
    defaults = CollectionDefaults("default", CollectionSettings(enroll_quality=0.4), frozenset({"exact"}))
    return CollectionService(
        replicas[0],
        store,
        CollectionRepository(engine),
        ListingRepository(engine),
        defaults,
        registry=serving_of(net=D),
    )


def test_no_byte_of_a_deleted_collection_is_left(replicas, service, tmp_path):
    a, b = replicas
    people = service.create("people", {}, None)
    other = service.create("other", {}, "exact")
    vectors = units(20, seed=1)
    enroll(a, people, "ada", vectors[:10])
    enroll(a, other, "bob", vectors[10:])
    b.follow()
    for each in replicas:
        each.save()
    service.delete("people")
    assert [path.name for path in (tmp_path / "a").iterdir()] == [other.uid]
    assert vectors[3].astype("<f2").tobytes() in bytes_under(tmp_path / "b")
    b.follow()
    assert [path.name for path in (tmp_path / "b").iterdir()] == [other.uid]
    for each in replicas:
        each.save()
        assert [state.collection for state in each.states()] == ["other"]
        assert found(each, other, vectors[12]) == "bob"
        with pytest.raises(CollectionUnknown):
            each.add(people, Person("eve"), [new_face(vectors[0])], None)
    assert len(list(tmp_path.glob("*/*"))) == 2


def test_the_usual_collection_comes_back_empty_for_the_running_network(replicas, service, store, engine):
    store.create_collection("default", model="another", dimension=3)
    service.delete("default")
    again = replicas[0].require("default")
    assert (again.model, again.faces, again.settings.enroll_quality) == ("net", 0, 0.4)
    enroll(replicas[0], again, "ada", units(1, seed=1))


def test_an_index_that_is_not_to_be_had_is_refused(service):
    with pytest.raises(RequestInvalid, match="milvus") as caught:
        service.create("people", {}, "milvus")
    assert caught.value.fields[0]["field"] == "index"


def test_an_engine_is_told_to_forget_a_collection(engine, store):
    class Index(FlatIndex):
        kind = "shared"

    index, dropped = Index(D), []
    gallery = sharing(engine, index, model="net", dimension=D)
    people = gallery.create("people")
    gallery._projection(people)._drop = lambda: dropped.append("people")  # type: ignore[attr-defined] # it is shared
    gallery.drop(people, CollectionRepository(engine).delete)
    assert dropped == ["people"]


def test_merged_people_are_found_as_one_without_any_change_of_an_index(replicas, service, engine):
    a, b = replicas
    people = service.create("people", {}, None)
    one, two = units(2, seed=3)
    enroll(a, people, "ada", one[None])
    enroll(a, people, "dup", two[None])
    b.follow()
    edited = EditingRepository(engine).merge(people, "dup", "ada")
    a.catch_up(people, edited.revision)
    b.follow()
    for each in replicas:
        ((candidate,),) = nearest_candidates(each, people, two[None], 5)
        assert (candidate.identity_id, candidate.faces) == ("ada", 2)
        assert compared(engine, each, "people").is_empty()
        assert [state.behind for state in each.states()] == [0]
    enroll(b, people, "eve", units(1, seed=4))
    assert index_of(b, "people").count() == 3


@pytest.fixture
def search(replicas, service):
    people = service.create("people", {}, None)
    self_search = IdentificationService(None, replicas[0], lambda _: Policy(None, 0.8))  # type: ignore[arg-type] # no photos

    def search(embedding, **options):
        return self_search.search(np.asarray(embedding, np.float64), collection="people", top_k=5, **options)

    search.people = people  # type: ignore[attr-defined]
    return search


def test_an_embedding_of_any_length_is_looked_up(search, replicas):
    vectors = units(2, seed=1)
    for name, vector in zip(("ada", "bob"), vectors, strict=True):
        enroll(replicas[0], search.people, name, vector[None])
    for length in (1, 1e-200, 1e300):
        result = search(vectors[0].astype(np.float64) * length)
        assert (result.verdict, result.candidates[0].identity_id) == ("match", "ada")
        assert result.candidates[0].similarity == pytest.approx(1, abs=1e-3)
        assert result.margin == pytest.approx(1 - float(vectors[0] @ vectors[1]), abs=1e-3)


@pytest.mark.parametrize("embedding", [[1] * (D - 1), [1] * (D + 1), [0] * D, [np.nan] * D, [np.inf] + [1] * (D - 1)])
def test_what_is_no_embedding_is_refused(search, embedding):
    with pytest.raises(RequestInvalid) as caught:
        search(embedding)
    assert caught.value.fields[0]["field"] == "embedding"


def test_an_empty_collection_knows_nobody(search):
    result = search([1] * D)
    assert (result.verdict, result.candidates, result.margin) == ("no_match", [], None)


def test_a_search_in_a_part_is_exact(search, replicas):
    """However many others are nearer."""
    probe = units(1, seed=7)[0]
    near = probe + 0.05 * units(120, seed=8)
    for number, vector in enumerate(near / np.linalg.norm(near, axis=1, keepdims=True)):
        replicas[0].add(search.people, Person(f"near-{number}", metadata={"site": "a"}), [new_face(vector)], None)
    far = units(3, seed=9)
    for number, vector in enumerate(far):
        replicas[0].add(search.people, Person(f"far-{number}", metadata={"site": "b"}), [new_face(vector)], None)
    result = search(probe, where={"site": "b"})
    expected = sorted(range(3), key=lambda number: -float(far[number] @ probe))
    assert [each.identity_id for each in result.candidates] == [f"far-{number}" for number in expected]
    assert search(probe, where={"site": "c"}).candidates == []
    assert search(probe, where={}).candidates[0].identity_id.startswith("near")
