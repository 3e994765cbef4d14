import numpy as np
import pytest

from app.errors import CollectionUnknown, NoFace, NotAnImage
from app.gallery.store.values import Terms
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.matching import template_of
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.probe_fusion import fuse, fuse_track
from app.recognition.probes import read_probe, track_probe
from app.recognition.verification import VerificationService
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, WHITE, blurred, calibration, photo, vector_of

POLICY = Policy(None, 0.5, 0.2)
RED_TONES = (RED, PINK, (255, 30, 30))


def fused(*faces: tuple[tuple[int, int, int], float], policy: Policy = POLICY):
    vectors = np.stack([vector_of(colour) for colour, _ in faces])
    return fuse(vectors, np.array([quality for _, quality in faces], np.float32), policy)


def read(analysis, *photos, policy=POLICY):
    return read_probe(photos, analysis, policy, is_flip_averaged=False)


# Fusion


def test_faces_of_one_person_are_fused_as_their_template():
    probe = fused((RED, 0.8), (PINK, 0.4))
    vectors, qualities = np.stack([vector_of(RED), vector_of(PINK)]), np.array([0.8, 0.4], np.float32)
    assert probe.vector == pytest.approx(template_of(vectors, qualities))
    assert (probe.used.tolist(), probe.is_agreed) == ([0, 1], True)


def test_one_face_stays_as_it_is():
    probe = fused((RED, 0.1))
    assert probe.vector == pytest.approx(vector_of(RED))
    assert (probe.used.tolist(), probe.poor.tolist(), probe.is_agreed) == ([0], [], True)


def test_the_face_of_a_stranger_is_never_averaged():
    probe = fused((RED, 0.8), (GREEN, 0.9), (PINK, 0.8))
    assert (probe.used.tolist(), probe.mismatched.tolist(), probe.is_agreed) == ([0, 2], [1], True)
    assert probe.vector @ vector_of(GREEN) < 0.3


def test_of_two_different_people_the_better_face_counts_and_they_do_not_agree():
    probe = fused((RED, 0.8), (GREEN, 0.9))
    assert (probe.used.tolist(), probe.mismatched.tolist(), probe.is_agreed) == ([1], [0], False)
    assert probe.vector == pytest.approx(vector_of(GREEN))


def test_a_poor_face_is_fused_only_if_it_resembles_the_others():
    probe = fused((RED, 0.8), (GREEN, 0.1), (PINK, 0.1))
    assert (probe.used.tolist(), probe.poor.tolist(), probe.is_agreed) == ([0, 2], [1], True)
    vectors, qualities = np.stack([vector_of(RED), vector_of(PINK)]), np.array([0.8, 0.1], np.float32)
    assert probe.vector == pytest.approx(template_of(vectors, qualities))
    assert fused((RED, 0.1), (PINK, 0.1)).used.tolist() == [0, 1]


def test_poor_faces_have_no_say_in_whether_photos_agree():
    probe = fused((RED, 0.8), (GREEN, 0.1), (BLUE, 0.1))
    assert (probe.used.tolist(), probe.poor.tolist(), probe.is_agreed) == ([0], [1, 2], True)
    two = fused((RED, 0.8), (GREEN, 0.8), (PINK, 0.1))
    assert two.is_agreed is False


# Photos


def test_each_photo_is_reported(analysis):
    probe = read(analysis, photo(RED), b"no photo", photo(WHITE), blurred(BLUE), photo(PINK), photo(GREEN))
    assert [each.code for each in probe.photos] == [
        None,
        "not_an_image",
        "no_face",
        "low_quality",
        None,
        "face_mismatch",
    ]
    assert [each.photo for each in probe.photos] == list(range(6))
    assert all((each.detail is None) == (each.code is None) for each in probe.photos)
    assert [each.face is None for each in probe.photos] == [False, True, True, False, False, False]
    assert (probe.faces, probe.is_poor, probe.is_agreed) == (2, False, True)


def test_an_unread_photo_is_passed_as_its_error(analysis):
    probe = read(analysis, NotAnImage("it is text"), photo(RED))
    assert [each.code for each in probe.photos] == ["not_an_image", None]


@pytest.mark.parametrize("photos", [[photo(WHITE)], [photo(WHITE), b"no photo"]])
def test_without_a_usable_photo_the_first_error_is_raised(analysis, photos):
    with pytest.raises(NoFace, match="no face was found in the probe photo"):
        read(analysis, *photos)


def test_a_single_photo_is_not_listed(analysis):
    assert read(analysis, photo(RED)).photos == ()


def test_only_poor_photos_make_a_poor_probe(analysis):
    assert read(analysis, blurred(RED), blurred(PINK)).is_poor
    assert not read(analysis, blurred(RED), photo(PINK)).is_poor


