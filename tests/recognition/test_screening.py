"""What an enrolment says about faces that look like somebody else, and about those unlike their own identity."""

from dataclasses import asdict

import pytest
from sqlalchemy import select

from app.database.tables import EnrolmentTable
from app.errors import DuplicateIdentity, FaceMismatch, IdempotencyConflict, NothingEnrolled
from app.gallery.store.values import Practice, Reaction
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrolmentService
from app.recognition.screening import Reactions
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, blurred, calibration, photo, similarity

REJECT, FLAG, ALLOW = Reaction.REJECT, Reaction.FLAG, Reaction.ALLOW
NO_DUPLICATES = Reactions(on_duplicate=REJECT)
NO_MISMATCHES = Reactions(on_mismatch=REJECT)


@pytest.fixture
def service(analysis, gallery):
    return EnrolmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))


@pytest.fixture
def enrol(service):
    def enrol(identity_id, *colours, reactions=None, key=None):
        return service.enrol(
            [photo(each) for each in colours],
            collection="people",
            identity_id=identity_id,
            reactions=reactions or Reactions(),
            idempotency_key=key,
        )

    return enrol


def faces(gallery):
    return gallery.require("people").faces


# Duplicates


def test_the_first_photo_of_a_new_identity_is_said_to_look_like_somebody(enrol, gallery):
    (known,) = enrol("ada", RED).faces
    enrol("bob", GREEN)
    (found,) = enrol("ada again", PINK).duplicates
    assert (found.photo, found.identity_id, found.face_id, found.faces) == (0, "ada", known.face_id, 1)
    assert found.similarity == pytest.approx(similarity(RED, PINK), abs=0.01)
    assert found.fpir is None
    assert faces(gallery) == 3


def test_who_is_new_looks_like_nobody(enrol):
    assert enrol("ada", RED).duplicates == []
    assert enrol("bob", GREEN).duplicates == []


def test_an_identity_is_no_duplicate_of_itself(enrol):
    enrol("ada", RED)
    assert enrol("ada", PINK, reactions=NO_DUPLICATES).duplicates == []


def test_a_further_photo_that_is_somebody_elses_is_said_so(enrol):
    enrol("ada", RED)
    enrol("bob", GREEN)
    enrolment = enrol("ada", PINK, GREEN)
    assert [(each.photo, each.identity_id) for each in enrolment.duplicates] == [(1, "bob")]
    assert [each.photo for each in enrolment.mismatches] == [1]


def test_an_identity_is_named_once_with_its_most_similar_photo(enrol):
    enrol("ada", RED)
    (found,) = enrol("ada again", PINK, RED).duplicates
    assert (found.photo, found.similarity) == (1, pytest.approx(1, abs=0.01))


def test_a_duplicate_may_be_refused(enrol, gallery):
    enrol("ada", RED)
    before = gallery.require("people").revision
    for _ in range(2):  # with the same key, too: nothing was written
        with pytest.raises(
            DuplicateIdentity, match=r"looks like 'ada' \(similarity 0\.9.*on_duplicate=allow"
        ) as refused:
            enrol("eve", PINK, reactions=NO_DUPLICATES, key="k")
        assert [each.identity_id for each in refused.value.duplicates] == ["ada"]
    assert gallery.require("people").revision == before
    assert enrol("eve", PINK, reactions=Reactions(on_duplicate=ALLOW), key="k").duplicates == []
    assert faces(gallery) == 2


def test_the_collection_says_what_is_usual(enrol, store):
    store.change_practice("people", Practice(on_duplicate=REJECT))
    enrol("ada", RED)
    with pytest.raises(DuplicateIdentity):
        enrol("eve", RED)
    assert len(enrol("eve", RED, reactions=Reactions(on_duplicate=FLAG)).duplicates) == 1
    store.change_practice("people", Practice(on_duplicate=ALLOW))
    assert enrol("third", RED).duplicates == []


def test_a_poor_face_is_not_taken_for_anybody(analysis, gallery, store):
    service = EnrolmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5, probe_quality=0.2))
    store.change_practice("people", Practice(enrol_quality=0))
    service.enrol([photo(RED)], collection="people", identity_id="ada")
    assert service.enrol([blurred(RED)], collection="people", reactions=NO_DUPLICATES).duplicates == []


def test_more_photos_are_more_chances_for_a_stranger(analysis, gallery):
    service = EnrolmentService(lambda _: analysis, gallery, lambda _: Policy(calibration(), 0.9))
    service.enrol([photo(RED)], collection="people", identity_id="ada")
    (one,) = service.enrol([photo(PINK)], collection="people").duplicates
    two = service.enrol([photo(PINK), photo(PINK)], collection="people", identity_id="b").duplicates[0]
    assert one.fpir is not None
    assert two.fpir is not None
    assert 0 <= one.fpir < 0.01
    assert two.fpir >= one.fpir


