import hashlib

import pytest

from app.errors import CollectionUnknown
from app.gallery.store.collections import CollectionRepository
from app.gallery.store.review_pages import ReviewPages
from app.gallery.store.reviews import ReviewStore
from app.notify.sighting import SightingVerdict
from app.notify.sighting_service import SightingService
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.reviews.review_queue import ReviewQueue
from app.recognition.verification import VerificationService
from tests.notify.sightings import NOON, sighting
from tests.recognition.fakes import BLUE, RED, WHITE, blurred, calibration, photo
from tests.sealing import FakeSealer

POLICY = Policy(calibration(), 0.8, probe_quality=0.5)


class Reviewed:
    """The collection `people` with Ada (red), whose possible matches are reviewed."""

    def __init__(self, engine, store, gallery, analysis) -> None:
        sealer = FakeSealer()
        self._engine = engine
        self._store = store
        self.pages = ReviewPages(engine, sealer)
        queue = ReviewQueue(ReviewStore(engine, sealer), store.collection, has_images=True)
        self.queue = queue
        self._identification = IdentificationService(lambda _: analysis, gallery, lambda _: POLICY, reviews=queue)
        self._verification = VerificationService(lambda _: analysis, gallery, lambda _: POLICY, reviews=queue)
        enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.8))
        enrollment.enroll([photo(RED)], collection="people", identity_id="ada", name="Ada")
        enrollment.enroll([photo(BLUE)], collection="people", identity_id="bob")
        self.require(review="possible", is_crop_kept=True)

    def require(self, **settings) -> None:
        CollectionRepository(self._engine).change("people", settings)

    def identify(self, data: bytes) -> list[str | None]:
        found = self._identification.identify(data, collection="people", top_k=5)
        return [each.review_id for each in found.faces]

    def identify_person(self, *photos: bytes) -> str | None:
        (face,) = self._identification.identify_person(photos, collection="people", top_k=5).faces
        return face.review_id

    def verify(self, data: bytes) -> str | None:
        return self._verification.verify_identity([data], "ada", collection="people").review_id

    def all(self):
        return self.pages.page(self._store.collection("people"), after=0, limit=10).items

    def get(self, review_id):
        return self.pages.get(self._store.collection("people"), review_id)

    def image(self, review_id) -> bytes:
        return self.pages.image(self._store.collection("people"), review_id)


@pytest.fixture
def reviewed(engine, store, gallery, analysis) -> Reviewed:
    return Reviewed(engine, store, gallery, analysis)


def test_a_possible_match_opens_a_review_with_the_probes_face(reviewed):
    probe = blurred(RED)
    (review_id,) = reviewed.identify(probe)
    review = reviewed.get(review_id)
    assert (review.origin, review.verdict, review.state) == ("identify", "possible", "open")
    assert review.input_sha256 == hashlib.sha256(probe).hexdigest()
    assert review.started_at <= review.ended_at <= review.opened_at
    first, *_ = review.candidates
    assert (first.identity_id, first.name) == ("ada", "Ada")
    assert first.similarity > 0.9
    assert first.fpir is not None
    assert first.fmr is not None
    assert reviewed.image(review_id)[:2] == b"\xff\xd8"


def test_each_face_of_a_photo_has_its_own_review(reviewed):
    reviews = reviewed.identify(blurred(RED, WHITE, BLUE))
    assert len(set(reviews)) == 2
    assert {reviewed.get(each).candidates[0].identity_id for each in reviews} == {"ada", "bob"}


def test_clear_verdicts_open_none(reviewed):
    assert reviewed.identify(photo(RED)) == [None]  # a match
    assert reviewed.identify(photo((0, 255, 0))) == [None]  # nobody
    assert reviewed.verify(photo(RED)) is None
    assert reviewed.all() == []


def test_all_matches_are_reviewed_if_the_collection_says_so(reviewed):
    reviewed.require(review="all_matches")
    (review_id,) = reviewed.identify(photo(RED))
    assert reviewed.get(review_id).verdict == "match"
    assert reviewed.identify(photo((0, 255, 0))) == [None]


def test_a_collection_without_reviews_opens_none(reviewed):
    reviewed.require(review="off")
    assert reviewed.identify(blurred(RED)) == [None]
    assert reviewed.verify(blurred(RED)) is None


def test_the_same_photo_opens_one_review(reviewed):
    assert reviewed.identify(blurred(RED)) == reviewed.identify(blurred(RED))
    (review,) = reviewed.all()
    assert review.times == 2


def test_without_kept_crops_only_the_hash_remains(reviewed):
    reviewed.require(is_crop_kept=False)
    (review_id,) = reviewed.identify(blurred(RED))
    review = reviewed.get(review_id)
    assert (review.has_image, len(review.input_sha256)) == (False, 64)


def test_verifications_open_reviews_of_the_person_asked_for(reviewed):
    review = reviewed.get(reviewed.verify(blurred(RED)))
    assert (review.origin, review.has_image) == ("verify", True)
    (candidate,) = review.candidates
    assert (candidate.identity_id, candidate.fpir) == ("ada", None)


def test_several_photos_of_a_person_open_one_review_with_the_best_photo(reviewed):
    reviewed.require(review="all_matches")
    review_id = reviewed.identify_person(blurred(RED), photo(RED))
    assert reviewed.get(review_id).input_sha256 == hashlib.sha256(photo(RED)).hexdigest()


POSSIBLE = SightingVerdict.POSSIBLE


def test_a_track_has_one_review(reviewed):
    seen = sighting(verdict=POSSIBLE, track_id="t1", best_shot=b"\xff\xd8jpeg", last_seen=NOON)
    review_id = reviewed.queue.open_for_sighting(seen)
    assert reviewed.queue.open_for_sighting(seen) == review_id
    assert reviewed.queue.open_for_sighting(sighting(verdict=POSSIBLE, track_id="t2")) != review_id
    review = reviewed.get(review_id)
    assert (review.origin, review.camera, review.times) == ("camera", "door", 2)
    assert (review.started_at, review.ended_at) == (NOON, NOON)
    assert reviewed.image(review_id) == b"\xff\xd8jpeg"
    (candidate,) = review.candidates
    assert (candidate.similarity, candidate.fpir) == (0.71234, 0.001)
    assert candidate.face_id is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": SightingVerdict.MATCH},
        {"verdict": SightingVerdict.UNKNOWN, "identity_id": None},
        {"verdict": SightingVerdict.ATTACK},
        {"verdict": POSSIBLE, "identity_id": "nobody"},
    ],
)
def test_other_sightings_open_none(reviewed, changes):
    assert reviewed.queue.open_for_sighting(sighting(**changes)) is None


def test_a_sighting_in_an_unknown_collection_is_an_error(reviewed):
    with pytest.raises(CollectionUnknown):
        reviewed.queue.open_for_sighting(sighting(verdict=POSSIBLE, collection="gone"))


def test_the_sighting_service_opens_reviews_of_new_decisions(engine, reviewed):
    service = SightingService(engine, reviews=reviewed.queue)
    seen = sighting(verdict=POSSIBLE)
    service.record(seen)
    service.record(seen)
    (review,) = reviewed.all()
    assert (review.camera, review.times) == ("door", 1)


def test_a_queue_without_a_store_opens_none(reviewed):
    assert ReviewQueue().open_for_sighting(sighting(verdict=POSSIBLE)) is None
