import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.database.tables import EnrollmentTable
from app.errors import (
    CollectionUnknown,
    IdempotencyConflict,
    IdentityUnknown,
    ModelMismatch,
    NothingEnrolled,
    RejectedPhoto,
)
from app.gallery.store.values import CollectionSettings, Reaction
from app.recognition.accepted_faces import EnrolledFace
from app.recognition.analysis import Face
from app.recognition.candidates import nearest_candidates
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.face_choice import FaceChoice
from app.types import Detection
from app.vision.quality import Quality, Reason
from tests.recognition.fakes import (
    BLUE,
    GREEN,
    PINK,
    RED,
    SIDE,
    WHITE,
    blurred,
    calibration,
    photo,
    vector_of,
)

NO_IMAGE = b"This is no image."


@pytest.fixture
def service(analysis, gallery):
    return EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))


def count(gallery):
    gallery.follow()
    (state,) = gallery.states()
    assert state.faces == state.indexed
    return state.faces


def test_a_person_is_enrolled_and_found(service, gallery):
    enrollment = service.enroll([photo(RED)], collection="people", identity_id="ada", name="Ada", metadata={"room": 7})
    (face,) = enrollment.faces
    assert (enrollment.identity_id, enrollment.rejected) == ("ada", [])
    quality = Quality(pytest.approx(0.75))  # type: ignore[arg-type] # compares like a float
    assert face == EnrolledFace(str(UUID(face.face_id)), 0, (0, 0, SIDE, SIDE), 0.9, quality)
    ((candidate,),) = nearest_candidates(gallery, gallery.require("people"), vector_of(RED)[None], 5)
    assert (candidate.identity_id, candidate.name, candidate.face_id) == ("ada", "Ada", face.face_id)
    assert candidate.similarity == pytest.approx(1, abs=1e-4)


def test_without_an_id_a_new_person_is_made_each_time(service, gallery):
    first, second = (service.enroll([photo(RED)], collection="people") for _ in range(2))
    assert UUID(first.identity_id) != UUID(second.identity_id)
    assert count(gallery) == 2


def test_further_photos_join_the_same_person(service, gallery):
    service.enroll([photo(RED)], collection="people", identity_id="ada")
    service.enroll([photo(PINK), photo(GREEN)], collection="people", identity_id="ada")
    assert len(gallery.enrolled(gallery.require("people"), "ada").face_ids) == 3


def test_every_photo_is_accepted_or_refused_for_itself(service, gallery):
    photos = [NO_IMAGE, photo(RED), photo(WHITE), photo(RED, BLUE), photo(PINK), photo(RED)[:200]]
    enrollment = service.enroll(photos, collection="people", identity_id="ada")
    assert [face.photo for face in enrollment.faces] == [1, 4]
    assert [(each.photo, each.code) for each in enrollment.rejected] == [
        (0, "not_an_image"),
        (2, "no_face"),
        (3, "several_faces"),
        (5, "image_damaged"),
    ]
    assert all(each.detail for each in enrollment.rejected)
    assert count(gallery) == 2


def test_a_photo_beyond_the_limit_is_refused(service):
    with pytest.raises(NothingEnrolled) as refused:
        service.enroll([photo(*[RED] * 9)], collection="people")
    assert [each.code for each in refused.value.rejected] == ["too_many_pixels"]


@pytest.mark.parametrize("photos", [[], [NO_IMAGE], [photo(WHITE), photo(RED, GREEN)]])
def test_when_no_photo_is_accepted_nothing_is_written(service, gallery, photos):
    with pytest.raises(NothingEnrolled) as refused:
        service.enroll(photos, collection="people", identity_id="ada", name="Ada", idempotency_key="key")
    assert [each.photo for each in refused.value.rejected] == list(range(len(photos)))
    assert gallery.require("people").revision == 0
    with pytest.raises(IdentityUnknown):
        gallery.enrolled(gallery.require("people"), "ada")