# Services


@pytest.fixture
def enrolled(analysis, gallery):
    service = EnrollmentService(lambda _: analysis, gallery, lambda _: POLICY)
    for name, colour in (("red", RED), ("green", GREEN)):
        service.enroll([photo(colour)], collection="people", identity_id=name, terms=Terms())
    return gallery


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_rate_counts_the_photos_of_the_probe(analysis, enrolled, count):
    policy = Policy(calibration(), 0.5, 0.2)
    photos = [photo(colour) for colour in RED_TONES[:count]]
    verification = VerificationService(lambda _: analysis, enrolled, lambda _: policy)
    for result in (
        verification.verify_photo(photos, photo(RED), collection="people"),
        verification.verify_identity(photos, "red", collection="people"),
    ):
        assert result.threshold == policy.for_verification(1, count).threshold
        assert result.similarity is not None
        assert result.fmr == policy.fmr(result.similarity, 1, count)
    identification = IdentificationService(lambda _: analysis, enrolled, lambda _: policy)
    found = identification.identify_person(photos, collection="people", top_k=5)
    comparisons = comparisons_among(2, 2, count)
    (face,) = found.faces
    assert found.threshold == policy.for_identification(comparisons).threshold
    assert face.candidates[0].identity_id == "red"
    assert face.rates[0].fpir == policy.fpir(face.candidates[0].similarity, comparisons)
    assert face.rates[0].fmr == policy.fmr(face.candidates[0].similarity, 1, count)


def test_one_photo_of_one_person_is_answered_as_by_identify(analysis, enrolled):
    service = IdentificationService(lambda _: analysis, enrolled, lambda _: POLICY)
    found = service.identify_person([photo(PINK)], collection="people", top_k=5)
    usual = service.identify(photo(PINK), collection="people", top_k=5)
    assert (found.threshold, found.photos) == (usual.threshold, ())
    assert [(each.verdict, each.candidates) for each in found.faces] == [
        (each.verdict, each.candidates) for each in usual.faces
    ]


@pytest.mark.parametrize("threshold", [None, 0.4])
def test_photos_of_two_people_open_no_door(analysis, enrolled, threshold):
    photos = [photo(RED), photo(BLUE)]
    verification = VerificationService(lambda _: analysis, enrolled, lambda _: POLICY)
    verdicts = [
        verification.verify_identity(photos, "red", collection="people", threshold=threshold).verdict,
        verification.verify_photo(photos, photo(RED), collection="people", threshold=threshold).verdict,
    ]
    identification = IdentificationService(lambda _: analysis, enrolled, lambda _: POLICY)
    found = identification.identify_person(photos, collection="people", top_k=5, threshold=threshold)
    verdicts.append(found.faces[0].verdict)
    assert "match" not in verdicts
    assert [each.code for each in found.photos].count("face_mismatch") == 1


def test_a_majority_of_photos_decides(analysis, enrolled):
    service = IdentificationService(lambda _: analysis, enrolled, lambda _: POLICY)
    found = service.identify_person([photo(RED), photo(GREEN), photo(PINK)], collection="people", top_k=5)
    assert (found.faces[0].verdict, found.faces[0].candidates[0].identity_id) == ("match", "red")


def test_an_unknown_collection(analysis, enrolled):
    service = IdentificationService(lambda _: analysis, enrolled, lambda _: POLICY)
    with pytest.raises(CollectionUnknown):
        service.identify_person([photo(RED)], collection="nowhere", top_k=5)


# Tracks


def test_only_the_best_faces_of_a_track_are_fused():
    colours = [RED, PINK, GREEN, (255, 30, 30), BLUE]
    vectors = np.stack([vector_of(colour) for colour in colours])
    probe = fuse_track(vectors, np.array([0.9, 0.8, 0.3, 0.7, 0.2], np.float32), POLICY)
    assert (probe.used.tolist(), probe.poor.tolist(), probe.mismatched.tolist()) == ([0, 1, 3], [], [])
    swapped = fuse_track(vectors, np.array([0.8, 0.9, 0.85, 0.1, 0.2], np.float32), POLICY)
    assert (swapped.used.tolist(), swapped.mismatched.tolist(), swapped.is_agreed) == ([0, 1], [2], True)


@pytest.mark.parametrize(("colours", "least", "most"), [([RED] * 3, 1, 1.001), ([RED, PINK, PINK], 1, 2)])
def test_alike_faces_count_as_few(analysis, colours, least, most):
    faces = [analysis.analyse(photo(colour), is_flip_averaged=False)[0] for colour in colours]
    assert least <= track_probe(faces, POLICY).faces <= most
