import math

import numpy as np
import pytest

from app.errors import CollectionUnknown, IdentityUnknown, ModelMismatch, NoFace, NotAnImage
from app.gallery.store.values import CollectionSettings
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.verification import VerificationService
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
    colour_analysis,
    halved,
    photo,
    similarity,
    vector_of,
)

YELLOW = (255, 255, 0)


@pytest.fixture
def verify(analysis, gallery):
    return VerificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))


@pytest.fixture
def enroll(analysis, gallery):
    def enroll(identity_id: str, *photos: bytes) -> list[str]:
        enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5)).enroll(
            photos, collection="people", identity_id=identity_id
        )
        return [face.face_id for face in enrollment.faces]

    return enroll


# Two photos


def test_two_photos_of_one_person(verify):
    result = verify.verify_photo([photo(RED)], photo(PINK), collection="people")
    assert (result.verdict, result.threshold, result.reference_face_id) == ("match", 0.5, None)
    assert result.similarity == pytest.approx(similarity(RED, PINK), abs=1e-3)
    assert result.probe.face.detection.box == result.reference.face.detection.box == (0, 0, SIDE, SIDE)
    assert result.probe.quality == result.reference.quality == Quality(pytest.approx(0.75))  # type: ignore[arg-type] # like a float
    assert (result.is_poor, result.reference_faces) == (False, 1)


def test_two_photos_of_two_people(verify):
    result = verify.verify_photo([photo(RED)], photo(GREEN), collection="people")
    assert result.verdict == "no_match"
    assert result.similarity == pytest.approx(-1 / 3, abs=1e-3)


def test_verification_is_symmetric(verify):
    one, other = (
        verify.verify_photo([photo(RED)], photo(PINK), collection="people"),
        verify.verify_photo([photo(PINK)], photo(RED), collection="people"),
    )
    assert one.similarity == other.similarity


def test_the_most_prominent_face_counts(verify):
    crowd = photo(GREEN, RED, BLUE)
    result = verify.verify_photo([crowd], photo(PINK), collection="people")
    assert result.verdict == "match"
    assert result.probe.face.detection.box == (SIDE, 0, 2 * SIDE, SIDE)


@pytest.mark.parametrize(
    ("probe", "reference", "role"), [(WHITE, RED, "probe"), (RED, WHITE, "reference"), (WHITE, WHITE, "probe")]
)
def test_a_photo_without_a_face_is_named(verify, probe, reference, role):
    with pytest.raises(NoFace, match=f"the {role} photo"):
        verify.verify_photo([photo(probe)], photo(reference), collection="people")


def test_two_photos_can_be_compared_in_a_collection_of_another_network(verify):
    assert verify.verify_photo([photo(RED)], photo(PINK), collection="foreign").verdict == "match"
    with pytest.raises(CollectionUnknown):
        verify.verify_photo([photo(RED)], photo(PINK), collection="nowhere")


def test_bytes_that_are_no_photo_are_refused(verify):
    with pytest.raises(NotAnImage):
        verify.verify_photo([photo(RED)], b"no photo", collection="people")


@pytest.mark.parametrize(("step", "verdict"), [(-1, "match"), (0, "match"), (1, "no_match")])
def test_the_threshold_itself_is_a_match(analysis, gallery, step, verdict):
    exact = (
        VerificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0))
        .verify_photo([photo(RED)], photo(PINK), collection="people")
        .similarity
    )
    assert exact is not None
    threshold = exact if step == 0 else math.nextafter(exact, step * math.inf)
    service = VerificationService(lambda _: analysis, gallery, lambda _: Policy(None, threshold))
    assert service.verify_photo([photo(RED)], photo(PINK), collection="people").verdict == verdict


# A photo and an enrolled person


def test_an_enrolled_person_is_verified(verify, enroll):
    (face,) = enroll("ada", photo(RED))
    result = verify.verify_identity([photo(PINK)], "ada", collection="people")
    assert (result.verdict, result.reference, result.reference_face_id) == ("match", None, face)
    assert result.similarity == pytest.approx(similarity(RED, PINK), abs=1e-3)


def test_an_impostor_is_refused(verify, enroll):
    enroll("ada", photo(RED))
    enroll("bob", photo(GREEN))
    assert verify.verify_identity([photo(GREEN)], "ada", collection="people").verdict == "no_match"


def test_a_person_is_compared_by_the_template_of_all_faces(verify, enroll):
    faces = enroll("ada", photo(PINK), photo(RED), photo(YELLOW))
    mean = sum(vector_of(each) for each in (PINK, RED, YELLOW))
    for colour, face in zip((PINK, RED, YELLOW), faces, strict=True):
        result = verify.verify_identity([photo(colour)], "ada", collection="people")
        assert (result.reference_face_id, result.reference_faces) == (face, 3)
        expected = float(mean @ vector_of(colour) / np.linalg.norm(mean))
        assert result.similarity == pytest.approx(expected, abs=1e-3)


def test_who_looks_like_the_one_foreign_face_of_a_person_is_refused(verify, enroll):
    enroll("ada", photo(RED), photo(PINK), photo(RED), photo(GREEN))
    assert verify.verify_identity([photo(GREEN)], "ada", collection="people").verdict == "no_match"
    assert verify.verify_identity([photo(PINK)], "ada", collection="people").verdict == "match"


