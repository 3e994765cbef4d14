"""Findings of an enrollment about faces similar to other people, and about faces unlike their own identity."""

from dataclasses import asdict

import pytest
from sqlalchemy import select

from app.database.tables import EnrollmentTable
from app.errors import DuplicateIdentity, FaceMismatch, IdempotencyConflict, NothingEnrolled
from app.gallery.store.values import CollectionSettings, Reaction
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.screening import Reactions
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, blurred, calibration, photo, similarity

REJECT, FLAG, ALLOW = Reaction.REJECT, Reaction.FLAG, Reaction.ALLOW
NO_DUPLICATES = Reactions(on_duplicate=REJECT)
NO_MISMATCHES = Reactions(on_mismatch=REJECT)


@pytest.fixture
def service(analysis, gallery):
    return EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))


@pytest.fixture
def enroll(service):
    def enroll(identity_id, *colours, reactions=None, key=None):
        return service.enroll(
            [photo(each) for each in colours],
            collection="people",
            identity_id=identity_id,
            reactions=reactions or Reactions(),
            idempotency_key=key,
        )

    return enroll


def faces(gallery):
    return gallery.require("people").faces


# Duplicates


def test_the_first_photo_of_a_new_identity_is_said_to_look_like_somebody(enroll, gallery):
    (known,) = enroll("ada", RED).faces
    enroll("bob", GREEN)
    (found,) = enroll("ada again", PINK).duplicates
    assert (found.photo, found.identity_id, found.face_id, found.faces) == (0, "ada", known.face_id, 1)
    assert found.similarity == pytest.approx(similarity(RED, PINK), abs=0.01)
    assert found.fpir is None
    assert faces(gallery) == 3


def test_who_is_new_looks_like_nobody(enroll):
    assert enroll("ada", RED).duplicates == []
    assert enroll("bob", GREEN).duplicates == []


def test_an_identity_is_no_duplicate_of_itself(enroll):
    enroll("ada", RED)
    assert enroll("ada", PINK, reactions=NO_DUPLICATES).duplicates == []


def test_a_further_photo_that_is_somebody_elses_is_said_so(enroll):
    enroll("ada", RED)
    enroll("bob", GREEN)
    enrollment = enroll("ada", PINK, GREEN)
    assert [(each.photo, each.identity_id) for each in enrollment.duplicates] == [(1, "bob")]
    assert [each.photo for each in enrollment.mismatches] == [1]


def test_an_identity_is_named_once_with_its_most_similar_photo(enroll):
    enroll("ada", RED)
    (found,) = enroll("ada again", PINK, RED).duplicates
    assert (found.photo, found.similarity) == (1, pytest.approx(0.988, abs=0.001))  # of both together


def test_a_duplicate_may_be_refused(enroll, gallery):
    enroll("ada", RED)
    before = gallery.require("people").revision
    for _ in range(2):  # with the same key, too: nothing was written
        with pytest.raises(
            DuplicateIdentity, match=r"looks like 'ada' \(similarity 0\.9.*on_duplicate=allow"
        ) as refused:
            enroll("eve", PINK, reactions=NO_DUPLICATES, key="k")
        assert [each.identity_id for each in refused.value.duplicates] == ["ada"]
    assert gallery.require("people").revision == before
    assert enroll("eve", PINK, reactions=Reactions(on_duplicate=ALLOW), key="k").duplicates == []
    assert faces(gallery) == 2


def test_the_collection_says_what_is_usual(enroll, store):
    store.change_settings("people", CollectionSettings(on_duplicate=REJECT))
    enroll("ada", RED)
    with pytest.raises(DuplicateIdentity):
        enroll("eve", RED)
    assert len(enroll("eve", RED, reactions=Reactions(on_duplicate=FLAG)).duplicates) == 1
    store.change_settings("people", CollectionSettings(on_duplicate=ALLOW))
    assert enroll("third", RED).duplicates == []


def test_a_poor_face_is_not_taken_for_anybody(analysis, gallery, store):
    service = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5, probe_quality=0.2))
    store.change_settings("people", CollectionSettings(enroll_quality=0))
    service.enroll([photo(RED)], collection="people", identity_id="ada")
    assert service.enroll([blurred(RED)], collection="people", reactions=NO_DUPLICATES).duplicates == []


def test_more_photos_are_more_chances_for_a_stranger(analysis, gallery):
    service = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(calibration(), 0.9))
    service.enroll([photo(RED)], collection="people", identity_id="ada")
    (one,) = service.enroll([photo(PINK)], collection="people").duplicates
    two = service.enroll([photo(PINK), photo(PINK)], collection="people", identity_id="b").duplicates[0]
    assert one.fpir is not None
    assert two.fpir is not None
    assert 0 <= one.fpir < 0.01
    assert two.fpir >= one.fpir