@pytest.mark.parametrize(
    ("choice", "detail"),
    [
        (FaceChoice.ONLY, "the photo shows 2 faces; crop it"),
        (FaceChoice.MAIN, "the photo shows 2 faces, and another one is nearly as prominent as the main face; crop it"),
    ],
)
def test_several_faces_say_what_to_do(service, choice, detail):
    with pytest.raises(NothingEnrolled) as refused:
        service.enroll([photo(RED, GREEN)], collection="people", choice=choice)
    hint = "face=main" if choice is FaceChoice.ONLY else "face=largest"
    assert refused.value.rejected == [RejectedPhoto(0, "several_faces", f"{detail}, or send {hint}")]


def test_a_bystander_is_no_reason_to_refuse_a_photo(service, gallery):
    bystanders = photo(RED, WHITE, GREEN, WHITE, BLUE)
    service.enroll([bystanders], collection="people", identity_id="ada")
    assert gallery.enrolled(gallery.require("people"), "ada").vectors[0] == pytest.approx(vector_of(GREEN), abs=1e-3)
    with pytest.raises(NothingEnrolled):
        service.enroll([bystanders], collection="people", choice=FaceChoice.ONLY)


def test_the_most_prominent_face_can_be_chosen(service, gallery):
    enrollment = service.enroll(
        [photo(RED, GREEN, BLUE)], collection="people", identity_id="ada", choice=FaceChoice.LARGEST
    )
    assert enrollment.faces[0].box == (SIDE, 0, 2 * SIDE, SIDE)
    assert gallery.enrolled(gallery.require("people"), "ada").vectors[0] == pytest.approx(vector_of(GREEN), abs=1e-3)


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_is_checked_before_any_photo(gallery, collection, error):
    class NoAnalysis:
        def analyse(self, _data: bytes, *, is_flip_averaged: bool) -> list[Face]:  # noqa: ARG002 - Analysis's
            raise AssertionError("not before the collection is known")

    service = EnrollmentService(lambda _: NoAnalysis(), gallery, lambda _: Policy(None, 0.5))  # type: ignore[arg-type,return-value] # a fake
    with pytest.raises(error):
        service.enroll([photo(RED)], collection=collection)


def test_the_photos_hash_is_kept(analysis, store):
    kept = []

    class Spy:
        def require(self, name: str):
            settings = CollectionSettings(
                on_duplicate=Reaction.ALLOW, on_mismatch=Reaction.ALLOW
            )  # nothing else is looked at
            return store.create_collection(name, model="m", dimension=3, settings=settings)

        def add(self, collection, person, faces, retry, *, check=None):
            kept.extend(faces)
            return store.enroll(collection, person, faces, retry, check=check)

    service = EnrollmentService(lambda _: analysis, Spy(), lambda _: Policy(None, 0.5))  # type: ignore[arg-type] # a fake
    service.enroll([photo(RED)], collection="c")
    assert kept[0].image_sha256 == hashlib.sha256(photo(RED)).hexdigest()
    assert isinstance(kept[0].detection, Detection)
    assert kept[0].norm == pytest.approx(0.6 * 3**0.5, abs=0.01)
    assert kept[0].quality.score == pytest.approx(0.75)


# Quality


def test_a_face_below_the_least_quality_is_refused_and_another_photo_is_accepted(service, gallery):
    enrollment = service.enroll([blurred(RED), photo(RED), photo(WHITE)], collection="people", identity_id="ada")
    assert [face.photo for face in enrollment.faces] == [1]
    hint = "the face is out of focus or noisy: focus on the face and add light"
    detail = f"the face's quality is 0.00 (blurred); the collection accepts 0.25 or more; {hint}"
    assert enrollment.rejected == [
        RejectedPhoto(0, "low_quality", detail),
        RejectedPhoto(2, "no_face", "no face was found in the photo"),
    ]
    assert count(gallery) == 1