def test_a_template_of_more_faces_is_judged_more_strictly(analysis, gallery, enroll):
    policy = Policy(calibration(), 0.5)
    service = VerificationService(lambda _: analysis, gallery, lambda _: policy)
    enroll("one", photo(RED))
    enroll("four", *[photo(RED)] * 4)
    for max_fmr in (None, 0.1, 1e-5):
        one, four = (
            service.verify_identity([photo(PINK)], who, collection="people", max_fmr=max_fmr) for who in ("one", "four")
        )
        photos = service.verify_photo([photo(PINK)], photo(RED), collection="people", max_fmr=max_fmr)
        assert one.threshold == photos.threshold < four.threshold
        assert four.threshold == policy.for_verification(4, max_fmr=max_fmr).threshold
    assert one.similarity == pytest.approx(four.similarity, abs=1e-5)
    one, four = (service.verify_identity([photo(YELLOW)], who, collection="people") for who in ("one", "four"))
    assert one.fmr == service.verify_photo([photo(YELLOW)], photo(RED), collection="people").fmr
    assert one.fmr.value is not None
    assert one.fmr.value > 1e-4
    assert four.fmr.value is not None
    assert four.fmr.value > one.fmr.value


def test_who_is_not_enrolled_is_unknown(verify, enroll):
    enroll("ada", photo(RED))
    with pytest.raises(IdentityUnknown, match="'bob'"):
        verify.verify_identity([photo(RED)], "bob", collection="people")


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_must_fit(verify, collection, error):
    with pytest.raises(error):
        verify.verify_identity([photo(RED)], "ada", collection=collection)


def test_a_probe_without_a_face(verify, enroll):
    enroll("ada", photo(RED))
    with pytest.raises(NoFace, match="the probe photo"):
        verify.verify_identity([photo(WHITE)], "ada", collection="people")


# Quality


@pytest.fixture
def careful(analysis, gallery):
    """A service under an error rate that minds the collection's least quality of probes."""
    return VerificationService(
        lambda _: analysis, gallery, lambda each: Policy(calibration(), 0.5, each.settings.probe_quality)
    )


@pytest.mark.parametrize(
    ("probe", "reference", "is_poor"),
    [(photo, photo, False), (blurred, photo, True), (photo, blurred, True), (blurred, blurred, True)],
)
def test_with_a_poor_face_a_match_is_only_possible(careful, probe, reference, is_poor):
    result = careful.verify_photo([probe(RED)], reference(RED), collection="people")
    assert (result.verdict, result.is_poor) == ("possible" if is_poor else "match", is_poor)
    assert result.similarity == pytest.approx(1, abs=1e-3)
    result = careful.verify_photo([probe(RED)], reference(GREEN), collection="people")
    assert (result.verdict, result.is_poor) == ("no_match", is_poor)
    result = careful.verify_photo([probe(RED)], reference(RED), collection="people", threshold=0.9)
    assert (result.verdict, result.is_poor) == ("match", is_poor)


def test_a_poor_probe_of_an_enrolled_person_is_only_possible(careful, enroll, store):
    enroll("ada", photo(RED))
    assert careful.verify_identity([photo(RED)], "ada", collection="people").verdict == "match"
    result = careful.verify_identity([blurred(RED)], "ada", collection="people")
    assert (result.verdict, result.is_poor, result.probe.quality.reasons) == ("possible", True, (Reason.BLURRED,))
    exact = careful.verify_identity([blurred(RED)], "ada", collection="people", threshold=0.9)
    assert (exact.verdict, exact.is_poor) == ("match", True)
    store.change_settings("people", CollectionSettings(probe_quality=0))
    result = careful.verify_identity([blurred(RED)], "ada", collection="people")
    assert (result.verdict, result.is_poor) == ("match", False)


@pytest.mark.parametrize(("is_flip_averaged", "similar"), [(True, 1), (False, -1 / 3)])
def test_photos_are_embedded_as_the_collection_does_it(gallery, is_flip_averaged, similar):
    gallery.ensure("own way", CollectionSettings(is_flip_averaged))
    analysis = colour_analysis(is_half_blind=True)
    service = VerificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
    result = service.verify_photo([halved(RED, GREEN)], halved(GREEN, RED), collection="own way")
    assert result.similarity == pytest.approx(similar, abs=1e-3)
    enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
    enrollment.enroll([halved(RED, GREEN)], collection="own way", identity_id="ada")
    result = service.verify_identity([halved(GREEN, RED)], "ada", collection="own way")
    assert result.similarity == pytest.approx(similar, abs=1e-3)


def test_a_cheap_probe_is_one_embedding_and_its_reference_the_average_of_two(gallery):
    gallery.ensure("averaged", CollectionSettings(is_flip_averaged=True))
    analysis = colour_analysis(is_half_blind=True, has_mirrored_probes=False)
    enrollment = EnrollmentService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
    enrollment.enroll([halved(RED, GREEN)], collection="averaged", identity_id="ada")
    service = VerificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
    both = vector_of(RED) + vector_of(GREEN)
    expected = pytest.approx(float(vector_of(RED) @ both / np.linalg.norm(both)), abs=1e-3)
    by_photo = service.verify_photo([halved(RED, GREEN)], halved(RED, GREEN), collection="averaged")
    by_identity = service.verify_identity([halved(RED, GREEN)], "ada", collection="averaged")
    assert by_photo.similarity == expected
    assert by_identity.similarity == expected
    (face,) = (
        IdentificationService(lambda _: analysis, gallery, lambda _: Policy(None, 0.5))
        .identify(halved(RED, GREEN), collection="averaged", top_k=1)
        .faces
    )
    assert face.candidates[0].similarity == expected