def test_a_retry_gets_the_same_answer_though_the_face_is_enrolled_now(enrol, gallery, service):
    enrol("ada", RED)
    first = enrol("ada again", PINK, key="k")
    assert first.duplicates
    assert enrol("ada again", PINK, key="k") == first
    # Without an id of its own, and with refusals on, it is not its own duplicate either.
    new = service.enrol([photo(GREEN)], collection="people", reactions=NO_DUPLICATES, idempotency_key="new")
    again = service.enrol([photo(GREEN)], collection="people", reactions=NO_DUPLICATES, idempotency_key="new")
    assert new == again
    with pytest.raises(IdempotencyConflict):
        service.enrol([photo(GREEN)], collection="people", idempotency_key="new")
    assert faces(gallery) == 3


def test_a_retry_that_overtakes_is_not_its_own_duplicate(service, gallery, monkeypatch):
    """Two of the same request at once: when the second one looks, the first one is enrolled."""
    key = {"collection": "people", "reactions": NO_DUPLICATES, "idempotency_key": "k"}
    first = service.enrol([photo(RED)], **key)
    asked, look = [], gallery.earlier_answer

    def too_early(collection, retry):
        asked.append(retry)
        return None if len(asked) == 1 else look(collection, retry)

    monkeypatch.setattr(gallery, "earlier_answer", too_early)
    assert service.enrol([photo(RED)], **key) == first
    assert len(asked) == 2


def test_an_answer_of_before_there_were_these_is_repeated(enrol, engine):
    first = enrol("ada", RED, key="k")
    with engine.begin() as connection:
        answer = connection.execute(select(EnrolmentTable.answer)).scalar_one()
        connection.execute(
            EnrolmentTable.__table__.update().values(  # type: ignore[attr-defined] # a table
                answer={name: answer[name] for name in ("identity_id", "faces", "rejected")}
            )
        )
    assert enrol("ada", RED, key="k") == first


# Mismatches


def test_a_photo_unlike_the_identitys_others_is_said_so_and_enrolled(enrol, gallery):
    enrol("ada", RED, PINK)
    (found,) = enrol("ada", GREEN).mismatches
    assert (found.photo, found.faces, found.fmr) == (0, 2, None)
    assert found.similarity < 0
    assert faces(gallery) == 3


def test_a_photo_unlike_the_others_of_a_new_identity_is_said_so(enrol):
    assert [each.photo for each in enrol("ada", RED, BLUE, PINK).mismatches] == [1]


def test_of_two_photos_that_are_unlike_nobody_knows_which_is_foreign(enrol, gallery):
    assert [each.photo for each in enrol("ada", RED, BLUE).mismatches] == [0, 1]
    with pytest.raises(NothingEnrolled) as refused:
        enrol("eve", RED, BLUE, reactions=NO_MISMATCHES)
    assert [(each.photo, each.code) for each in refused.value.rejected] == [(0, "face_mismatch"), (1, "face_mismatch")]
    assert faces(gallery) == 2


def test_a_photo_that_does_not_fit_may_be_refused(enrol, gallery):
    enrolment = enrol("ada", RED, BLUE, PINK, reactions=NO_MISMATCHES)
    assert [each.photo for each in enrolment.faces] == [0, 2]
    ((rejected),) = enrolment.rejected
    assert (rejected.photo, rejected.code) == (1, FaceMismatch.code)
    assert "does not look like the identity's 2 other faces (similarity -0." in rejected.detail
    assert "on_mismatch=allow" in rejected.detail
    assert enrolment.mismatches == []
    with pytest.raises(NothingEnrolled):
        enrol("ada", GREEN, reactions=NO_MISMATCHES)
    assert faces(gallery) == 2


def test_a_refused_photo_is_not_looked_for_among_others(enrol):
    enrol("bob", BLUE)
    both = Reactions(REJECT, REJECT)
    enrolment = enrol("ada", RED, BLUE, PINK, reactions=both)
    assert (enrolment.duplicates, [each.photo for each in enrolment.rejected]) == ([], [1])


def test_mismatches_may_be_nobodys_business(enrol, store):
    store.change_practice("people", Practice(on_mismatch=ALLOW))
    assert enrol("ada", RED, BLUE).mismatches == []
    assert len(enrol("ada", GREEN, reactions=Reactions(on_mismatch=FLAG)).mismatches) == 1


def test_rejected_photos_are_in_their_order(service):
    photos = [photo(BLUE), photo(RED), b"no image", photo(PINK)]
    enrolment = service.enrol(photos, collection="people", reactions=NO_MISMATCHES)
    assert [each.photo for each in enrolment.rejected] == [0, 2]
    assert asdict(enrolment)["rejected"][0]["code"] == "face_mismatch"
