import math

import pytest

from app.errors import CollectionUnknown, IdentityUnknown, ModelMismatch, NoFace, NotAnImage
from app.recognition.enrolment import EnrolmentService
from app.recognition.policy import Policy
from app.recognition.verification import VerificationService
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, SIDE, WHITE, photo, similarity


@pytest.fixture
def verify(analysis, gallery):
    return VerificationService(analysis, gallery, lambda _: Policy(None, 0.5))


@pytest.fixture
def enrol(analysis, gallery):
    def enrol(identity_id: str, *photos: bytes) -> list[str]:
        enrolment = EnrolmentService(analysis, gallery).enrol(photos, collection="people", identity_id=identity_id)
        return [face.face_id for face in enrolment.faces]

    return enrol


# Two photos


def test_two_photos_of_one_person(verify):
    result = verify.verify_photo(photo(RED), photo(PINK), collection="people")
    assert (result.verdict, result.threshold, result.reference_face_id) == ("match", 0.5, None)
    assert result.similarity == pytest.approx(similarity(RED, PINK), abs=1e-3)
    assert result.probe_face.detection.box == result.reference_face.detection.box == (0, 0, SIDE, SIDE)


def test_two_photos_of_two_people(verify):
    result = verify.verify_photo(photo(RED), photo(GREEN), collection="people")
    assert result.verdict == "no_match"
    assert result.similarity == pytest.approx(-1 / 3, abs=1e-3)


def test_verification_is_symmetric(verify):
    one, other = (
        verify.verify_photo(photo(RED), photo(PINK), collection="people"),
        verify.verify_photo(photo(PINK), photo(RED), collection="people"),
    )
    assert one.similarity == other.similarity


def test_the_most_prominent_face_counts(verify):
    crowd = photo(GREEN, RED, BLUE)
    result = verify.verify_photo(crowd, photo(PINK), collection="people")
    assert result.verdict == "match"
    assert result.probe_face.detection.box == (SIDE, 0, 2 * SIDE, SIDE)


@pytest.mark.parametrize(
    ("probe", "reference", "role"), [(WHITE, RED, "probe"), (RED, WHITE, "reference"), (WHITE, WHITE, "probe")]
)
def test_a_photo_without_a_face_is_named(verify, probe, reference, role):
    with pytest.raises(NoFace, match=f"the {role} photo"):
        verify.verify_photo(photo(probe), photo(reference), collection="people")


def test_bytes_that_are_no_photo_are_refused(verify):
    with pytest.raises(NotAnImage):
        verify.verify_photo(photo(RED), b"no photo", collection="people")


@pytest.mark.parametrize(("step", "verdict"), [(-1, "match"), (0, "match"), (1, "no_match")])
def test_the_threshold_itself_is_a_match(analysis, gallery, step, verdict):
    exact = (
        VerificationService(analysis, gallery, lambda _: Policy(None, 0))
        .verify_photo(photo(RED), photo(PINK), collection="people")
        .similarity
    )
    threshold = exact if step == 0 else math.nextafter(exact, step * math.inf)
    service = VerificationService(analysis, gallery, lambda _: Policy(None, threshold))
    assert service.verify_photo(photo(RED), photo(PINK), collection="people").verdict == verdict


# A photo and an enrolled person


def test_an_enrolled_person_is_verified(verify, enrol):
    (face,) = enrol("ada", photo(RED))
    result = verify.verify_identity(photo(PINK), "ada", collection="people")
    assert (result.verdict, result.reference_face, result.reference_face_id) == ("match", None, face)
    assert result.similarity == pytest.approx(similarity(RED, PINK), abs=1e-3)


def test_an_impostor_is_refused(verify, enrol):
    enrol("ada", photo(RED))
    enrol("bob", photo(GREEN))
    assert verify.verify_identity(photo(GREEN), "ada", collection="people").verdict == "no_match"


def test_the_best_of_a_persons_faces_counts(verify, enrol):
    faces = enrol("ada", photo(BLUE), photo(RED), photo(GREEN))
    for colour, face in zip((BLUE, RED, GREEN), faces, strict=True):
        result = verify.verify_identity(photo(colour), "ada", collection="people")
        assert (result.reference_face_id, result.similarity) == (face, pytest.approx(1, abs=1e-3))


def test_who_is_not_enrolled_is_unknown(verify, enrol):
    enrol("ada", photo(RED))
    with pytest.raises(IdentityUnknown, match="'bob'"):
        verify.verify_identity(photo(RED), "bob", collection="people")


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_must_fit(verify, collection, error):
    with pytest.raises(error):
        verify.verify_identity(photo(RED), "ada", collection=collection)


def test_a_probe_without_a_face(verify, enrol):
    enrol("ada", photo(RED))
    with pytest.raises(NoFace, match="the probe photo"):
        verify.verify_identity(photo(WHITE), "ada", collection="people")