def test_when_every_face_is_too_poor_nothing_is_written(service, gallery):
    with pytest.raises(NothingEnrolled) as refused:
        service.enroll([blurred(RED), blurred(PINK)], collection="people", identity_id="ada")
    assert [each.code for each in refused.value.rejected] == ["low_quality", "low_quality"]
    assert gallery.require("people").revision == 0


def test_the_least_quality_is_the_collections(service, gallery, store):
    store.change_settings("people", CollectionSettings(enroll_quality=0))
    (face,) = service.enroll([blurred(RED)], collection="people").faces
    assert face.quality == Quality(0, (Reason.BLURRED,))
    store.change_settings("people", CollectionSettings(enroll_quality=0.76))
    with pytest.raises(NothingEnrolled) as refused:
        service.enroll([photo(RED)], collection="people")
    detail = "the face's quality is 0.75; the collection accepts 0.76 or more"  # nothing is wrong that has a name
    assert refused.value.rejected == [RejectedPhoto(0, "low_quality", detail)]


def test_the_feature_norm_is_judged_by_the_collections_calibration(analysis, gallery):
    asked = []

    def policy_of(collection):
        asked.append(collection)
        return Policy(calibration(typical_norm=4), 0.5)

    with pytest.raises(NothingEnrolled) as refused:
        EnrollmentService(lambda _: analysis, gallery, policy_of).enroll([photo(RED)], collection="people")
    assert refused.value.rejected[0].detail.startswith("the face's quality is 0.00 (occluded_or_uncertain);")
    assert asked == [gallery.require("people")]


def test_of_several_faces_the_chosen_one_is_judged(service):
    squares = photo(RED, GREEN, BLUE)
    enrollment = service.enroll([squares], collection="people", choice=FaceChoice.LARGEST)
    assert enrollment.faces[0].quality.score > 0.7
    with pytest.raises(NothingEnrolled) as refused:
        service.enroll([blurred(RED, GREEN)], collection="people")
    assert refused.value.rejected[0].code == "several_faces"


def test_what_is_stored_is_what_was_answered(service, gallery):
    faces = service.enroll([photo(RED), photo(PINK)], collection="people", identity_id="ada").faces
    stored = gallery.enrolled(gallery.require("people"), "ada")
    assert stored.face_ids == tuple(face.face_id for face in faces)
    assert stored.qualities == pytest.approx([face.quality.score for face in faces])


# Counters


