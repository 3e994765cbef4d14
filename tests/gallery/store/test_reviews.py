from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, insert, select, update

from app.access.trail import Trail
from app.database import audit
from app.database.audit import Action, Actor
from app.database.event_table import EventTable
from app.database.review_tables import ReviewCandidateTable, ReviewDecisionTable, ReviewImageTable, ReviewTable
from app.database.session_table import SessionTable
from app.database.tables import KeyTable
from app.errors import KeyInvalid, PreconditionFailed, RequestInvalid, ReviewClosed, ReviewerRepeated, ReviewUnknown
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.editing import EditingRepository
from app.gallery.store.review_pages import ReviewPages
from app.gallery.store.review_values import NewCandidate, NewDecision, NewReview, ReviewDecision, ReviewOrigin
from app.gallery.store.reviews import ReviewStore
from app.gallery.store.subjects import SubjectRepository
from app.gallery.store.values import Collection, Person
from tests.gallery.store.enrolling import enroll
from tests.sealing import FakeSealer

START = datetime(2026, 11, 30, 8, tzinfo=UTC)
CONFIRM, REJECT = NewDecision(ReviewDecision.CONFIRM), NewDecision(ReviewDecision.REJECT)
ONE, TWO, THREE = Actor("front-desk", "k1"), Actor("office", "k2"), Actor("night", "k3")


@pytest.fixture
def reviews(engine) -> ReviewStore:
    with engine.begin() as connection:
        for key in ("k1", "k2", "k3", "k4"):
            row = {"key_id": key, "name": key, "sha256": f"{key:0>64}", "scopes": ["manage"], "created_at": START}
            connection.execute(insert(KeyTable).values(row))
    return ReviewStore(engine, FakeSealer(), most_open=3)


@pytest.fixture
def pages(engine) -> ReviewPages:
    return ReviewPages(engine, FakeSealer())


@pytest.fixture
def staff(store, people):
    for each in ("ada", "bob", "eve"):
        enroll(store, people, each)
    return store.collection("people")


def match(*identity_ids: str, **changes: Any) -> NewReview:
    candidates = [NewCandidate(each, 0.5 - place / 10, fpir=0.02) for place, each in enumerate(identity_ids or ["ada"])]
    usual = NewReview(
        ReviewOrigin.IDENTIFY,
        uuid4().hex,
        candidates,
        started_at=START,
        ended_at=START + timedelta(seconds=1),
        quality=0.7,
        verdict="possible",
        input_sha256="ab" * 32,
    )
    return replace(usual, **changes)


def opened(reviews: ReviewStore, collection: Collection, *identity_ids: str, **changes: Any) -> str:
    review_id = reviews.open(collection, str(uuid4()), match(*identity_ids, **changes))
    assert review_id is not None
    return review_id


def decide(reviews, who, collection, review_id, decision, versions=None):
    with audit.acting(who):
        return reviews.decide(collection, review_id, decision, versions)


def require(collections, name="people", **settings):
    return collections.change(name, settings)


def test_a_review_records_the_use_the_database_and_the_input(reviews, pages, staff):
    with audit.acting(Actor("kiosk", "k9")):
        review_id = opened(reviews, staff, "ada", "bob", threshold=0.6, image=b"jpeg")
    review = pages.get(staff, review_id)
    assert (review.started_at, review.ended_at) == (START, START + timedelta(seconds=1))
    assert (review.model, review.uid, review.revision) == (staff.model, staff.uid, staff.revision)
    assert (review.input_sha256, review.actor, review.key_id) == ("ab" * 32, "kiosk", "k9")
    assert (review.state, review.times, review.closed_at, review.decisions) == ("open", 1, None, [])
    assert [each.identity_id for each in review.candidates] == ["ada", "bob"]
    first = review.candidates[0]
    assert (first.similarity, first.fpir, first.fmr, first.has_image) == (0.5, 0.02, None, False)
    assert first.face_id is not None
    assert pages.image(staff, review_id) == b"jpeg"


def test_an_image_is_stored_only_sealed(engine, reviews, staff):
    opened(reviews, staff, image=b"jpeg")
    with engine.connect() as connection:
        assert b"jpeg" not in connection.scalar(select(ReviewImageTable.sealed))


def test_without_a_sealer_no_image_is_stored(engine, pages, staff):
    review_id = opened(ReviewStore(engine), staff, image=b"jpeg")
    assert not pages.get(staff, review_id).has_image
    with pytest.raises(ReviewUnknown):
        pages.image(staff, review_id)


def test_the_same_match_counts_instead_of_filling_the_queue(reviews, pages, staff):
    first = opened(reviews, staff, same_as="track-7")
    later = START + timedelta(minutes=1)
    assert opened(reviews, staff, same_as="track-7", ended_at=later) == first
    decide(reviews, ONE, staff, first, REJECT)
    assert opened(reviews, staff, same_as="track-7", ended_at=later) == first
    review = pages.get(staff, first)
    assert (review.times, review.ended_at, review.state) == (3, later, "rejected")
    assert pages.open_count(staff) == 0


