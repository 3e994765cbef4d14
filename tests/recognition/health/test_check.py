from dataclasses import replace

import numpy as np
import pytest

from app.errors import CalibrationMissing, CollectionUnknown, ModelMismatch
from app.gallery.store.identities import IdentityStore
from app.gallery.store.identity_pages import IdentityPages
from app.gallery.store.values import CollectionSettings, NewFace, Person
from app.recognition.decisions.calibration.templates import TemplateComparisons
from app.recognition.decisions.policy import Policy
from app.recognition.decisions.scoring import Scoring
from app.recognition.decisions.stated_rates import UNKNOWN
from app.recognition.health.check import HealthService
from app.recognition.health.findings import Findings, IdentityRef, SuggestedFix
from app.types import Floats
from tests.recognition.enrolling import D, new_face
from tests.recognition.fakes import calibration
from tests.recognition.galleries import gallery_on

FIXED = Policy(None, 0.5, 0.2)


@pytest.fixture
def gallery(engine, store):
    gallery = gallery_on(engine, model="m", dimension=D)
    gallery.ensure("people")
    store.create_collection("foreign", model="another", dimension=D)
    return gallery


@pytest.fixture
def health(engine, store, gallery):
    return HealthService(gallery, IdentityPages(engine, store), lambda _: FIXED)


@pytest.fixture
def enroll(gallery):
    """Enroll faces near the axis of any person; enroll("ada", 0, 0, 1) has a wrong-person face of person 1."""

    def enroll(identity_id, *axes, qualities=None):
        faces = [
            new_face(face(axis, seed=place), quality)
            for place, (axis, quality) in enumerate(zip(axes, qualities or [0.8] * len(axes), strict=True))
        ]
        gallery.add(gallery.require("people"), Person(identity_id, identity_id.title()), faces, None)
        return [each.face_id for each in faces]

    return enroll


def face(axis: int, *, seed: int) -> Floats:
    vector = np.eye(D)[axis] + np.random.default_rng(100 * axis + seed).normal(size=D) * 0.1
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def everything(health, limit=50, **wanted):
    pairs, foreign, poor, after, sums = [], [], [], 0, np.zeros(2, int)
    while True:
        page = health.check("people", after=after, limit=limit, **wanted)
        pairs += page.pairs
        foreign += page.foreign
        poor += page.poor
        sums += (page.identities, page.faces)
        if page.after is None:
            return Findings(int(sums[0]), int(sums[1]), pairs, foreign, poor)
        after = page.after


def unshown(person: IdentityRef) -> IdentityRef:
    """Return a person without the face to show."""
    assert person.face_id is not None
    return replace(person, face_id=None)


def test_an_empty_gallery_is_healthy(health):
    assert health.check("people") == Findings(0, 0)


def test_a_healthy_gallery_has_no_findings(health, enroll):
    for number, name in enumerate(("ada", "bob", "cyd")):
        enroll(name, number, number)
    assert health.check("people") == Findings(3, 6)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_two_identities_of_one_person_are_one_pair_wherever_pages_end(health, enroll, limit):
    enroll("zoe", 0)
    enroll("bob", 1)
    enroll("ada", 0, 0)
    found = everything(health, limit)
    assert (found.identities, found.faces, found.foreign, found.poor) == (3, 4, [], [])
    (pair,) = found.pairs
    assert (unshown(pair.first), unshown(pair.second)) == (IdentityRef("zoe", "Zoe", 1), IdentityRef("ada", "Ada", 2))
    assert pair.similarity > 0.9
    assert pair.fpir == UNKNOWN
    assert pair.mend == SuggestedFix("POST", "/collections/people/identities/zoe/merge", {"into": "ada"})


def test_each_pair_of_three_is_reported(health, enroll):
    for name in ("a", "b", "c"):
        enroll(name, 0)
    pairs = {(each.first.identity_id, each.second.identity_id) for each in everything(health, 1).pairs}
    assert pairs == {("a", "b"), ("a", "c"), ("b", "c")}


def test_ids_are_quoted_in_paths(health, enroll):
    enroll("a/b ü?", 0)
    enroll("z", 0)
    (pair,) = health.check("people").pairs
    assert pair.mend.path == "/collections/people/identities/a%2Fb%20%C3%BC%3F/merge"


def test_a_foreign_face_and_whom_it_looks_like(health, enroll):
    *_, planted = enroll("ada", 0, 0, 1)
    enroll("bob", 1, 1)
    found = health.check("people")
    assert found.pairs == []
    (foreign,) = found.foreign
    assert (foreign.face_id, unshown(foreign.identity), foreign.others) == (planted, IdentityRef("ada", "Ada", 3), 2)
    assert foreign.similarity < 0.4
    assert foreign.quality == pytest.approx(0.8)
    assert not foreign.is_undecided
    assert foreign.looks_like is not None
    assert unshown(foreign.looks_like.person) == IdentityRef("bob", "Bob", 2)
    assert foreign.mend == SuggestedFix("POST", f"/collections/people/faces/{planted}/move", {"identity_id": "bob"})


def test_a_foreign_face_of_nobody_is_to_be_deleted(health, enroll):
    *_, planted = enroll("ada", 0, 0, 1)
    enroll("bob", 2)
    (foreign,) = health.check("people").foreign
    assert (foreign.looks_like, foreign.mend) == (None, SuggestedFix("DELETE", f"/collections/people/faces/{planted}"))