def test_a_retry_gets_the_same_answer_though_the_face_is_enrolled_now(enroll, gallery, service):
    enroll("ada", RED)
    first = enroll("ada again", PINK, key="k")
    assert first.duplicates
    assert enroll("ada again", PINK, key="k") == first
    # Without an id, and with `reject`, it is not its own duplicate either.
    new = service.enroll([photo(GREEN)], collection="people", reactions=NO_DUPLICATES, idempotency_key="new")
    again = service.enroll([photo(GREEN)], collection="people", reactions=NO_DUPLICATES, idempotency_key="new")
    assert new == again
    with pytest.raises(IdempotencyConflict):
        service.enroll([photo(GREEN)], collection="people", idempotency_key="new")
    assert faces(gallery) == 3


def test_a_retry_that_overtakes_is_not_its_own_duplicate(service, gallery, monkeypatch):
    """Two of the same request at once: when the second one looks, the first one is enrolled."""
    key = {"collection": "people", "reactions": NO_DUPLICATES, "idempotency_key": "k"}
    first = service.enroll([photo(RED)], **key)
    asked, look = [], gallery.earlier_answer

    def too_early(collection, retry):
        asked.append(retry)
        return None if len(asked) == 1 else look(collection, retry)

    monkeypatch.setattr(gallery, "earlier_answer", too_early)
    assert service.enroll([photo(RED)], **key) == first
    assert len(asked) == 2


def test_an_answer_of_before_there_were_these_is_repeated(enroll, engine):
    first = enroll("ada", RED, key="k")
    with engine.begin() as connection:
        answer = connection.execute(select(EnrollmentTable.answer)).scalar_one()
        connection.execute(
            EnrollmentTable.__table__.update().values(  # type: ignore[attr-defined] # a table
                answer={name: answer[name] for name in ("identity_id", "faces", "rejected")}
            )
        )
    assert enroll("ada", RED, key="k") == first


# Mismatches


def test_a_photo_unlike_the_identitys_others_is_said_so_and_enrolled(enroll, gallery):
    enroll("ada", RED, PINK)
    (found,) = enroll("ada", GREEN).mismatches
    assert (found.photo, found.faces, found.fmr) == (0, 2, None)
    assert found.similarity < 0
    assert faces(gallery) == 3


def test_a_photo_unlike_the_others_of_a_new_identity_is_said_so(enroll):
    assert [each.photo for each in enroll("ada", RED, BLUE, PINK).mismatches] == [1]


def test_of_two_photos_that_are_unlike_nobody_knows_which_is_foreign(enroll, gallery):
    assert [each.photo for each in enroll("ada", RED, BLUE).mismatches] == [0, 1]
    with pytest.raises(NothingEnrolled) as refused:
        enroll("eve", RED, BLUE, reactions=NO_MISMATCHES)
    assert [(each.photo, each.code) for each in refused.value.rejected] == [(0, "face_mismatch"), (1, "face_mismatch")]
    assert faces(gallery) == 2


def test_a_photo_that_does_not_fit_may_be_refused(enroll, gallery):
    enrollment = enroll("ada", RED, BLUE, PINK, reactions=NO_MISMATCHES)
    assert [each.photo for each in enrollment.faces] == [0, 2]
    ((rejected),) = enrollment.rejected
    assert (rejected.photo, rejected.code) == (1, FaceMismatch.code)
    assert "does not look like the identity's 2 other faces (similarity -0." in rejected.detail
    assert "on_mismatch=allow" in rejected.detail
    assert enrollment.mismatches == []
    with pytest.raises(NothingEnrolled):
        enroll("ada", GREEN, reactions=NO_MISMATCHES)
    assert faces(gallery) == 2


def test_a_refused_photo_is_not_looked_for_among_others(enroll):
    enroll("bob", BLUE)
    both = Reactions(REJECT, REJECT)
    enrollment = enroll("ada", RED, BLUE, PINK, reactions=both)
    assert (enrollment.duplicates, [each.photo for each in enrollment.rejected]) == ([], [1])


def test_mismatches_may_be_nobodys_business(enroll, store):
    store.change_settings("people", CollectionSettings(on_mismatch=ALLOW))
    assert enroll("ada", RED, BLUE).mismatches == []
    assert len(enroll("ada", GREEN, reactions=Reactions(on_mismatch=FLAG)).mismatches) == 1


def test_rejected_photos_are_in_their_order(service):
    photos = [photo(BLUE), photo(RED), b"no image", photo(PINK)]
    enrollment = service.enroll(photos, collection="people", reactions=NO_MISMATCHES)
    assert [each.photo for each in enrollment.rejected] == [0, 2]
    assert asdict(enrollment)["rejected"][0]["code"] == "face_mismatch"