def test_a_full_queue_opens_nothing_until_a_review_is_decided(reviews, pages, staff):
    ids = [opened(reviews, staff) for _ in range(3)]
    assert reviews.open(staff, "another", match()) is None
    assert pages.open_count(staff) == 3
    decide(reviews, ONE, staff, ids[0], CONFIRM)
    opened(reviews, staff)


def test_nobody_who_was_just_erased_gets_a_review(reviews, pages, store, staff):
    store.remove_identity(staff, "ada")
    assert reviews.open(staff, "late", match("ada", "bob")) is None
    review = pages.get(staff, opened(reviews, staff, "bob", "ada"))
    assert [each.identity_id for each in review.candidates] == ["bob"]


def test_one_person_decides(engine, reviews, pages, staff):
    review_id = opened(reviews, staff, "ada", "bob")
    decided = decide(reviews, ONE, staff, review_id, NewDecision(ReviewDecision.CONFIRM, "bob", "by the badge"))
    assert decided == pages.get(staff, review_id)
    assert (decided.state, decided.closed_at is None, decided.changes) == ("confirmed", False, 1)
    (decision,) = decided.decisions
    assert (decision.decision, decision.identity_id, decision.note) == ("confirm", "bob", "by the badge")
    assert (decision.actor, decision.key_id) == ("front-desk", "k1")
    with pytest.raises(ReviewClosed, match="confirmed"):
        decide(reviews, TWO, staff, review_id, REJECT)
    last = list(Trail(engine).about("people", "bob"))[-1].content()
    assert (last["action"], last["subject"]) == ("review.decided", "bob")
    assert last["detail"] == {"review": review_id, "decision": "confirm", "state": "confirmed"}
    with engine.connect() as connection:
        kinds = connection.execute(
            select(EventTable.kind, EventTable.subject)
            .where(EventTable.kind.startswith("review."))
            .order_by(EventTable.id)
        ).all()
    assert [tuple(each) for each in kinds] == [("review.opened", "ada"), ("review.decided", "bob")]


def test_two_different_people_have_to_agree(engine, reviews, staff):
    require(CollectionRepository(engine), reviewers=2)
    review_id = opened(reviews, staff, "ada", "bob")
    assert decide(reviews, ONE, staff, review_id, CONFIRM).state == "open"
    with pytest.raises(ReviewerRepeated, match="front-desk"):
        decide(reviews, ONE, staff, review_id, CONFIRM)
    assert decide(reviews, TWO, staff, review_id, REJECT).state == "open"  # they disagree
    other = NewDecision(ReviewDecision.CONFIRM, "bob")
    assert decide(reviews, Actor("x", "k4"), staff, review_id, other).state == "open"  # on another person
    assert decide(reviews, THREE, staff, review_id, CONFIRM).state == "confirmed"


def test_a_person_is_the_same_in_another_session(engine, reviews, staff):
    require(CollectionRepository(engine), reviewers=2)
    review_id = opened(reviews, staff)
    for number, subject in enumerate(("sub-1", "sub-1", "sub-2")):
        session = {"session_id": f"s{number}", "subject": subject, "name": "Ada", "sha256": f"{number:064}"}
        rest = {"scopes": ["manage"], "created_at": START, "expires_at": START}
        with engine.begin() as connection:
            connection.execute(insert(SessionTable).values(**session, **rest))
    decide(reviews, Actor("Ada", "s0"), staff, review_id, REJECT)
    with pytest.raises(ReviewerRepeated):
        decide(reviews, Actor("Ada", "s1"), staff, review_id, REJECT)
    with engine.begin() as connection:  # it ends while a request is under way
        connection.execute(delete(SessionTable).where(SessionTable.session_id == "s1"))
    with pytest.raises(KeyInvalid, match="ended"):
        decide(reviews, Actor("Ada", "s1"), staff, review_id, REJECT)
    assert decide(reviews, Actor("Ada", "s2"), staff, review_id, REJECT).state == "rejected"


def test_callers_without_a_key_count_as_one_person(engine, reviews, staff):
    require(CollectionRepository(engine), reviewers=2)
    review_id = opened(reviews, staff)
    decide(reviews, Actor("anonymous"), staff, review_id, CONFIRM)
    with pytest.raises(ReviewerRepeated):
        decide(reviews, Actor("anonymous"), staff, review_id, CONFIRM)


def test_a_decision_on_another_version_is_refused(engine, reviews, pages, staff):
    require(CollectionRepository(engine), reviewers=2)
    review_id = opened(reviews, staff)
    seen = pages.get(staff, review_id).version
    decide(reviews, ONE, staff, review_id, CONFIRM, {seen})
    with pytest.raises(PreconditionFailed):
        decide(reviews, TWO, staff, review_id, CONFIRM, {seen})


