"""Searches of people, through the gallery: the index knows whose the faces are, whatever happens to them."""

from functools import partial

import numpy as np
import pytest

from app.gallery.identity_search import search_identities
from app.gallery.index.compressed import CompressedIndex
from app.gallery.owner_cache import OwnerCache
from app.gallery.store.editing import EditingRepository
from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Person
from app.recognition.candidates import nearest_candidates
from app.types import Floats, Keys
from tests.recognition.enrolling import D, enroll, units
from tests.recognition.galleries import compared, gallery_on, index_of


class Coded(CompressedIndex):
    """Searches by codes however few people there are, with as many candidates as there are."""

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension, groups=4, threads=2, block_rows=16)
        self.train(units(64, seed=9))
        self.searched = 0

    def _wanted(self, k: int) -> int | None:
        del k
        return len(self._people.codes) or None

    def search(self, vectors: Floats, k: int, *, among: Keys | None = None) -> tuple[Floats, Keys]:
        self.searched += 1
        return super().search(vectors, k, among=among)


@pytest.fixture
def replica(engine, tmp_path):
    def replica(name: str):
        gallery = gallery_on(engine, Coded, model="net", dimension=D, folder=tmp_path / name)
        gallery.ensure("people")
        gallery.open()
        return gallery

    return replica


@pytest.fixture
def a(replica):
    return replica("a")


@pytest.fixture
def people(a):
    return a.require("people")


def coded(gallery) -> Coded:
    index = index_of(gallery, "people")
    assert isinstance(index, Coded)
    return index


def means(gallery) -> set[int]:
    """Return the people of whom the index has a mean."""
    keys = coded(gallery)._people.codes.keys()
    return set(keys[keys >= 0].tolist())


def best(gallery, people, probe: Floats) -> str:
    return nearest_candidates(gallery, people, probe[None], 1)[0][0].identity_id


def around(centre: Floats, count: int, *, seed: int) -> Floats:
    vectors = centre + 0.2 * units(count, seed=seed)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_a_probe_finds_its_person_by_one_search_of_people(a, people):
    centres = units(20, seed=1)
    for number, centre in enumerate(centres):
        enroll(a, people, f"p{number}", around(centre, 4, seed=number))
    assert [best(a, people, centre) for centre in centres] == [f"p{number}" for number in range(20)]
    assert coded(a).searched == 0
    assert len(means(a)) == 20


def test_people_with_many_faces_do_not_hide_the_others(engine, a, people):
    centres = units(5, seed=1)
    for number, centre in enumerate(centres):
        enroll(a, people, f"p{number}", around(centre, 40, seed=number))
    index = coded(a)
    found = search_identities(index, OwnerCache(IdentityStore(engine)), people, centres[:1], 4)
    assert {each.identity_id for each in found} == {f"p{number}" for number in range(5)}
    assert index.searched == 0


def test_merged_moved_and_deleted_faces_change_their_people_on_every_replica(engine, a, people, replica):
    b = replica("b")
    ada, bob, eve = units(3, seed=1)
    enroll(a, people, "ada", around(ada, 3, seed=2))
    enroll(b, people, "bob", around(bob, 3, seed=3))
    face_ids = enroll(a, people, "eve", around(eve, 3, seed=4))
    editing, store = EditingRepository(engine), IdentityStore(engine)
    for edit in (
        partial(editing.merge, people, "bob", "ada"),
        partial(editing.move_faces, people, face_ids[:1], Person("max")),
        partial(a.remove_face, people, face_ids[1]),
        partial(b.remove_identity, people, "ada"),
    ):
        edit()
        for gallery in (a, b):
            gallery.follow()
            assert compared(engine, gallery, "people").is_empty()
            _, _, owners = next(iter(store.templates(people)))
            assert means(gallery) == set(owners.tolist())
    assert {best(a, people, ada), best(b, people, bob)} <= {"eve", "max"}


def test_owners_come_back_with_a_snapshot(engine, a, people, replica):
    enroll(a, people, "ada", units(3, seed=2))
    enroll(a, people, "bob", units(2, seed=3))
    a.close()
    again = replica("a")
    assert compared(engine, again, "people").is_empty()
    assert means(again) == means(a)


def test_a_face_of_another_owner_is_a_difference(engine, a, people):
    enroll(a, people, "ada", units(3, seed=2))
    index = index_of(a, "people")
    index.add(np.array([2]), index.vectors(np.array([2])), owners=np.array([77]))
    assert compared(engine, a, "people").changed.tolist() == [2]