def test_collections_count_their_faces_and_identities_also_under_concurrent_enrollments(service, gallery, store):
    colours = [RED, GREEN, BLUE, PINK]

    def enroll(number: int) -> None:
        photos = [photo(colours[number % 4]), *([blurred(RED), photo(PINK)] if number % 3 == 0 else [])]
        service.enroll(photos, collection="people", identity_id=f"p{number % 5}", idempotency_key=f"key {number % 20}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enroll, [*range(20), *range(20)]))
    people = gallery.require("people")
    owners = store.owners([key for keys, _, _ in store.templates(people) for key in keys.tolist()])
    assert len(owners) == people.faces == store.face_count(people) == count(gallery) == 27
    assert len({owner.identity_id for owner in owners.values()}) == people.identities == 5
    assert people.revision == 20


# Retries


REQUEST = {"collection": "people", "identity_id": "ada", "name": "Ada", "metadata": {"a": 1, "b": [2]}}


def test_a_retry_gets_the_same_answer_and_writes_nothing(service, gallery):
    photos = [photo(RED), NO_IMAGE]
    first = service.enroll(photos, idempotency_key="key", **REQUEST)
    assert service.enroll(photos, idempotency_key="key", **REQUEST) == first
    assert count(gallery) == 1


def test_a_retry_without_an_id_names_the_same_person(service):
    first, second = (service.enroll([photo(RED)], collection="people", idempotency_key="key") for _ in range(2))
    assert first.identity_id == second.identity_id


def test_the_order_of_metadata_is_no_difference(service):
    first = service.enroll([photo(RED)], idempotency_key="key", **REQUEST)
    turned = {**REQUEST, "metadata": {"b": [2], "a": 1}}
    assert service.enroll([photo(RED)], idempotency_key="key", **turned) == first


@pytest.mark.parametrize(
    "change",
    [
        {"photos": [photo(GREEN)]},
        {"photos": [photo(RED), photo(RED)]},
        {"identity_id": "eve"},
        {"identity_id": None},
        {"name": "Eve"},
        {"name": None},
        {"metadata": {"a": 1}},
        {"metadata": None},
        {"choice": FaceChoice.LARGEST},
        {"choice": FaceChoice.ONLY},
    ],
)
def test_the_key_of_another_request_is_refused(service, gallery, change):
    service.enroll([photo(RED)], idempotency_key="key", **REQUEST)
    photos = change.get("photos", [photo(RED)])
    with pytest.raises(IdempotencyConflict):
        service.enroll(
            photos, idempotency_key="key", **{**REQUEST, **{k: v for k, v in change.items() if k != "photos"}}
        )
    assert count(gallery) == 1


def test_who_is_overtaken_by_the_same_request_gets_its_answer(service, gallery, monkeypatch):
    """Two equal requests at once: neither finds an earlier answer, and the second to write gets the first one's."""
    first = service.enroll([photo(RED)], collection="people", idempotency_key="key")
    monkeypatch.setattr(gallery, "earlier_answer", lambda _collection, _retry: None)
    assert service.enroll([photo(RED)], collection="people", idempotency_key="key") == first
    assert count(gallery) == 1


def test_a_refused_request_may_be_tried_again_with_its_key(service):
    with pytest.raises(NothingEnrolled):
        service.enroll([photo(WHITE)], collection="people", idempotency_key="key")
    assert service.enroll([photo(RED)], collection="people", idempotency_key="key").faces


def test_a_retry_of_a_request_answered_before_there_was_a_quality_gets_that_answer(service, gallery, store):
    first = service.enroll([photo(RED), NO_IMAGE], idempotency_key="key", **REQUEST)
    with store._writing.begin() as connection:
        answer = connection.execute(select(EnrollmentTable.answer)).scalar_one()
        quality = answer["faces"][0].pop("quality")
        assert (quality["score"], quality["reasons"]) == (pytest.approx(0.75), [])
        connection.execute(update(EnrollmentTable).values(answer=answer))
    again = service.enroll([photo(RED), NO_IMAGE], idempotency_key="key", **REQUEST)
    assert again.faces == [replace(first.faces[0], quality=None)]
    assert again.rejected == first.rejected
    assert count(gallery) == 1


@pytest.mark.parametrize("choice", [FaceChoice.MAIN, FaceChoice.ONLY])
def test_a_retry_of_a_request_answered_before_main_was_a_choice_gets_that_answer(service, gallery, store, choice):
    first = service.enroll([photo(RED)], idempotency_key="key", **REQUEST)
    with store._writing.begin() as connection:
        parts = (
            [hashlib.sha256(photo(RED)).hexdigest()],
            *(REQUEST[each] for each in ("identity_id", "name", "metadata")),
        )
        digest = hashlib.sha256(json.dumps((*parts, "only"), sort_keys=True).encode()).hexdigest()
        connection.execute(update(EnrollmentTable).values(request_sha256=digest))
    assert service.enroll([photo(RED)], idempotency_key="key", choice=choice, **REQUEST) == first
    assert count(gallery) == 1


def test_a_retry_gets_the_reasons_too(service, store):
    store.change_settings("people", CollectionSettings(enroll_quality=0))
    first, again = (service.enroll([blurred(RED)], collection="people", idempotency_key="key") for _ in range(2))
    assert first == again
    assert again.faces[0].quality == Quality(0, (Reason.BLURRED,))


def test_a_retry_is_answered_also_when_the_collection_takes_less_now(service, store):
    first = service.enroll([photo(RED)], idempotency_key="key", **REQUEST)
    store.change_settings("people", CollectionSettings(enroll_quality=0.9))
    assert service.enroll([photo(RED)], idempotency_key="key", **REQUEST) == first
