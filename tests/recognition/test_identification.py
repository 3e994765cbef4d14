import pytest

from app.errors import CollectionUnknown, ModelMismatch, NotAnImage
from app.recognition.enrolment import EnrolmentService
from app.recognition.identification import Identification, IdentificationService
from app.recognition.policy import Policy
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, SIDE, WHITE, photo, similarity

YELLOW = (255, 255, 0)


@pytest.fixture
def enrol(analysis, gallery):
    def enrol(identity_id: str, *photos: bytes) -> list[str]:
        service = EnrolmentService(analysis, gallery)
        enrolment = service.enrol(photos, collection="people", identity_id=identity_id, name=identity_id.title())
        return [face.face_id for face in enrolment.faces]

    return enrol


@pytest.fixture
def identify(analysis, gallery):
    service = IdentificationService(analysis, gallery, lambda _: Policy(None, 0.8))

    def identify(*colours, collection="people", top_k=5) -> Identification:
        return service.identify(photo(*colours), collection=collection, top_k=top_k)

    return identify


def summary(identification: Identification) -> list[tuple[str, str | None]]:
    """Return verdict and first candidate of every face, from left to right."""
    faces = sorted(identification.faces, key=lambda each: each.face.detection.box)
    return [(each.verdict, each.candidates[0].identity_id if each.candidates else None) for each in faces]


def test_everybody_in_a_photo_is_identified(identify, enrol):
    enrol("ada", photo(RED))
    enrol("bob", photo(BLUE))
    assert summary(identify(BLUE, GREEN, PINK)) == [("match", "bob"), ("no_match", "ada"), ("match", "ada")]


def test_the_most_prominent_face_comes_first(identify, enrol):
    enrol("ada", photo(RED))
    boxes = [each.face.detection.box[0] for each in identify(BLUE, GREEN, RED).faces]
    assert boxes == [SIDE, 0, 2 * SIDE]


def test_candidates_are_best_first_with_all_that_is_known(identify, enrol):
    (face,) = enrol("ada", photo(RED))
    enrol("bob", photo(BLUE), photo(GREEN))
    enrol("eve", photo(YELLOW))
    result = identify(RED)
    (red,) = result.faces
    assert (result.threshold, red.verdict) == (0.8, "match")
    assert [each.identity_id for each in red.candidates] == ["ada", "eve", "bob"]
    expected = [similarity(RED, each) for each in (RED, YELLOW, BLUE)]
    assert [each.similarity for each in red.candidates] == pytest.approx(expected, abs=1e-3)
    assert (red.candidates[0].name, red.candidates[0].face_id) == ("Ada", face)


@pytest.mark.parametrize("top_k", [1, 2, 3, 9])
def test_no_more_candidates_than_asked(identify, enrol, top_k):
    for person, colour in {"ada": RED, "bob": BLUE, "eve": GREEN}.items():
        enrol(person, photo(colour), photo(colour))
    assert len(identify(RED, top_k=top_k).faces[0].candidates) == min(top_k, 3)


def test_a_person_is_in_a_photo_once(identify, enrol):
    enrol("ada", photo(RED))
    assert summary(identify(PINK, RED)) == [("no_match", "ada"), ("match", "ada")]


def test_a_photo_without_a_face_has_no_faces(identify, enrol):
    enrol("ada", photo(RED))
    assert identify(WHITE) == Identification([], 0.8)


def test_in_an_empty_collection_everybody_is_unknown(identify):
    assert summary(identify(RED, BLUE)) == [("no_match", None), ("no_match", None)]


@pytest.mark.parametrize(("collection", "error"), [("nowhere", CollectionUnknown), ("foreign", ModelMismatch)])
def test_the_collection_must_fit(identify, collection, error):
    with pytest.raises(error):
        identify(RED, collection=collection)


def test_bytes_that_are_no_photo_are_refused(analysis, gallery):
    with pytest.raises(NotAnImage):
        IdentificationService(analysis, gallery, lambda _: Policy(None, 0.8)).identify(
            b"no photo", collection="people", top_k=1
        )