def test_only_candidates_can_be_confirmed(reviews, staff):
    review_id = opened(reviews, staff, "ada")
    with pytest.raises(RequestInvalid, match="not a candidate"):
        decide(reviews, ONE, staff, review_id, NewDecision(ReviewDecision.CONFIRM, "eve"))
    with pytest.raises(ReviewUnknown):
        decide(reviews, ONE, staff, "nothing", CONFIRM)


def rows_left(engine) -> list[int]:
    tables = (ReviewTable, ReviewCandidateTable, ReviewDecisionTable, ReviewImageTable)
    with engine.connect() as connection:
        return [connection.scalar(select(func.count()).select_from(each)) for each in tables]


def test_a_review_is_erased_with_its_person(engine, reviews, pages, store, staff):
    require(CollectionRepository(engine), reviewers=2)
    about_ada, about_bob = opened(reviews, staff, "ada", "bob", image=b"jpeg"), opened(reviews, staff, "bob", "ada")
    decide(reviews, ONE, staff, about_ada, CONFIRM)
    store.remove_identity(staff, "ada")
    with pytest.raises(ReviewUnknown):
        pages.get(staff, about_ada)
    assert [each.identity_id for each in pages.get(staff, about_bob).candidates] == ["bob"]
    assert rows_left(engine) == [1, 1, 0, 0]


def test_a_confirmed_review_is_erased_with_the_confirmed_person(engine, reviews, store, staff):
    review_id = opened(reviews, staff, "ada", "bob", image=b"jpeg")
    decide(reviews, ONE, staff, review_id, NewDecision(ReviewDecision.CONFIRM, "bob"))
    store.remove_identity(staff, "bob")
    assert rows_left(engine) == [0, 0, 0, 0]


@pytest.mark.parametrize("forget", ["clear", "delete"])
def test_reviews_go_with_their_collection(engine, reviews, staff, forget):
    decide(reviews, ONE, staff, opened(reviews, staff, image=b"jpeg"), CONFIRM)
    if forget == "clear":
        SubjectRepository(engine).clear(staff)
    else:
        CollectionRepository(engine).delete(staff)
    assert rows_left(engine) == [0, 0, 0, 0]


def test_reviews_follow_a_merge_a_rename_and_a_move(engine, reviews, pages, store, staff):
    review_id = opened(reviews, staff, "ada", "bob")
    EditingRepository(engine).merge(staff, "ada", "bob")
    assert [each.identity_id for each in pages.get(staff, review_id).candidates] == ["bob"]
    SubjectRepository(engine).rename(staff, "bob", "robert")
    assert [each.identity_id for each in pages.get(staff, review_id).candidates] == ["robert"]
    faces = store.enrolled(staff, "robert").face_ids
    EditingRepository(engine).move_faces(staff, faces, Person("eve"))
    (candidate,) = pages.get(staff, review_id).candidates
    assert candidate.identity_id == "eve"


def test_reviews_expire_and_are_deleted_later(engine, reviews, pages, staff):
    expiring, decided = opened(reviews, staff, image=b"jpeg"), opened(reviews, staff)
    kept = opened(reviews, staff)
    decide(reviews, ONE, staff, decided, REJECT)
    long_ago = datetime.now(UTC) - timedelta(days=200)
    with engine.begin() as connection:
        old = update(ReviewTable).where(ReviewTable.review_id.in_([expiring, decided]))
        connection.execute(old.values(opened_at=long_ago))
        closed = ReviewTable.closed_at.is_not(None)
        connection.execute(update(ReviewTable).where(closed).values(closed_at=long_ago))
    reviews.delete_expired()
    found = pages.page(staff, after=0, limit=10).items
    assert [(each.review_id, each.state) for each in found] == [(expiring, "expired"), (kept, "open")]
    assert not found[0].has_image
    with pytest.raises(ReviewClosed, match="expired"):
        decide(reviews, ONE, staff, expiring, CONFIRM)
    *_, last = Trail(engine).lines()
    line = last.content()
    assert (line["action"], line["detail"]) == (Action.REVIEW_EXPIRED, {"expired": 1, "deleted": 1})


def test_pages_filter_by_state_and_person(reviews, pages, staff):
    first, second, third = (opened(reviews, staff, each) for each in ("ada", "bob", "ada"))
    decide(reviews, ONE, staff, first, REJECT)
    page = pages.page(staff, after=0, limit=1, state="open")
    assert [each.review_id for each in page.items] == [second]
    rest = pages.page(staff, after=page.after, limit=1, state="open")
    assert ([each.review_id for each in rest.items], rest.after) == ([third], None)
    of_ada = pages.page(staff, after=0, limit=9, identity_id="ada").items
    assert [each.review_id for each in of_ada] == [first, third]