def test_of_two_faces_the_one_that_is_somebody_elses_is_foreign(health, enroll):
    _, planted = enroll("ada", 0, 1)
    enroll("bob", 1, 1)
    found = health.check("people")
    assert found.pairs == []  # ada's template lies half way to bob
    (foreign,) = found.foreign
    assert (foreign.face_id, foreign.is_undecided) == (planted, False)


def test_of_two_faces_that_are_unlike_and_like_nobody_both_are_named(health, enroll):
    both = enroll("ada", 0, 1)
    enroll("bob", 2)
    found = health.check("people").foreign
    assert [each.face_id for each in found] == both
    assert all(each.is_undecided and each.others == 1 for each in found)


def test_poor_faces_are_named_and_nothing_else_is_said_of_them(health, enroll):
    *_, poor = enroll("ada", 0, 0, 1, qualities=[0.8, 0.8, 0.1])
    enroll("bob", 1)
    found = health.check("people")
    assert (found.pairs, found.foreign) == ([], [])
    (only,) = found.poor
    assert (only.face_id, only.quality, only.least) == (poor, pytest.approx(0.1), 0.25)
    assert only.mend == SuggestedFix("DELETE", f"/collections/people/faces/{poor}")


def test_who_has_poor_faces_only_needs_a_photo(health, enroll):
    enroll("ada", 0, qualities=[0.1])
    enroll("bob", 0)
    found = health.check("people")
    assert found.pairs == []
    (only,) = found.poor
    assert only.mend == SuggestedFix("POST", "/enroll", {"collection": "people", "identity_id": "ada", "photos": []})


def test_the_gate_is_the_collections(health, enroll, store):
    enroll("ada", 0, qualities=[0.5])
    assert health.check("people").poor == []
    store.change_settings("people", CollectionSettings(enroll_quality=0.6))
    assert [each.least for each in health.check("people").poor] == [0.6]


def test_a_stricter_rate_finds_fewer_pairs(engine, store, gallery, enroll):
    health = HealthService(gallery, IdentityPages(engine, store), lambda _: Policy(calibration(start=0.9), 0.5))
    enroll("ada", 0)
    enroll("bob", 0, 0)
    (pair,) = health.check("people", max_fpir=0.5).pairs
    assert pair.fpir.value is not None
    assert health.check("people", max_fpir=pair.fpir.value / 10).pairs == []


def test_a_pair_is_judged_by_the_number_of_its_faces(engine, store, gallery, enroll):
    policy = Policy(calibration(start=0.2), 0.5)
    health = HealthService(gallery, IdentityPages(engine, store), lambda _: policy)
    enroll("ada", 0, 0, 0)
    enroll("bob", 0, 0)
    enroll("cyd", 0)
    rates = {(pair.first.faces, pair.second.faces): (pair.similarity, pair.fpir) for pair in everything(health).pairs}
    assert len(rates) == 3
    for (first, second), (similarity, fpir) in rates.items():
        assert fpir == policy.fpir(similarity, TemplateComparisons(3, first, second))


def test_similarities_are_at_most_one_where_vectors_are_longer(engine, store, gallery, enroll):
    short = Scoring(np.zeros(D, np.float32), typical_norm=2)  # makes the vectors of these faces longer than 1
    policy = Policy(None, 0.5, 0.2, scoring=short)
    health = HealthService(gallery, IdentityPages(engine, store), lambda _: policy)
    enroll("ada", 0, 0, 1)
    enroll("bob", 0)
    enroll("cyd", 1)
    findings = everything(health)
    assert [pair.similarity for pair in findings.pairs] == [1]
    assert [each.looks_like.similarity for each in findings.foreign] == [1]


def test_a_rate_needs_a_calibration(health):
    with pytest.raises(CalibrationMissing):
        health.check("people", max_fpir=0.1)


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_is_checked(health, collection, error):
    with pytest.raises(error):
        health.check(collection)


def test_many_faces_of_one_person_hide_nobody(health, enroll):
    enroll("ada", *[0] * 60)
    enroll("eve", 0)
    assert len(health.check("people").pairs) == 1


# Pages


@pytest.fixture
def pages(engine, store):
    return IdentityPages(engine, store)


def test_a_page_ends_where_faces_become_too_many(pages, gallery, enroll):
    for number, name in enumerate(("a", "b", "c", "d")):
        enroll(name, *[number] * 3)
    target, seen, after = gallery.require("people"), [], 0
    while after is not None:
        page = pages.page(target, after=after, limit=50, faces=7)
        seen.append([each.identity_id for each in page.items])
        after = page.after
    assert seen == [["a", "b"], ["c", "d"]]
    assert [each.identity_id for each in pages.page(target, after=0, limit=50, faces=1).items] == ["a"]


def test_pages_are_of_one_collection(pages, gallery, store: IdentityStore, enroll):
    enroll("a", 0)
    other = store.create_collection("other", model="m", dimension=D)
    faces: list[NewFace] = [new_face(face(1, seed=0))]
    store.enroll(other, Person("b"), faces)
    enroll("c", 2)
    page = pages.page(gallery.require("people"), after=0, limit=50, faces=99)
    assert ([each.identity_id for each in page.items], page.after) == (["a", "c"], None)
