import hashlib
from uuid import UUID

import pytest

from app.errors import (
    CollectionUnknown,
    IdempotencyConflict,
    IdentityUnknown,
    ModelMismatch,
    NothingEnrolled,
    RejectedPhoto,
)
from app.faces import Detection
from app.recognition.analysis import Face
from app.recognition.enrolment import EnrolledFace, EnrolmentService, FaceChoice
from app.recognition.gallery import IndexState
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, SIDE, WHITE, photo, vector_of

NO_IMAGE = b"This is no image."


@pytest.fixture
def service(analysis, gallery):
    return EnrolmentService(analysis, gallery)


def count(gallery):
    (state,) = gallery.states() or [IndexState("people", 0, 0)]
    assert state.faces == state.indexed
    return state.faces


def test_a_person_is_enrolled_and_found(service, gallery):
    enrolment = service.enrol([photo(RED)], collection="people", identity_id="ada", name="Ada", metadata={"room": 7})
    (face,) = enrolment.faces
    assert (enrolment.identity_id, enrolment.rejected) == ("ada", [])
    assert face == EnrolledFace(str(UUID(face.face_id)), 0, (0, 0, SIDE, SIDE), 0.9)
    ((candidate,),) = gallery.search(gallery.require("people"), vector_of(RED)[None], 5)
    assert (candidate.identity_id, candidate.name, candidate.face_id) == ("ada", "Ada", face.face_id)
    assert candidate.similarity == pytest.approx(1, abs=1e-4)


def test_without_an_id_a_new_person_is_made_each_time(service, gallery):
    first, second = (service.enrol([photo(RED)], collection="people") for _ in range(2))
    assert UUID(first.identity_id) != UUID(second.identity_id)
    assert count(gallery) == 2


def test_further_photos_join_the_same_person(service, gallery):
    service.enrol([photo(RED)], collection="people", identity_id="ada")
    service.enrol([photo(PINK), photo(GREEN)], collection="people", identity_id="ada")
    owners, _ = gallery.templates(gallery.require("people"), "ada")
    assert len(owners) == 3


def test_every_photo_is_accepted_or_refused_for_itself(service, gallery):
    photos = [NO_IMAGE, photo(RED), photo(WHITE), photo(RED, BLUE), photo(PINK), photo(RED)[:200]]
    enrolment = service.enrol(photos, collection="people", identity_id="ada")
    assert [face.photo for face in enrolment.faces] == [1, 4]
    assert [(each.photo, each.code) for each in enrolment.rejected] == [
        (0, "not_an_image"),
        (2, "no_face"),
        (3, "several_faces"),
        (5, "image_damaged"),
    ]
    assert all(each.detail for each in enrolment.rejected)
    assert count(gallery) == 2


def test_a_photo_beyond_the_limit_is_refused(service):
    with pytest.raises(NothingEnrolled) as refused:
        service.enrol([photo(*[RED] * 9)], collection="people")
    assert [each.code for each in refused.value.rejected] == ["too_many_pixels"]


@pytest.mark.parametrize("photos", [[], [NO_IMAGE], [photo(WHITE), photo(RED, GREEN)]])
def test_when_no_photo_is_accepted_nothing_is_written(service, gallery, photos):
    with pytest.raises(NothingEnrolled) as refused:
        service.enrol(photos, collection="people", identity_id="ada", name="Ada", idempotency_key="key")
    assert [each.photo for each in refused.value.rejected] == list(range(len(photos)))
    assert gallery.require("people").revision == 0
    with pytest.raises(IdentityUnknown):
        gallery.templates(gallery.require("people"), "ada")


def test_several_faces_say_what_to_do(service):
    with pytest.raises(NothingEnrolled) as refused:
        service.enrol([photo(RED, GREEN)], collection="people")
    detail = "the photo shows 2 faces; crop it or send face=largest"
    assert refused.value.rejected == [RejectedPhoto(0, "several_faces", detail)]


def test_the_most_prominent_face_can_be_chosen(service, gallery):
    enrolment = service.enrol(
        [photo(RED, GREEN, BLUE)], collection="people", identity_id="ada", choice=FaceChoice.LARGEST
    )
    assert enrolment.faces[0].box == (SIDE, 0, 2 * SIDE, SIDE)
    _, vectors = gallery.templates(gallery.require("people"), "ada")
    assert vectors[0] == pytest.approx(vector_of(GREEN), abs=1e-3)


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_is_checked_before_any_photo(gallery, collection, error):
    class NoAnalysis:
        def analyse(self, _data: bytes) -> list[Face]:
            raise AssertionError("not before the collection is known")

    service = EnrolmentService(NoAnalysis(), gallery)  # type: ignore[arg-type] # a fake
    with pytest.raises(error):
        service.enrol([photo(RED)], collection=collection)


def test_the_photos_hash_is_kept(analysis, store):
    kept = []

    class Spy:
        def require(self, name: str):
            return store.create_collection(name, model="m", dimension=3)

        def add(self, collection, person, faces, retry):
            kept.extend(faces)
            return store.enrol(collection, person, faces, retry)

    EnrolmentService(analysis, Spy()).enrol([photo(RED)], collection="c")  # type: ignore[arg-type] # a fake
    assert kept[0].image_sha256 == hashlib.sha256(photo(RED)).hexdigest()
    assert isinstance(kept[0].detection, Detection)
    assert kept[0].norm == pytest.approx(3**0.5, abs=0.01)


# Retries


REQUEST = {"collection": "people", "identity_id": "ada", "name": "Ada", "metadata": {"a": 1, "b": [2]}}


def test_a_retry_gets_the_same_answer_and_writes_nothing(service, gallery):
    photos = [photo(RED), NO_IMAGE]
    first = service.enrol(photos, idempotency_key="key", **REQUEST)
    assert service.enrol(photos, idempotency_key="key", **REQUEST) == first
    assert count(gallery) == 1


def test_a_retry_without_an_id_names_the_same_person(service):
    first, second = (service.enrol([photo(RED)], collection="people", idempotency_key="key") for _ in range(2))
    assert first.identity_id == second.identity_id


def test_the_order_of_metadata_is_no_difference(service):
    first = service.enrol([photo(RED)], idempotency_key="key", **REQUEST)
    turned = {**REQUEST, "metadata": {"b": [2], "a": 1}}
    assert service.enrol([photo(RED)], idempotency_key="key", **turned) == first


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
    ],
)
def test_the_key_of_another_request_is_refused(service, gallery, change):
    service.enrol([photo(RED)], idempotency_key="key", **REQUEST)
    photos = change.get("photos", [photo(RED)])
    with pytest.raises(IdempotencyConflict):
        service.enrol(
            photos, idempotency_key="key", **{**REQUEST, **{k: v for k, v in change.items() if k != "photos"}}
        )
    assert count(gallery) == 1


def test_who_is_overtaken_by_the_same_request_gets_its_answer(service, gallery, monkeypatch):
    """Two equal requests at once: neither finds an earlier answer, and the second to write gets the first one's."""
    first = service.enrol([photo(RED)], collection="people", idempotency_key="key")
    monkeypatch.setattr(gallery, "earlier_answer", lambda _collection, _retry: None)
    assert service.enrol([photo(RED)], collection="people", idempotency_key="key") == first
    assert count(gallery) == 1


def test_a_refused_request_may_be_tried_again_with_its_key(service):
    with pytest.raises(NothingEnrolled):
        service.enrol([photo(WHITE)], collection="people", idempotency_key="key")
    assert service.enrol([photo(RED)], collection="people", idempotency_key="key").faces
