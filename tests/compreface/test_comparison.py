import numpy as np
import pytest

from app.compreface.comparison import ComparisonService, FaceSelection
from app.compreface.similarity_score import SimilarityScale
from app.compreface.subject_service import SubjectService
from app.database.scrubbing import Scrubber
from app.errors import FaceUnknown, NoFace, NothingEnrolled, RequestInvalid, SeveralFaces
from app.gallery.erasure import ErasureService
from app.gallery.store.editing import EditingRepository
from app.gallery.store.face_images import FaceImages
from app.gallery.store.listing import ListingRepository
from app.gallery.store.subjects import SubjectRepository
from app.recognition.analysis import AnalysedFaces, Face
from app.recognition.decisions.policy import Policy
from app.recognition.enrollment import EnrollmentService
from app.recognition.identification import IdentificationService
from app.recognition.people import PeopleService
from app.types import Detection
from tests.recognition.fakes import BLUE, GREEN, PINK, RED, WHITE, calibration, photo, similarity, vector_of

POLICY = Policy(calibration(), 0.5)
ALL = FaceSelection()
BYSTANDERS = (GREEN, WHITE, RED, WHITE, BLUE)  # red, in the middle, is the main face


@pytest.fixture
def compare(analysis, gallery, engine):
    identification = IdentificationService(lambda _: analysis, gallery, lambda _: POLICY)
    return ComparisonService(lambda _: analysis, gallery, ListingRepository(engine), lambda _: POLICY, identification)


@pytest.fixture
def subjects(analysis, gallery, engine):
    listing = ListingRepository(engine)
    return SubjectService(
        lambda _: analysis,
        gallery,
        listing,
        SubjectRepository(engine),
        enrollment=EnrollmentService(lambda _: analysis, gallery, lambda _: POLICY),
        people=PeopleService(gallery, listing, EditingRepository(engine), FaceImages(engine, None)),
        erasure=ErasureService(gallery, Scrubber(engine)),
    )


def expected(one, other, faces=1):
    return pytest.approx(SimilarityScale(POLICY).score(similarity(one, other), faces), abs=1e-2)


# Which faces count


def face(side, score):
    return Face(Detection((0, 0, side, side), score, np.zeros((5, 2), np.float32)), np.zeros(3, np.float32), 1, None)  # type: ignore[arg-type] # not measured


def test_the_largest_faces_count_first():
    faces = [face(20, 0.9), face(50, 0.7), face(30, 0.95), face(10, 0.99)]
    assert ALL.places(faces) == [1, 2, 0, 3]
    assert FaceSelection(most=2).places(faces) == [1, 2]
    assert FaceSelection(0.9, 2).places(faces) == [2, 0]
    for choice, seen in ((FaceSelection(1), faces), (ALL, [])):
        with pytest.raises(NoFace):
            choice.places(seen)


def test_the_sole_face_is_the_main_one_or_the_only_one_selected():
    main, bystander = face(50, 0.7), face(20, 0.9)
    assert ALL.sole(AnalysedFaces([main, bystander], 2)) is main
    assert FaceSelection(0.8).sole(AnalysedFaces([main, bystander], 2, rivals=1)) is bystander
    assert FaceSelection(most=1).sole(AnalysedFaces([main, bystander], 2, rivals=1)) is main
    unclear = [(ALL, [main, face(49, 0.9)], 1), (FaceSelection(0.8), [main, bystander, bystander], 0)]
    for choice, faces, rivals in unclear:
        with pytest.raises(SeveralFaces):
            choice.sole(AnalysedFaces(faces, len(faces), rivals))


# Comparisons


def test_everybody_is_ranked_whoever_it_is(compare, subjects):
    for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        subjects.add_example(photo(colour), collection="people", identity_id=name)
    found = compare.recognise(photo(PINK, WHITE, GREEN), ALL, collection="people", top_k=3)
    assert [face.people[0].identity_id for face in found.faces] == ["red", "green"]
    assert [len(face.people) for face in found.faces] == [3, 3]
    assert found.faces[0].people[0].score == expected(PINK, RED)
    assert found.faces[0].people[1].score < 0.1
    assert len(found.identification.faces) == 2
    only = compare.recognise(photo(PINK, GREEN), FaceSelection(most=1), collection="people", top_k=1)
    assert [len(face.people) for face in only.faces] == [1]
    with pytest.raises(NoFace):
        compare.recognise(photo(WHITE), ALL, collection="people", top_k=1)
    with pytest.raises(NoFace):
        compare.recognise(photo(RED), FaceSelection(0.95), collection="people", top_k=1)


def test_nobody_enrolled_is_nobody_alike(compare):
    found = compare.recognise(photo(RED), ALL, collection="people", top_k=3)
    assert [face.people for face in found.faces] == [[]]


def test_a_photo_with_an_enrolled_face(compare, subjects):
    face_id = subjects.add_example(photo(RED), collection="people", identity_id="red")
    subject, compared = compare.with_face(photo(PINK, BLUE), ALL, collection="people", face_id=face_id)
    assert subject == "red"
    assert [each.score for each in compared] == [expected(PINK, RED), expected(BLUE, RED)]
    with pytest.raises(FaceUnknown):
        compare.with_face(photo(PINK), ALL, collection="people", face_id="nothing")


def test_two_photos(compare):
    source, compared = compare.photos(photo(RED), photo(PINK, BLUE), FaceSelection(most=1), collection="people")
    assert source.face.detection.score == 0.9
    assert [each.score for each in compared] == [expected(PINK, RED)]
    with pytest.raises(SeveralFaces):
        compare.photos(photo(RED, BLUE), photo(RED), ALL, collection="people")
    for one, other in ((WHITE, RED), (RED, WHITE)):
        with pytest.raises(NoFace):
            compare.photos(photo(one), photo(other), ALL, collection="people")


def test_a_source_with_bystanders(compare):
    source = photo(*BYSTANDERS)
    _, compared = compare.photos(source, photo(PINK), ALL, collection="people")
    assert [each.score for each in compared] == [expected(PINK, RED)]
    _, compared = compare.photos(photo(RED, BLUE), photo(PINK), FaceSelection(most=1), collection="people")
    assert [each.score for each in compared] == [expected(PINK, RED)]  # CompreFace's limit is for both photos
    with pytest.raises(NoFace):
        compare.photos(source, photo(PINK), FaceSelection(0.95), collection="people")


def test_embeddings(compare, subjects):
    face_id = subjects.add_example(photo(RED), collection="people", identity_id="red")
    vectors = [vector_of(each).astype(np.float64) * 7 for each in (PINK, BLUE)]
    likenesses = [expected(PINK, RED), expected(BLUE, RED)]
    assert compare.embeddings_with_face(vectors, collection="people", face_id=face_id) == likenesses
    assert compare.embeddings(vector_of(RED).astype(np.float64), vectors, collection="people") == likenesses
    found = compare.recognise_embeddings(vectors, collection="people", top_k=2)
    assert [[each.identity_id for each in people] for people in found] == [["red"], ["red"]]
    assert [people[0].score for people in found] == likenesses
    for wrong in (np.ones(4), np.zeros(3), np.array([np.inf, 0, 0])):
        with pytest.raises(RequestInvalid):
            compare.embeddings(wrong, vectors, collection="people")
        with pytest.raises(RequestInvalid):
            compare.embeddings(vectors[0], [wrong], collection="people")


# Subjects


def names(compare, colour):
    (face,) = compare.recognise(photo(colour), ALL, collection="people", top_k=5).faces
    return [each.identity_id for each in face.people]


def test_a_renamed_or_merged_subject_is_found_at_once(compare, subjects):
    subjects.create("people", "blue")
    subjects.add_example(photo(RED), collection="people", identity_id="red")
    assert not subjects.rename("people", "red", "red")
    assert subjects.rename("people", "red", "crimson")
    assert names(compare, RED) == ["crimson"]
    assert subjects.rename("people", "crimson", "blue")
    assert names(compare, RED) == ["blue"]
    assert subjects.ids("people") == ["blue"]


def test_faces_go_and_their_subject_stays(compare, subjects):
    first, second = (subjects.add_example(photo(each), collection="people", identity_id="red") for each in (RED, PINK))
    assert subjects.remove_example("people", first).identity_id == "red"
    gone = subjects.remove_examples("people", [first, second, "nothing"])
    assert [each.face_id for each in gone] == [second]
    assert names(compare, RED) == []
    assert subjects.ids("people") == ["red"]
    assert (subjects.remove_if_any("people", "red"), subjects.remove_if_any("people", "red")) == (0, 0)
    assert subjects.ids("people") == []


def test_all_are_gone_from_searches_too(compare, subjects):
    for name, colour in (("red", RED), ("green", GREEN)):
        subjects.add_example(photo(colour), collection="people", identity_id=name)
    subjects.create("people", "blue")
    assert subjects.clear("people") == (3, 2)
    assert names(compare, RED) == []


def test_a_name_that_was_given_elsewhere_stays(subjects, gallery, analysis, engine):
    EnrollmentService(lambda _: analysis, gallery, lambda _: POLICY).enroll(
        [photo(RED)], collection="people", identity_id="red", name="Rudolf"
    )
    subjects.add_example(photo(RED), collection="people", identity_id="red")
    subjects.add_example(photo(BLUE), collection="people", identity_id="blue")
    listing, people = ListingRepository(engine), gallery.require("people")
    assert [listing.identity(people, each).name for each in ("red", "blue")] == ["Rudolf", "blue"]


def test_one_face_that_is_sure_enough(subjects):
    add = {"collection": "people", "identity_id": "red"}
    assert subjects.add_example(photo(RED), least_score=0.9, **add)
    for score in (None, 0.5):
        assert subjects.add_example(photo(*BYSTANDERS), least_score=score, **add)
    for colours, score, refusal in (
        ((RED,), 0.95, NoFace),
        ((RED, BLUE), 0.5, SeveralFaces),
        ((RED, BLUE), None, NothingEnrolled),
    ):
        with pytest.raises(refusal):
            subjects.add_example(photo(*colours), least_score=score, **add)
    assert len(subjects.examples("people", start=0, limit=9, identity_id=None).items) == 3
